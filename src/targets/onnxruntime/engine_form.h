// ONNX Runtime's own file of an optimised model (ORT format), with our driving operators behind it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "targets/common/driving_operator.h"
#include "targets/common/engine_model.h"

namespace tarmac::onnxruntime {

/// The file as it is, which ONNX Runtime's own tools read as well, then a JSON list of the driving operators
/// in the order of driving_name(), its size in bytes (8, little endian) and 8 letters.
std::string pack_engine(std::string ort_file, const std::vector<DrivingCall>& calls);

struct EngineForm {
  std::span<const std::byte> ort_file;  ///< within what was unpacked
  std::vector<DrivingCall> calls;
};

/// Errors: kInvalidModel; kInvalidInput and kUnsupported for attributes that an operator refuses.
Result<EngineForm> unpack_engine(std::span<const std::byte> engine);

}  // namespace tarmac::onnxruntime
