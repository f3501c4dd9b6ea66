// What the tests of stored weights share: models with random weights, runs on real engines.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "passes/infer_shapes.h"
#include "support/graph_checks.h"
#include "targets/target.h"
#include "tensor/codec.h"

namespace tarmac::test {

using Tensors = std::map<std::string, Tensor>;

inline std::vector<float> normal_floats(std::size_t count, unsigned seed, float deviation = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

inline Tensor normal_tensor(const Shape& shape, unsigned seed, float deviation = 1) {
  return Tensor::from(shape, normal_floats(static_cast<std::size_t>(*element_count(shape)), seed, deviation));
}

/// The model of `text`, in which those inputs become stored weights.
inline Model with_weights(const std::string& text, const Tensors& weights) {
  Model found = model(text);
  for (const auto& [name, tensor] : weights) {
    Value& value = *found.graph->find(name);
    found.graph->set_initializer(value, tensor);
    found.graph->drop_input(value);
  }
  expect_ok(infer_shapes(found));
  return found;
}

inline std::vector<Target*> engines() {
  std::vector<Target*> found;
  for (const char* name : {"onnxruntime", "openvino"}) {
    Target* const target = expect_ok(find_target(name));
    if (target->available()) found.push_back(target);
  }
  return found;
}

/// Outputs by name.
inline Tensors run_on(Target& target, const Model& what, const Tensors& inputs,
                      const CompileOptions& options = {}) {
  const auto executable = expect_ok(target.compile(what, options, no_progress()));
  const auto context = expect_ok(executable->create_context());
  for (const auto& [name, tensor] : inputs) expect_ok(context->set_input(name, tensor));
  expect_ok(context->run());
  Tensors outputs;
  for (const TensorInfo& output : executable->outputs())
    outputs.emplace(output.name, expect_ok(expect_ok(context->output(output.name)).clone()));
  return outputs;
}

/// The kernels that ONNX Runtime runs the model with, after its own rewriting.
inline std::multiset<std::string> kernels(const Model& what, const Tensors& inputs) {
  CompileOptions options;
  options.profile = true;
  const auto executable =
      expect_ok(expect_ok(find_target("onnxruntime"))->compile(what, options, no_progress()));
  const auto context = expect_ok(executable->create_context());
  for (const auto& [name, tensor] : inputs) expect_ok(context->set_input(name, tensor));
  expect_ok(context->run());
  std::multiset<std::string> found;
  for (const NodeTime& time : expect_ok(context->profile()))
    found.insert(time.kernel.substr(0, time.kernel.find(' ')));
  return found;
}

/// ‖a − b‖ / ‖b‖
inline double distance(const Tensor& a, const Tensor& b) {
  const auto left = expect_ok(to_doubles(a));
  const auto right = expect_ok(to_doubles(b));
  EXPECT_EQ(left.size(), right.size());
  double difference = 0;
  double norm = 0;
  for (std::size_t i = 0; i < std::min(left.size(), right.size()); ++i) {
    difference += (left[i] - right[i]) * (left[i] - right[i]);
    norm += right[i] * right[i];
  }
  return std::sqrt(difference / std::max(norm, 1e-30));
}

inline std::size_t count_ops(const Model& graph, const std::string& op_type) {
  std::size_t found = 0;
  for_each_node(*graph.graph, [&](const Node& node) { found += node.op_type == op_type ? 1 : 0; });
  return found;
}

inline Node* find_op(const Model& graph, const std::string& op_type) {
  for (const auto& node : graph.graph->nodes()) {
    if (node->op_type == op_type) return node.get();
  }
  return nullptr;
}

}  // namespace tarmac::test
