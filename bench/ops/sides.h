// The usual sides of a benchmark. Each throws std::runtime_error where it cannot be made or does not run.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "ops/case.h"
#include "ops/operator.h"
#include "tarmac/tensor.h"

namespace tarmac::bench {

/// Our CPU kernel by itself, on kThreads threads. An empty Tensor stands for an input that is left out.
Side bare_kernel(const ops::Operator& op, const ops::Attributes& attributes, std::vector<Tensor> inputs);

/// A model on an engine ("openvino", "onnxruntime"), on kThreads threads.
Side compiled(std::string name, const Model& model, const std::string& target,
              const std::map<std::string, Tensor>& inputs);

/// A model of one node of the operator, for compiled(); its inputs are named as in the schema.
Model single_node_model(const ops::Operator& op, const ops::Attributes& attributes,
                        const std::vector<Tensor>& inputs);
std::map<std::string, Tensor> named_inputs(const ops::Operator& op, const std::vector<Tensor>& inputs);

/// A function of ours, e.g. the plain loop that a peer would write. On the calling thread.
Side function(std::string name, std::function<void()> body);

/// Uniform floats; the same for the same seed.
Tensor random_floats(const Shape& shape, float low, float high, unsigned seed);

template <typename T>
T value_of(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().str());
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

}  // namespace tarmac::bench
