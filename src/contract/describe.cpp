#include "contract/describe.h"

#include <charconv>

namespace tarmac {
namespace {

/// The shortest text that reads back as the same double.
std::string exact(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), value);
  return {text, end.ptr};
}

std::string size(int height, int width) { return std::to_string(height) + "x" + std::to_string(width); }

std::string pad(const PadValue& value) {
  std::string text = " pad";
  for (const int channel : value) text += " " + std::to_string(channel);
  return text;
}

std::string list(const char* name, const std::vector<double>& values) {
  std::string text = name;
  for (const double value : values) text += " " + exact(value);
  return text;
}

std::string describe(const DecodeStep& step) { return std::string("decode ") + to_string(step.color); }

std::string describe(const ResizeStep& step) {
  return "resize " + size(step.height, step.width) + " " + to_string(step.interpolation) + " " +
         to_string(step.mode) + (step.mode == ResizeMode::kLetterbox ? pad(step.pad_value) : "");
}

std::string describe(const CropStep& step) {
  return "crop " + size(step.height, step.width) +
         (step.centered ? " center" : " at " + std::to_string(step.top) + "," + std::to_string(step.left));
}

std::string describe(const PadStep& step) {
  return "pad top " + std::to_string(step.top) + " bottom " + std::to_string(step.bottom) + " left " +
         std::to_string(step.left) + " right " + std::to_string(step.right) + pad(step.pad_value);
}

std::string describe(const NormalizeStep& step) {
  return "normalize scale " + exact(step.scale) + list(" mean", step.mean) + list(" std", step.std);
}

}  // namespace

std::string describe_preprocess(const InputSpec& input) {
  std::string text;
  for (const PreprocessStep& step : input.preprocess) {
    text += std::visit([](const auto& typed) { return describe(typed); }, step) + "; ";
  }
  return text + to_string(input.dtype) + " " + to_string(input.layout);
}

}  // namespace tarmac
