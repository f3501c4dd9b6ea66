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

std::string describe(const DecodeStep& step) {
  std::string text = std::string("decode ") + to_string(step.color);
  if (!step.raw) return text;
  const RawFormat& raw = *step.raw;
  text += std::string(" ") + to_string(raw.format) + " " + size(raw.height, raw.width) + " rows of " +
          std::to_string(raw.row_bytes);
  const bool yuv = raw.format == PixelFormat::kNv12 || raw.format == PixelFormat::kYuyv;
  return yuv ? text + " " + to_string(raw.matrix) + " " + to_string(raw.range) : text;
}

std::string describe(const UndistortStep& step) {
  const auto numbers = [](const Intrinsics& of) { return std::vector<double>{of.fx, of.fy, of.cx, of.cy}; };
  const Lens& lens = step.lens;
  return std::string("undistort ") + to_string(lens.model) + " " + size(step.height, step.width) +
         list(" from", numbers(lens.camera)) + list(" to", numbers(lens.undistorted)) +
         list(" by", {lens.coefficients.begin(), lens.coefficients.end()});
}

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
  if (input.geometry == Geometry::kFused) text += "geometry fused; ";
  return text + to_string(input.dtype) + " " + to_string(input.layout);
}

std::string describe_shape(const std::vector<InputDim>& shape) {
  std::string text = "[";
  for (const InputDim& dim : shape) {
    if (text.size() > 1) text += ", ";
    text += dim.fixed() ? std::to_string(dim.size) : dim.symbol;
  }
  return text + "]";
}

}  // namespace tarmac
