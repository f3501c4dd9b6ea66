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
Result<Tensor> view_of(Ort::Value value);

/// What a session needs besides the model.
struct SessionPlan {
  std::vector<std::string>
      providers;  ///< ONNX Runtime's own names, present in this library, CPU last or absent
  bool cpu_only = true;
  bool allow_fallback = false;
  int cores = 1;
  bool engine_optimizations = true;
};

/// Resolves the caller's providers against what the library has. Errors: kUnavailable (names what there is).
/// With `allow_fallback` a missing one is skipped and noted.
Result<SessionPlan> plan_session(const CompileOptions& options, std::vector<std::string>& notes);

class DrivingOperators;

/// Throws Ort::Exception. `operators` must outlive the session. `profile_prefix` non-empty: node times go to
/// a file of that prefix.
Ort::Session open_session(const std::string& model, const SessionPlan& plan,
                          const DrivingOperators& operators, const std::string& profile_prefix);

struct Compiled {
  EngineModel model;  ///< bytes are dropped unless `profile`
  SessionPlan plan;
  std::shared_ptr<const DrivingOperators> operators;  ///< before the session, which calls them
  std::shared_ptr<Ort::Session> session;
  std::shared_ptr<const ModelSignature> signature;
  std::vector<std::string> notes;
  bool profile = false;
};

std::unique_ptr<Executable> make_executable(Compiled compiled);

/// Times of the last run in ONNX Runtime's profile file, by ONNX node name. Errors: kInternal for another
/// format.
Result<std::vector<NodeTime>> read_profile(const std::string& path, const EngineModel& model);

}  // namespace tarmac::onnxruntime
