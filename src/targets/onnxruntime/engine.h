// ONNX Runtime's types inside this folder: element types, tensors over our memory, providers, sessions.
#pragma once

#include <onnxruntime_cxx_api.h>

#include <memory>

#include "targets/common/bound_context.h"
#include "targets/common/engine_model.h"

namespace tarmac::onnxruntime {

/// One per process; its log goes to base/log.h. Never destroyed: sessions may outlive main()'s statics.
Ort::Env& environment();

/// kUnsupported for types that the library's API cannot carry.
Result<ONNXTensorElementDataType> to_engine(DType dtype);
DType from_engine(ONNXTensorElementDataType type);

/// A value over `tensor`'s own bytes, which the caller keeps alive; strings are copied.
Result<Ort::Value> borrow(const Tensor& tensor);
/// Our view of the engine's memory, which it keeps alive. kUnsupported when it is not a tensor.
Result<Tensor> view_of(const std::shared_ptr<Ort::Value>& value);

/// What a session needs besides the model.
struct SessionPlan {
  std::vector<std::string>
      providers;  ///< ONNX Runtime's own names, present in this library, CPU last or absent
  bool cpu_only = true;
  bool allow_fallback = false;
  int threads = 1;  ///< that one run may use, the caller's included
  bool engine_optimizations = true;
};

/// Resolves the caller's providers against what the library has. Errors: kUnavailable (names what there is).
/// With `allow_fallback` a missing one is skipped and noted.
Result<SessionPlan> plan_session(const CompileOptions& options, std::vector<std::string>& notes);

class DrivingOperators;

/// Throws Ort::Exception. The session reads the model's weights as long as it lives, and calls `operators`.
/// `profile_prefix` non-empty: node times go to a file of that prefix.
Ort::Session open_session(const EngineModel& model, const SessionPlan& plan,
                          const DrivingOperators& operators, const std::string& profile_prefix);
/// As open_session(), from ONNX Runtime's own file, which the session reads as long as it lives.
Ort::Session open_ort_file(std::span<const std::byte> file, const SessionPlan& plan,
                           const DrivingOperators& operators);
/// Compiles once more and returns the file that open_ort_file() reads: optimised for this machine. Throws
/// Ort::Exception. Errors: kIo.
Result<std::string> make_ort_file(const EngineModel& model, const SessionPlan& plan,
                                  const DrivingOperators& operators);

struct Compiled {
  EngineModel model;                  ///< bytes are dropped unless `profile` or `saveable`
  std::shared_ptr<const void> owner;  ///< of the file of open_ort_file()
  SessionPlan plan;
  std::shared_ptr<const DrivingOperators> operators;  ///< before the session, which calls them
  std::shared_ptr<Ort::Session> session;
  std::shared_ptr<const ModelSignature> signature;
  std::vector<std::string> notes;
  bool profile = false;
  bool saveable = false;
};

std::unique_ptr<Executable> make_executable(Compiled compiled);

/// Times of the last run in ONNX Runtime's profile file, by ONNX node name. Errors: kInternal for another
/// format.
Result<std::vector<NodeTime>> read_profile(const std::string& path, const EngineModel& model);

}  // namespace tarmac::onnxruntime
