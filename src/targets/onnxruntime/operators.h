// Driving operators as ONNX Runtime's custom operators.
#pragma once

#include <memory>

#include "targets/onnxruntime/engine.h"

namespace tarmac::onnxruntime {

/// One custom operator for each driving node of a model: its types are then fixed, which ONNX Runtime wants
/// to know, and its inputs are all there. Must outlive the session.
class DrivingOperators {
 public:
  /// `cores`: the threads of the session, which kernels use. Errors: kInvalidModel for a node whose types are
  /// unknown.
  static Result<std::shared_ptr<const DrivingOperators>> create(const std::vector<DrivingCall>& calls,
                                                                int cores);
  ~DrivingOperators();
  /// Throws Ort::Exception. Nothing happens where the model has no driving node.
  void add_to(Ort::SessionOptions& options) const;

 private:
  struct CustomOperator;
  DrivingOperators();
  std::vector<std::unique_ptr<CustomOperator>> operators_;
  Ort::CustomOpDomain domain_{nullptr};
};

}  // namespace tarmac::onnxruntime
