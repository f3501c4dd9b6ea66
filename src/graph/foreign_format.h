// Models of other frameworks, where an ONNX file was expected.
#pragma once

#include <filesystem>
#include <string>

namespace tarmac {

/// "by its name it is a TensorFlow-Lite model; for ONNX run python -m tarmac.export tflite FILE -o
/// model.onnx", by the file's name; empty for a name that says nothing.
std::string foreign_format(const std::filesystem::path& path);

}  // namespace tarmac
