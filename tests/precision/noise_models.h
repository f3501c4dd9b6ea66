// Models and inputs of random numbers, the same on every machine.
#pragma once

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "passes/infer_shapes.h"
#include "precision/fusion_groups.h"
#include "precision/sample_set.h"
#include "support/graph_checks.h"
#include "targets/target.h"

namespace tarmac::test {

inline Target& engine(const char* name = "onnxruntime") { return *expect_ok(find_target(name)); }

/// Skips where there is no engine to run models on.
class OnEngine : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"onnxruntime", "openvino"}) {
      if (!engine(name).available()) GTEST_SKIP() << name << " is not built in";
    }
  }
};

inline Tensor noise(const Shape& shape, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> values(static_cast<std::size_t>(expect_ok(element_count(shape))));
  // About normal, by hand: <random>'s distributions differ between libraries.
  for (float& value : values) {
    for (int i = 0; i < 4; ++i) value += static_cast<float>(random() % 2048) / 1024.0F - 1;
  }
  return Tensor::from(shape, values);
}

/// The model with its inputs of these names as weights of random numbers.
inline Model with_weights(const std::string& text,
                          const std::vector<std::pair<const char*, Shape>>& weights) {
  Model found = model(text);
  unsigned seed = 1;
  for (const auto& [name, shape] : weights) {
    Value* value = found.graph->find(name);
    found.graph->drop_input(*value);
    found.graph->set_initializer(*value, noise(shape, seed++));
  }
  expect_ok(infer_shapes(found));
  return found;
}

/// One batch of one sample each, for an input "x".
inline SampleSet noise_samples(const Shape& shape, std::size_t count, unsigned seed) {
  SampleSet samples;
  for (std::size_t i = 0; i < count; ++i)
    samples.push_back({{{"x", noise(shape, seed + static_cast<unsigned>(i))}}, 1, 1, false});
  return samples;
}

inline FusionGroups groups_of(const Model& model) {
  return find_fusion_groups(model, engine("openvino").fusion_rules());
}

inline double noise_of(const Model& reference, const Model& other, const SampleSet& samples) {
  return expect_ok(
      expect_ok(OutputNoise::open(reference, engine("openvino"), {}, samples, no_progress()))->of(other));
}

inline std::vector<float> floats_of(const Model& model, const char* node, std::size_t input) {
  for (const auto& candidate : model.graph->nodes()) {
    if (candidate->label() != node || candidate->input(input) == nullptr) continue;
    const auto values = constant_of(candidate->input(input))->data<float>();
    return {values.begin(), values.end()};
  }
  return {};
}

}  // namespace tarmac::test
