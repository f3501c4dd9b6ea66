// What the tests of precision share: the engine for single nodes, samples, small tensors.
#pragma once

#include <cmath>
#include <memory>
#include <utility>

#include "precision/convert.h"
#include "support/graph_checks.h"
#include "tensor/codec.h"

namespace tarmac::test {

inline Target& engine() { return *expect_ok(find_target("onnxruntime")); }

class WithEngine : public testing::Test {
 protected:
  void SetUp() override {
    if (!engine().available()) GTEST_SKIP() << "ONNX Runtime is not built in";
  }
};

inline Tensor floats(const std::vector<float>& values) {
  return Tensor::from<float>({static_cast<std::int64_t>(values.size())}, values);
}

inline float rounded_to_bfloat16(float value) { return bfloat16_to_float(float_to_bfloat16(value)); }

/// The same samples again for each round.
inline DataFactory samples(std::vector<std::map<std::string, Tensor>> all) {
  const auto shared = std::make_shared<const std::vector<std::map<std::string, Tensor>>>(std::move(all));
  return [shared]() -> Result<BatchSource> {
    return BatchSource(
        [shared, at = std::size_t{0}]() mutable -> Result<std::optional<std::map<std::string, Tensor>>> {
          if (at == shared->size()) return std::optional<std::map<std::string, Tensor>>();
          return std::optional((*shared)[at++]);
        });
  };
}

inline std::size_t count_of(const Model& graph, const std::string& op_type) {
  std::size_t found = 0;
  for_each_node(*graph.graph, [&](const Node& node) { found += node.op_type == op_type ? 1 : 0; });
  return found;
}

}  // namespace tarmac::test
