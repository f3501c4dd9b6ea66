#include "precision/activation_aware.h"

#include "precision/quantize_weights.h"
#include "precision/stored_weights_harness.h"

namespace tarmac::test {
namespace {

constexpr std::int64_t kChannels = 64;

/// Rows whose channels differ in size by up to 100.
Tensor uneven_rows(std::int64_t rows, unsigned seed) {
  auto values = normal_floats(static_cast<std::size_t>(rows * kChannels), seed);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] *= i % kChannels < 4 ? 30.0F : 0.3F;
  return Tensor::from({rows, kChannels}, values);
}

CalibrationSource batches(std::vector<Tensor> tensors, std::size_t fill = 0) {
  return [tensors = std::move(tensors), at = std::size_t{0},
          fill]() mutable -> Result<std::optional<CalibrationBatch>> {
    if (at == tensors.size()) return std::optional<CalibrationBatch>();
    CalibrationBatch batch;
    batch.size = static_cast<std::size_t>(tensors[at].shape()[0]);
    batch.samples = batch.size - fill;
    batch.inputs.emplace("x", tensors[at++]);
    return std::optional(std::move(batch));
  };
}

Target& engine() { return *expect_ok(find_target("onnxruntime")); }

class ActivationAware : public testing::Test {
 protected:
  void SetUp() override {
    if (!engine().available()) GTEST_SKIP() << "ONNX Runtime is not built in";
  }

  static ActivationProfiles profiles(const Model& graph) {
    return expect_ok(profile_activations(graph, activations_of_products(graph), engine(), {},
                                         batches({uneven_rows(40, 1), uneven_rows(60, 2)}), no_progress()));
  }

  /// Quantises with and without profiles, and compares both with the float model on rows that were not seen.
  static std::vector<RewrittenNode> expect_better(const Model& before, Model& aware) {
    const ActivationProfiles seen = profiles(before);
    Model nearest = clone_model(before);
    WeightOptions options;
    options.bits = 4;
    expect_ok(quantize_weights(nearest, options));
    options.activations = &seen;
    aware = clone_model(before);
    auto report = expect_ok(quantize_weights(aware, options));
    expect_consistent(aware);
    expect_ok(verify_model(aware));
    const Tensors inputs = {{"x", uneven_rows(50, 3)}};
    for (Target* target : engines()) {
      const Tensor expected = run_on(*target, before, inputs)["y"];
      EXPECT_LT(distance(run_on(*target, aware, inputs)["y"], expected),
                0.8 * distance(run_on(*target, nearest, inputs)["y"], expected))
          << target->name();
    }
    return report;
  }
};

TEST_F(ActivationAware, ProfilesCountEveryRowButKeepABoundedSample) {
  const Model graph = with_weights(
      R"(<ir_version: 10, opset_import: ["" : 21]> g (float[N,2] x, float[2,3] w) => (float[N,3] y) {
        a = Abs (x) y = MatMul (a, w) })",
      {{"w", normal_tensor({2, 3}, 1)}});
  std::vector<float> rows;
  for (int i = 0; i < 200; ++i) rows.insert(rows.end(), {i % 2 == 0 ? 1.0F : -1.0F, -3.0F});
  const auto found = expect_ok(profile_activations(
      graph, {"a", "x"}, engine(), {}, batches({Tensor::from({200, 2}, rows)}, 50), no_progress()));
  const ActivationProfile& profile = found.at("a");
  EXPECT_EQ(profile.count, 150U);
  EXPECT_DOUBLE_EQ(profile.mean_abs[1], 3.0);
  EXPECT_DOUBLE_EQ(profile.mean_square[1], 9.0);
  EXPECT_EQ(profile.rows.size(), kProfiledRows * 2);
  EXPECT_EQ(found.at("x").rows[1], -3.0F);
}

TEST_F(ActivationAware, BeatsRoundingToNearestAndPutsTheScalesIntoAMulBehindAnInput) {
  const Model before = with_weights(
      R"(<ir_version: 10, opset_import: ["" : 21]> g (float[N,64] x, float[64,48] w) => (float[N,48] y) {
        y = MatMul (x, w) })",
      {{"w", normal_tensor({kChannels, 48}, 5)}});
  Model aware;
  const auto report = expect_better(before, aware);
  EXPECT_EQ(count_ops(aware, "Mul"), 1U);
  EXPECT_THAT(report[0].became, testing::HasSubstr("in a Mul"));
  EXPECT_LT(*report[0].error, 0.8 * *report[0].nearest_error);
}

TEST_F(ActivationAware, PutsTheScalesIntoTheNormalisationBefore) {
  auto gain = std::vector<float>(kChannels, 0.2F);
  gain[7] = gain[20] = 25.0F;
  const Model before = with_weights(
      R"(<ir_version: 10, opset_import: ["" : 21]> g (float[N,64] x, float[64] gain, float[64] shift, float[64,32] q,
        float[64,32] k) => (float[N,32] y) {
        n = LayerNormalization <axis: int = -1> (x, gain, shift) a = MatMul (n, q) b = MatMul (n, k) y = Add (a, b) })",
      {{"gain", Tensor::from({kChannels}, gain)},
       {"shift", normal_tensor({kChannels}, 2, 0.1F)},
       {"q", normal_tensor({kChannels, 32}, 3)},
       {"k", normal_tensor({kChannels, 32}, 4)}});
  Model aware;
  const auto report = expect_better(before, aware);
  EXPECT_EQ(count_ops(aware, "Mul"), 0U);
  for (const RewrittenNode& row : report)
    EXPECT_THAT(row.became, testing::HasSubstr("in the weights before"));
}

TEST_F(ActivationAware, PutsTheScalesThroughReluAndBiasIntoTheProductBefore) {
  auto wide = normal_floats(kChannels * kChannels, 3, 0.1F);
  for (std::size_t i = 0; i < wide.size(); ++i) wide[i] *= i % kChannels % 16 == 3 ? 40.0F : 1.0F;
  const Model before = with_weights(
      R"(<ir_version: 10, opset_import: ["" : 21]> g (float[N,64] x, float[64,64] a, float[64] bias, float[40,64] b)
        => (float[N,40] y) { p = MatMul (x, a) q = Add (p, bias) r = Relu (q) y = Gemm <transB: int = 1> (r, b) })",
      {{"a", Tensor::from({kChannels, kChannels}, wide)},
       {"bias", normal_tensor({kChannels}, 4)},
       {"b", normal_tensor({40, kChannels}, 5)}});
  Model aware;
  const auto report = expect_better(before, aware);
  EXPECT_THAT(report[1].became, testing::HasSubstr("in the weights before"));
}

TEST_F(ActivationAware, WeightsOfTwoActivationsAreNotScaled) {
  Model graph = with_weights(
      R"(<ir_version: 10, opset_import: ["" : 21]> g (float[N,64] x, float[64,64] w) => (float[N,64] y) {
        p = MatMul (x, w) y = MatMul (p, w) })",
      {{"w", normal_tensor({kChannels, kChannels}, 5)}});
  const ActivationProfiles seen = profiles(graph);
  WeightOptions options;
  options.bits = 4;
  options.activations = &seen;
  const auto report = expect_ok(quantize_weights(graph, options));
  expect_ok(verify_model(graph));
  EXPECT_EQ(count_ops(graph, "Mul"), 0U);
  for (const RewrittenNode& row : report) EXPECT_EQ(row.became, "uint4 weights in blocks of 32");
  EXPECT_EQ(graph.graph->initializers().size(), 3U);
}

TEST_F(ActivationAware, RefusesBadDataByName) {
  const Model graph = with_weights(
      R"(<ir_version: 10, opset_import: ["" : 21]> g (float[N,64] x, float[64,16] w) => (float[N,16] y) {
        a = Sqrt (x) y = MatMul (a, w) })",
      {{"w", normal_tensor({kChannels, 16}, 5)}});
  const auto names = activations_of_products(graph);
  EXPECT_THAT(names, testing::ElementsAre("a"));
  expect_error(profile_activations(graph, names, engine(), {}, batches({uneven_rows(2, 1)}), no_progress()),
               ErrorCode::kInvalidInput, "'a'");
  expect_error(profile_activations(graph, names, engine(), {}, batches({}), no_progress()),
               ErrorCode::kInvalidInput, "no calibration data");
  expect_error(profile_activations(graph, {"b"}, engine(), {}, batches({}), no_progress()),
               ErrorCode::kNotFound, "'b'");
}

}  // namespace
}  // namespace tarmac::test
