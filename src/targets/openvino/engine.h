// OpenVINO's types inside this folder: element types and tensors over our memory.
#pragma once

#include <openvino/runtime/core.hpp>

#include "targets/common/bound_context.h"
#include "targets/common/engine_model.h"

namespace tarmac::openvino {

/// One per process; never destroyed, because the plugins' threads may outlive main().
ov::Core& core();

/// kUnsupported for types that OpenVINO lacks (complex, FNUZ 8-bit floats, 2-bit signed).
Result<ov::element::Type> to_engine(DType dtype);
/// kUndefined for types that ONNX lacks.
DType from_engine(const ov::element::Type& type);

/// A tensor over `tensor`'s own bytes; the caller keeps them alive. `shape` is working memory.
Result<ov::Tensor> borrow(const Tensor& tensor, ov::Shape& shape);
/// Our view of the engine's memory.
Result<Tensor> view_of(const ov::Tensor& tensor);

/// What compile() hands over.
struct Compiled {
  ov::CompiledModel model;
  std::shared_ptr<const ModelSignature> signature;
  NodeLabels labels;
  /// The engine's place of each input and output of the signature, set by make_executable().
  std::vector<std::size_t> input_ports;
  std::vector<std::size_t> output_ports;
  std::vector<std::string> notes;
  bool profile = false;
};

/// Errors: kUnsupported when the engine's inputs and outputs cannot be told apart.
Result<std::unique_ptr<Executable>> make_executable(Compiled compiled);

/// Times of the request's latest run, by ONNX node name: fused nodes are joined by " + ", helpers that the
/// engine inserted count for the node they feed.
std::vector<NodeTime> node_times(const ov::CompiledModel& model, const std::vector<ov::ProfilingInfo>& infos,
                                 const NodeLabels& labels);

}  // namespace tarmac::openvino
