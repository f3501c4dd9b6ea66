#include "precision/to_qoperator.h"

#include "plan/cpu_features.h"
#include "precision/calibrate.h"
#include "precision/quantize.h"
#include "precision/stored_weights_harness.h"

namespace tarmac::test {
namespace {

Target& engine() { return *expect_ok(find_target("onnxruntime")); }

/// What quantize_static makes for ONNX Runtime, calibrated on these inputs.
Model quantized(const Model& before, const Tensors& inputs, ActivationForm form) {
  Model graph = clone_model(before);
  const FusionGroups groups = find_fusion_groups(graph, engine().fusion_rules());
  const CalibrationSource once = [inputs, done = false]() mutable -> Result<std::optional<CalibrationBatch>> {
    if (std::exchange(done, true)) return std::optional<CalibrationBatch>();
    return std::optional(CalibrationBatch{inputs, 1, 1});
  };
  const auto seen =
      expect_ok(calibrate(graph, observed_values(graph, groups), engine(), {}, once, no_progress()));
  QuantizeOptions options;
  options.activations = form;
  options.weight_bits = int8_weight_bits();
  expect_ok(quantize_static(graph, groups, ranges_of(seen.statistics, {}), options));
  expect_ok(infer_shapes(graph));
  return graph;
}

class ToQOperator : public testing::TestWithParam<ActivationForm> {
 protected:
  void SetUp() override {
    if (!engine().available()) GTEST_SKIP() << "ONNX Runtime is not built in";
  }

  /// Converts, and compares with the Q/DQ model as ONNX Runtime computes it node by node. Steps of the last
  /// rounding that results may lie apart: `steps`.
  static Model expect_same(const Model& qdq, const Tensors& inputs, double step, int steps) {
    Model converted = clone_model(qdq);
    report = expect_ok(to_qoperator(converted));
    expect_consistent(converted);
    expect_ok(verify_model(converted));
    CompileOptions plain;
    plain.engine_optimizations = false;
    const Tensor expected = run_on(engine(), qdq, inputs, plain)["y"];
    const Tensor found = run_on(engine(), converted, inputs)["y"];
    const auto a = expect_ok(to_doubles(expected));
    const auto b = expect_ok(to_doubles(found));
    EXPECT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
      EXPECT_NEAR(a[i], b[i], (steps + 0.01) * step) << i;
    return converted;
  }

  static double last_step(const Model& graph) {
    double step = 0;
    for (const auto& node : graph.graph->nodes()) {
      if (node->is("QuantizeLinear"))
        step = static_cast<double>(expect_ok(to_floats(*constant_of(node->input(1))))[0]);
    }
    return step;
  }

  static std::vector<RewrittenNode> report;
};
std::vector<RewrittenNode> ToQOperator::report;

INSTANTIATE_TEST_SUITE_P(Forms, ToQOperator,
                         testing::Values(ActivationForm::kAsymmetric, ActivationForm::kSigned),
                         [](const auto& form) {
                           return form.param == ActivationForm::kAsymmetric ? "Asymmetric" : "Signed";
                         });

TEST_P(ToQOperator, OneConvolutionIsWithinOneStep) {
  const Model before = with_weights(
      R"(<ir_version: 7, opset_import: ["" : 13]> g (float[1,4,9,9] x, float[8,4,3,3] w, float[8] b)
        => (float[1,8,5,5] y) { y = Conv <strides: ints = [2,2], pads: ints = [1,1,1,1]> (x, w, b) })",
      {{"w", normal_tensor({8, 4, 3, 3}, 1)}, {"b", normal_tensor({8}, 2)}});
  const Tensors inputs = {{"x", normal_tensor({1, 4, 9, 9}, 3)}};
  const Model qdq = quantized(before, inputs, GetParam());
  const Model converted = expect_same(qdq, inputs, last_step(qdq), 1);
  EXPECT_EQ(count_ops(converted, "QLinearConv"), 1U);
  EXPECT_EQ(count_ops(converted, "Conv"), 0U);
}

TEST_P(ToQOperator, AResidualNetworkHasNoFloatNodeInside) {
  const Model before = with_weights(
      R"(<ir_version: 7, opset_import: ["" : 13]> g (float[1,8,12,12] x, float[8,8,3,3] a, float[8,8,1,1] b, float[8] c,
        float[8,1,3,3] d, float[10,16] e, float[10] f) => (float[1,10] y) {
        p = Conv <pads: ints = [1,1,1,1]> (x, a, c) q = Relu (p)
        r = Conv (q, b, c) s = Add (r, q) t = Relu (s)
        u = MaxPool <kernel_shape: ints = [2,2], strides: ints = [2,2]> (t)
        v = Conv <pads: ints = [1,1,1,1], group: int = 8> (u, d) w = Relu (v)
        j = AveragePool <kernel_shape: ints = [3,3], pads: ints = [1,1,1,1], strides: ints = [1,1]> (w)
        k = Conv (j, b, c)
        l = Concat <axis: int = 1> (k, j)
        m = GlobalAveragePool (l) n = Flatten (m) y = Gemm <transB: int = 1> (n, e, f) })",
      {{"a", normal_tensor({8, 8, 3, 3}, 1, 0.2F)},
       {"b", normal_tensor({8, 8, 1, 1}, 2, 0.3F)},
       {"c", normal_tensor({8}, 3, 0.3F)},
       {"d", normal_tensor({8, 1, 3, 3}, 4, 0.3F)},
       {"e", normal_tensor({10, 16}, 5)},
       {"f", normal_tensor({10}, 6)}});
  const Tensors inputs = {{"x", normal_tensor({1, 8, 12, 12}, 7)}};
  const Model qdq = quantized(before, inputs, GetParam());
  // A step here and there adds up over eight roundings.
  const Model converted = expect_same(qdq, inputs, last_step(qdq), 3);
  if (GetParam() == ActivationForm::kAsymmetric) {
    for (const RewrittenNode& row : report) EXPECT_EQ(row.reason, "") << row.node << ' ' << row.op_type;
  }
  EXPECT_EQ(count_ops(converted, "QLinearAveragePool"), count_ops(qdq, "AveragePool"));
  EXPECT_EQ(count_ops(converted, "QGemm"), 1U);
  if (GetParam() == ActivationForm::kAsymmetric) {
    EXPECT_EQ(count_ops(converted, "QLinearConv"), 4U);
    EXPECT_EQ(count_ops(converted, "QLinearAdd"), 1U);
    EXPECT_EQ(count_ops(converted, "Relu"), 0U);
  }
}

TEST_P(ToQOperator, ProductsOfMatrices) {
  const Model before = with_weights(
      R"(<ir_version: 7, opset_import: ["" : 13]> g (float[2,3,32] x, float[32,24] a, float[24,16] b) => (float[2,3,16] y) {
        p = MatMul (x, a) y = MatMul (p, b) })",
      {{"a", normal_tensor({32, 24}, 1)}, {"b", normal_tensor({24, 16}, 2)}});
  const Tensors inputs = {{"x", normal_tensor({2, 3, 32}, 7)}};
  const Model qdq = quantized(before, inputs, GetParam());
  const Model converted = expect_same(qdq, inputs, last_step(qdq), 2);
  EXPECT_EQ(count_ops(converted, "QLinearMatMul") + count_ops(converted, "MatMulIntegerToFloat"), 2U);
}

/// x → rounding → `node` → rounding → y.
Model between_roundings(const std::string& node, const std::string& more = {}, float result_scale = 0.02F) {
  return with_weights(R"(<ir_version: 7, opset_import: ["" : 13]>
    g (float[1,4,4,4] x, float s, uint8 z, float t)" +
                          more +
                          R"() => (float[1,C,H,W] y) {
      q = QuantizeLinear (x, s, z) d = DequantizeLinear (q, s, z) )" +
                          node + R"( r = QuantizeLinear (o, t, z) y = DequantizeLinear (r, t, z) })",
                      {{"s", Tensor::from<float>({}, std::vector{0.02F})},
                       {"z", Tensor::from<std::uint8_t>({}, std::vector<std::uint8_t>{128})},
                       {"t", Tensor::from<float>({}, std::vector{result_scale})}});
}

class ToQOperatorNode : public ToQOperator {};
INSTANTIATE_TEST_SUITE_P(Forms, ToQOperatorNode, testing::Values(ActivationForm::kAsymmetric));

TEST_P(ToQOperatorNode, ElementwiseAndPoolingOperators) {
  const Tensors inputs = {{"x", normal_tensor({1, 4, 4, 4}, 7)}};
  for (const auto& [node, made] : std::vector<std::pair<std::string, std::string>>{
           {"o = Sigmoid (d)", "QLinearSigmoid"},
           {"o = LeakyRelu <alpha: float = 0.1> (d)", "QLinearLeakyRelu"},
           {"o = Mul (d, d)", "QLinearMul"},
           {"o = Add (d, d)", "QLinearAdd"},
           {"o = GlobalAveragePool (d)", "QLinearGlobalAveragePool"},
           {"o = AveragePool <kernel_shape: ints = [2,2], ceil_mode: int = 1> (d)", "QLinearAveragePool"},
           {"o = Concat <axis: int = 1> (d, d)", "QLinearConcat"},
           {"o = Transpose <perm: ints = [0,1,3,2]> (d)", "Transpose"},
           {"o = MaxPool <kernel_shape: ints = [2,2]> (d)", "MaxPool"}}) {
    SCOPED_TRACE(node);
    const Model converted = expect_same(between_roundings(node), inputs, 0.02, 1);
    EXPECT_EQ(count_ops(converted, made), 1U);
    EXPECT_EQ(count_ops(converted, "QuantizeLinear"), 1U);
    EXPECT_EQ(count_ops(converted, "DequantizeLinear"), 1U);
    ASSERT_EQ(report.size(), 1U);
    EXPECT_EQ(report[0].reason, "");
  }
}

TEST_P(ToQOperatorNode, WhatHasNoSuchFormStaysWithTheReason) {
  const Tensors inputs = {{"x", normal_tensor({1, 4, 4, 4}, 7)}};
  const auto expect_reason = [&](const Model& qdq, const std::string& reason) {
    const Model converted = expect_same(qdq, inputs, 0.02, 0);
    ASSERT_EQ(report.size(), 1U);
    EXPECT_EQ(report[0].became, "");
    EXPECT_THAT(report[0].reason, testing::HasSubstr(reason));
    EXPECT_EQ(converted.graph->nodes().size(), qdq.graph->nodes().size());
  };
  // The zero point of the result is 128: its integers reach below 0.
  expect_reason(between_roundings("a = Add (d, d) o = Relu (a)"), "does not imply the Relu");
  expect_reason(between_roundings("o = MaxPool <kernel_shape: ints = [2,2]> (d)", {}, 0.03F), "differently");
  expect_reason(between_roundings("a = Sigmoid (d) o = Mul (a, a)"), "read in float");
  expect_reason(between_roundings("o = Add (d, x)"), "not rounded");
}

TEST(QOperator, IsForOnnxRuntime) {
  EXPECT_EQ(qoperator_obstacle("onnxruntime"), "");
  EXPECT_THAT(qoperator_obstacle("openvino"), testing::HasSubstr("Q/DQ"));
  Model old =
      model(R"(<ir_version: 4, opset_import: ["" : 9]> g (float[2] x) => (float[2] y) { y = Relu (x) })");
  expect_error(to_qoperator(old), ErrorCode::kUnsupported, "opset 9");
}

}  // namespace
}  // namespace tarmac::test
