#include "graph/foreign_format.h"

#include <algorithm>
#include <string_view>

namespace tarmac {
namespace {

struct Format {
  std::string_view extension;
  std::string_view what;
  std::string_view source;  // of python -m tarmac.export
};

constexpr std::string_view kTorch = "PyTorch's weights or program";
constexpr std::string_view kPaddle = "PaddlePaddle's program or weights";
constexpr Format kFormats[] = {
    {".pt", kTorch, "torch"},
    {".pth", kTorch, "torch"},
    {".ckpt", kTorch, "torch"},
    {".tflite", "a TensorFlow-Lite model", "tflite"},
    {".h5", "a Keras model", "keras"},
    {".keras", "a Keras model", "keras"},
    {".pb", "TensorFlow's graph", "frozen_graph"},
    {".pdmodel", kPaddle, "paddle"},
    {".pdiparams", kPaddle, "paddle"},
};

std::string arguments(std::string_view source, const std::filesystem::path& path) {
  const std::string file = path.string();
  if (source == "torch") return "FILE.py:FACTORY --weights " + file;
  if (source == "frozen_graph") return file + " --outputs NAME,…";
  if (source == "paddle") return std::filesystem::path(path).replace_extension().string();
  return file;
}

}  // namespace

std::string foreign_format(const std::filesystem::path& path) {
  std::error_code failed;
  Format format;
  if (std::filesystem::is_regular_file(path / "saved_model.pb", failed)) {
    format = {{}, "a TensorFlow SavedModel", "saved_model"};
  } else {
    const auto* const found = std::find_if(std::begin(kFormats), std::end(kFormats), [&](const Format& one) {
      return path.extension() == one.extension;
    });
    if (found == std::end(kFormats)) return {};
    format = *found;
  }
  return "by its name it is " + std::string(format.what) + "; for ONNX run python -m tarmac.export " +
         std::string(format.source) + " " + arguments(format.source, path) +
         " -o model.onnx, or let 'tarmac deploy' do it with model: {" + std::string(format.source) +
         ": …} in the contract";
}

}  // namespace tarmac
