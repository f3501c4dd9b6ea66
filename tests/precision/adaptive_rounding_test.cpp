#include "precision/adaptive_rounding.h"

#include <cmath>
#include <random>

#include "passes/infer_shapes.h"
#include "precision/gram.h"
#include "precision/quantize_weights.h"
#include "precision/second_moments.h"
#include "support/graph_checks.h"

namespace tarmac::test {
namespace {

constexpr std::int64_t kSize = 12;

/// Neighbouring numbers are alike, as in pictures.
Tensor smooth_picture(std::int64_t channels, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> values(0, 1);
  std::vector<float> data;
  for (std::int64_t c = 0; c < channels; ++c) {
    const float level = values(random);
    const float slope = values(random) - 0.5F;
    for (std::int64_t i = 0; i < kSize * kSize; ++i)
      data.push_back(level + slope * static_cast<float>(i % kSize) / kSize + 0.05F * values(random));
  }
  return Tensor::from({1, channels, kSize, kSize}, data);
}

OpenSamples pictures(std::int64_t channels, std::uint32_t first_seed, std::uint32_t count) {
  return [=]() -> Result<CalibrationSource> {
    return CalibrationSource([=, i = first_seed]() mutable -> Result<std::optional<CalibrationBatch>> {
      if (i == first_seed + count) return std::optional<CalibrationBatch>();
      CalibrationBatch batch;
      batch.inputs["x"] = smooth_picture(channels, i++);
      batch.samples = batch.size = 1;
      return std::optional(std::move(batch));
    });
  };
}

/// y = node(x) with random weights of this shape in the initializer w.
Model with_weights(const std::string& node, const Shape& shape, std::int64_t channels) {
  Model graph = model(R"(<ir_version: 8, opset_import: ["" : 17]> g (float[1,)" + std::to_string(channels) +
                      R"(,12,12] x) => (float y) <float[1] w = {0}> {)" + node + "}");
  std::mt19937 random(7);
  std::normal_distribution<float> values;
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  std::vector<float> weights(static_cast<std::size_t>(count));
  for (float& weight : weights) weight = values(random);
  graph.graph->set_initializer(*graph.graph->find("w"), Tensor::from(shape, weights));
  graph.graph->find("w")->type = Type::tensor(DType::kFloat32, shape);
  expect_ok(infer_shapes(graph));
  return graph;
}

Target& engine() { return *all_targets().front(); }

FusionGroups groups_of(const Model& graph) {
  FusionRules rules;
  rules.weighted = {"Conv", "Gemm", "MatMul"};
  return find_fusion_groups(graph, rules);
}

/// Σ (a − r)² of the outputs on pictures that nothing was fitted to.
double error_of(const Model& reference, const Model& other, std::int64_t channels) {
  const auto run = [&](const Model& graph, const Tensor& x) {
    const auto executable = expect_ok(engine().compile(graph, {}, no_progress()));
    const auto context = expect_ok(executable->create_context());
    expect_ok(context->set_input("x", x));
    expect_ok(context->run());
    return expect_ok(expect_ok(context->output("y")).clone());
  };
  double sum = 0;
  for (std::uint32_t seed = 1000; seed < 1004; ++seed) {
    const Tensor x = smooth_picture(channels, seed);
    const Tensor a = run(other, x);
    const Tensor r = run(reference, x);
    for (std::size_t i = 0; i < r.data<float>().size(); ++i)
      sum += std::pow(static_cast<double>(a.data<float>()[i]) - static_cast<double>(r.data<float>()[i]), 2);
  }
  return sum;
}

/// With the weights as int8 and back, in float otherwise.
Model stored(const Model& graph) {
  Model copy = clone_model(graph);
  expect_ok(quantize_weights(copy, {}));
  return copy;
}

void expect_less_error(const std::string& node, const Shape& shape, std::int64_t channels) {
  const Model graph = with_weights(node, shape, channels);
  Model rounded = clone_model(graph);
  const auto changes = expect_ok(
      round_adaptively(rounded, groups_of(rounded), engine(), {}, pictures(channels, 1, 16), no_progress()));
  ASSERT_EQ(changes.size(), 1U) << node;
  expect_consistent(rounded);
  EXPECT_LT(error_of(graph, stored(rounded), channels), error_of(graph, stored(graph), channels)) << node;
}

TEST(AdaptiveRounding, LowersTheErrorOfResultsOnPicturesItHasNotSeen) {
  if (!engine().available()) GTEST_SKIP() << "no engine";
  expect_less_error("y = Conv <pads = [1,1,1,1]> (x, w)", {8, 4, 3, 3}, 4);
  expect_less_error("y = Conv <group = 4, pads = [1,1,1,1], strides = [2,2]> (x, w)", {4, 1, 3, 3}, 4);
  expect_less_error("y = Conv <group = 2, dilations = [2,2]> (x, w)", {6, 2, 3, 3}, 4);
  expect_less_error("y = Conv (x, w)", {16, 4, 1, 1}, 4);
}

TEST(AdaptiveRounding, LeavesWeightsThatAreStoredExactly) {
  if (!engine().available()) GTEST_SKIP() << "no engine";
  const Model graph = with_weights("y = Conv <pads = [1,1,1,1]> (x, w)", {8, 4, 3, 3}, 4);
  Model rounded = clone_model(graph);
  expect_ok(round_adaptively(rounded, groups_of(rounded), engine(), {}, pictures(4, 1, 4), no_progress()));
  EXPECT_LT(error_of(rounded, stored(rounded), 4), 1e-8);
}

TEST(AdaptiveRounding, TakesTheMeanOfTheErrorIntoTheBias) {
  if (!engine().available()) GTEST_SKIP() << "no engine";
  Model graph = with_weights("y = Conv (x, w)", {16, 4, 1, 1}, 4);
  expect_ok(round_adaptively(graph, groups_of(graph), engine(), {}, pictures(4, 1, 4), no_progress()));
  EXPECT_EQ(graph.graph->nodes().front()->inputs().size(), 3U);
}

TEST(AdaptiveRounding, LeavesWeightsThatSeveralNodesRead) {
  Model graph = with_weights("a = Conv (x, w) y = Conv (a, w)", {4, 4, 1, 1}, 4);
  EXPECT_TRUE(
      expect_ok(round_adaptively(graph, groups_of(graph), engine(), {}, pictures(4, 1, 1), no_progress()))
          .empty());
}

TEST(AdaptiveRounding, RefusesWeightsThatAreNotFinite) {
  if (!engine().available()) GTEST_SKIP() << "no engine";
  Model graph = with_weights("y = Conv (x, w)", {1, 4, 1, 1}, 4);
  graph.graph->set_initializer(*graph.graph->find("w"),
                               Tensor::from<float>({1, 4, 1, 1}, std::vector<float>{1, NAN, 0, 1}));
  expect_error(round_adaptively(graph, groups_of(graph), engine(), {}, pictures(4, 1, 1), no_progress()),
               ErrorCode::kInvalidInput, "NaN");
}

TEST(SecondMoments, AreThoseOfTheWindowsThatAConvolutionSees) {
  const Model graph = with_weights("y = Conv <pads = [1,0,1,0]> (x, w)", {1, 2, 3, 1}, 2);
  auto moments = SecondMoments::create(*graph.graph->nodes().front());
  ASSERT_TRUE(moments);
  const Tensor x = smooth_picture(2, 3);
  ASSERT_TRUE(moments->add(x, 1, kSize * kSize));
  ASSERT_EQ(moments->count(), static_cast<std::size_t>(kSize * kSize));
  std::vector<double> expected(36, 0.0);
  for (std::int64_t y = 0; y < kSize; ++y) {
    for (std::int64_t column = 0; column < kSize; ++column) {
      std::vector<double> window;
      for (std::int64_t c = 0; c < 2; ++c) {
        for (std::int64_t k = -1; k <= 1; ++k) {
          const bool inside = y + k >= 0 && y + k < kSize;
          const auto at = static_cast<std::size_t>((c * kSize + y + k) * kSize + column);
          window.push_back(inside ? static_cast<double>(x.data<float>()[at]) : 0.0);
        }
      }
      for (std::size_t i = 0; i < 6; ++i) {
        for (std::size_t j = 0; j < 6; ++j) expected[i * 6 + j] += window[i] * window[j];
      }
    }
  }
  for (std::size_t i = 0; i < 36; ++i)
    EXPECT_NEAR(static_cast<double>(moments->blocks()[0].products[i]), expected[i], 1e-3 * expected[i]);
}

TEST(Gram, IsTheProductOfTheRowsForEverySize) {
  std::mt19937 random(1);
  std::normal_distribution<float> values;
  for (const std::size_t columns : {1UL, 3UL, 16UL, 37UL, 70UL}) {
    std::vector<float> rows(5 * (columns + 2));
    for (float& value : rows) value = values(random);
    std::vector<float> gram(columns * columns, 1.0F);
    add_gram(rows.data(), 5, columns + 2, columns, gram.data());
    for (std::size_t i = 0; i < columns; ++i) {
      for (std::size_t j = 0; j < columns; ++j) {
        float expected = 1;
        for (std::size_t r = 0; r < 5; ++r)
          expected += rows[r * (columns + 2) + i] * rows[r * (columns + 2) + j];
        EXPECT_NEAR(gram[i * columns + j], expected, 1e-4F);
      }
    }
  }
}

}  // namespace
}  // namespace tarmac::test
