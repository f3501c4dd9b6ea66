// External data of ONNX tensors: a place in another file, believed only after checks.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "base/file.h"

namespace onnx {
class TensorProto;
}

namespace tarmac {

/// Finds the bytes that tensors of one model refer to, in files or in memory under a name. A location must be
/// a relative path without "..", naming a regular file that lies inside the model's folder once links are
/// resolved and that has no second hard link; offset and length must lie inside it.
class ExternalData {
 public:
  explicit ExternalData(std::filesystem::path folder) : folder_(std::move(folder)) {}

  struct Range {
    std::span<const std::byte> bytes;
    std::shared_ptr<const void> owner;
  };
  /// Only `location`, which is this memory.
  ExternalData(std::string location, Range bytes) { known_.emplace(std::move(location), std::move(bytes)); }

  /// `expected_bytes`: what dtype and shape ask for; the length entry, when present, must say the same.
  Result<Range> resolve(const onnx::TensorProto& tensor, std::size_t expected_bytes);

 private:
  Result<Range> open(const std::string& location);

  std::filesystem::path folder_;
  std::map<std::string, Range> known_;
};

}  // namespace tarmac
