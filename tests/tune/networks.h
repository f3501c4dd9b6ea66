// A small convolutional network, its calibrated ranges, and data, for the tests of this folder.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "graph/model_io.h"
#include "passes/infer_shapes.h"
#include "plan/cpu_features.h"
#include "precision/calibrate.h"
#include "precision/quantize.h"
#include "runtime/compile.h"
#include "runtime/inputs.h"
#include "support/expect.h"
#include "targets/target.h"
#include "tune/mixed_precision.h"

namespace tarmac::test {

/// Names of the targets that run here and compute.
inline std::vector<std::string> computing_targets() {
  std::vector<std::string> names;
  for (Target* target : all_targets()) {
    if (target->name() != "null" && target->available().ok()) names.push_back(target->name());
  }
  return names;
}

/// conv1 … conv5 with ReLU, conv3 with a residual addition behind it, then means over space and a Gemm.
/// Channels of what conv2 gives are scaled by powers of two from 1 to `spread`, conv3 scales them back: the
/// same function, but one scale for all channels keeps nothing of the small ones.
class NetworkBuilder {
 public:
  Model build(std::int64_t channels, std::int64_t size, float spread) {
    model_.ir_version = 8;
    model_.opsets[""] = 17;
    model_.graph = std::make_unique<Graph>();
    Graph& graph = *model_.graph;
    graph.name = "network";
    Value* x = &graph.add_input("x", type({Dim::named("batch"), Dim::of(3), Dim::of(size), Dim::of(size)}));
    std::vector<float> grow(static_cast<std::size_t>(channels));
    for (std::size_t i = 0; i < grow.size(); ++i) {
      const float share = static_cast<float>(i) / static_cast<float>(grow.size() - 1);
      grow[i] = std::exp2(std::round(share * std::log2(spread)));
    }
    std::vector<float> shrink(grow);
    for (float& factor : shrink) factor = 1 / factor;
    Value* first = conv("conv1", x, 3, channels, {}, {});
    Value* second = conv("conv2", first, channels, channels, grow, {});
    Value* third = conv("conv3", second, channels, channels, {}, shrink);
    Value* sum = &graph.add_op("Add", {third, first}, "sum");
    sum->producer()->name = "add";
    Value* fifth = conv("conv5", conv("conv4", sum, channels, channels, {}, {}), channels, channels, {}, {});
    Value* mean = &graph.add_op("GlobalAveragePool", {fifth}, "mean");
    mean->producer()->name = "pool";
    Value* flat = &graph.add_op("Flatten", {mean}, "flat");
    flat->producer()->name = "flatten";
    Value& weights = graph.add_initializer("gemm_w", weights_of({channels, 4}, 1 / std::sqrt(channels)));
    Value& scores = graph.add_op("Gemm", {flat, &weights}, "scores");
    scores.producer()->name = "gemm";
    scores.type = type({Dim::named("batch"), Dim::of(4)});
    graph.add_output(scores);
    expect_ok(infer_shapes(model_));
    return std::move(model_);
  }

 private:
  static Type type(std::vector<Dim> dims) { return Type::tensor(DType::kFloat32, std::move(dims)); }

  Tensor weights_of(const Shape& shape, double magnitude) {
    return expect_ok(random_tensor(DType::kFloat32, shape, ++seed_, ValueRange{-magnitude, magnitude}));
  }

  Value* conv(const std::string& name, Value* input, std::int64_t from, std::int64_t to,
              const std::vector<float>& by_output, const std::vector<float>& by_input) {
    Graph& graph = *model_.graph;
    Tensor weights = weights_of({to, from, 3, 3}, std::sqrt(2.0 / static_cast<double>(from)));
    const auto values = weights.mutable_data<float>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::size_t in = i / 9 % static_cast<std::size_t>(from);
      const std::size_t out = i / 9 / static_cast<std::size_t>(from);
      values[i] *= (by_output.empty() ? 1 : by_output[out]) * (by_input.empty() ? 1 : by_input[in]);
    }
    Value& stored = graph.add_initializer(name + "_w", weights);
    Value& sum = graph.add_op("Conv", {input, &stored}, name + "_sum");
    sum.producer()->name = name;
    sum.producer()->attributes.emplace("pads", std::vector<std::int64_t>{1, 1, 1, 1});
    Value& result = graph.add_op("Relu", {&sum}, name + "_out");
    result.producer()->name = name + "_relu";
    return &result;
  }

  Model model_;
  std::uint64_t seed_ = 0;
};

inline Model network(std::int64_t channels, std::int64_t size, float spread) {
  return NetworkBuilder().build(channels, size, spread);
}

inline std::vector<Batch> samples_for(const Model& model, std::size_t count) {
  std::vector<Batch> batches(count);
  for (std::size_t i = 0; i < count; ++i) {
    Shape shape = {1};
    for (std::size_t d = 1; d < 4; ++d) shape.push_back(*(*model.graph->inputs()[0]->type.shape)[d].size);
    batches[i].inputs["x"] = expect_ok(random_tensor(DType::kFloat32, shape, 1000 + i, ValueRange{-1, 1}));
    batches[i].items.resize(1);
  }
  return batches;
}

inline Ranges ranges_on(const Model& model, const FusionGroups& groups, const std::vector<Batch>& batches,
                        Target& target) {
  std::size_t next = 0;
  const CalibrationSource source = [&]() -> Result<std::optional<CalibrationBatch>> {
    if (next == batches.size()) return std::optional<CalibrationBatch>();
    return std::optional(calibration_batch(batches[next++]));
  };
  const auto found =
      expect_ok(calibrate(model, observed_values(model, groups), target, {}, source, no_progress()));
  return ranges_of(found.statistics, {});
}

/// A network and what is needed to quantise it for a target.
struct Prepared {
  Prepared(const std::string& target_name, Model network, std::size_t samples)
      : target(*expect_ok(find_target(target_name))),
        model(std::move(network)),
        batches(samples_for(model, samples)),
        groups(find_fusion_groups(model, target.fusion_rules())),
        ranges(ranges_on(model, groups, batches, target)) {}

  static QuantizeOptions options() {
    QuantizeOptions options;
    options.weight_bits = int8_weight_bits();
    return options;
  }

  [[nodiscard]] Model quantized() const {
    Model copy = clone_model(model);
    expect_ok(quantize_static(copy, groups, ranges, options()));
    return copy;
  }

  Target& target;
  Model model;
  std::vector<Batch> batches;
  FusionGroups groups;
  Ranges ranges;
};

}  // namespace tarmac::test
