#include "plan/cpu_features.h"
#include "precision/quantize_dynamic.h"
#include "precision/stored_weights_harness.h"

namespace tarmac::test {
namespace {

Model two_products(int opset = 13) {
  auto wide = normal_floats(48 * 24, 1);
  for (std::size_t i = 0; i < wide.size(); i += 24) wide[i] = 0;  // a column of zeros
  return with_weights("<ir_version: 7, opset_import: [\"\" : " + std::to_string(opset) + R"(]>
    g (float[N,48] x, float[48,24] a, float[48] unused, float[10,24] b, float[10] bias) => (float[N,10] y, float[N,24] p) {
      p = MatMul (x, a) q = Relu (p) y = Gemm <transB: int = 1> (q, b, bias) })",
                      {{"a", Tensor::from({48, 24}, wide)},
                       {"unused", normal_tensor({48}, 1)},
                       {"b", normal_tensor({10, 24}, 2)},
                       {"bias", normal_tensor({10}, 3)}});
}

TEST(QuantizeDynamic, StaysNearTheFloatModelOnEveryEngine) {
  const Model before = two_products();
  Model after = clone_model(before);
  DynamicOptions options;
  options.weight_bits = int8_weight_bits();
  const auto report = expect_ok(quantize_dynamic(after, options));
  expect_consistent(after);
  expect_ok(verify_model(after));
  ASSERT_EQ(report.size(), 2U);
  EXPECT_EQ(report[0].float_bytes, 48U * 24 * 4);
  EXPECT_EQ(report[0].stored_bytes, 48U * 24 + 24 * 4);
  EXPECT_EQ(count_ops(after, "MatMulInteger"), 2U);
  EXPECT_EQ(count_ops(after, "Gemm") + count_ops(after, "MatMul"), 0U);
  const Tensors inputs = {{"x", normal_tensor({5, 48}, 8)}};
  for (Target* target : engines()) {
    Tensors found = run_on(*target, after, inputs);
    Tensors expected = run_on(*target, before, inputs);
    for (const char* name : {"y", "p"})
      EXPECT_LT(distance(found[name], expected[name]), 0.02) << target->name();
    EXPECT_EQ(found["p"].data<float>()[0], 0.0F);
  }
}

TEST(QuantizeDynamic, OnnxRuntimeFusesIt) {
  if (!expect_ok(find_target("onnxruntime"))->available()) GTEST_SKIP() << "ONNX Runtime is not built in";
  for (const int opset : {13, 21}) {
    Model after = two_products(opset);
    expect_ok(quantize_dynamic(after));
    const auto found = kernels(after, {{"x", normal_tensor({5, 48}, 8)}});
    EXPECT_EQ(found.count("DynamicQuantizeMatMul"), 2U) << opset;
    EXPECT_EQ(found.count("MatMulInteger"), 0U) << opset;
  }
}

TEST(QuantizeDynamic, AnActivationThatSeveralProductsReadIsRoundedOnce) {
  Model graph = with_weights(
      R"(<ir_version: 7, opset_import: ["" : 13]> g (float[N,T,16] x, float[16,8] a, float[16,8] b) => (float[N,T,8] y) {
        p = MatMul (x, a) q = MatMul (x, b) r = MatMul (x, a) s = Add (p, q) y = Mul (r, s) })",
      {{"a", normal_tensor({16, 8}, 1)}, {"b", normal_tensor({16, 8}, 2)}});
  const Model before = clone_model(graph);
  expect_ok(quantize_dynamic(graph));
  expect_ok(verify_model(graph));
  EXPECT_EQ(count_ops(graph, "DynamicQuantizeLinear"), 1U);
  EXPECT_EQ(graph.graph->initializers().size(), 4U);
  const Tensors inputs = {{"x", normal_tensor({2, 3, 16}, 8)}};
  for (Target* target : engines())
    EXPECT_LT(distance(run_on(*target, graph, inputs)["y"], run_on(*target, before, inputs)["y"]), 0.04);
}

TEST(QuantizeDynamic, SevenBitWeightsDoNotReachFurther) {
  Model graph = two_products();
  DynamicOptions options;
  options.weight_bits = 7;
  expect_ok(quantize_dynamic(graph, options));
  const auto weights = constant_of(find_op(graph, "MatMulInteger")->input(1))->data<std::int8_t>();
  EXPECT_EQ(*std::max_element(weights.begin(), weights.end()), 63);
  EXPECT_GE(*std::min_element(weights.begin(), weights.end()), -63);
}

TEST(QuantizeDynamic, ConvolutionsStayFloatWithTheReason) {
  Model graph = with_weights(
      R"(<ir_version: 7, opset_import: ["" : 13]> g (float[1,4,6,6] x, float[8,4,3,3] w) => (float[1,8,4,4] y) {
        y = Conv (x, w) })",
      {{"w", normal_tensor({8, 4, 3, 3}, 1)}});
  const auto report = expect_ok(quantize_dynamic(graph));
  ASSERT_EQ(report.size(), 1U);
  EXPECT_EQ(report[0].became, "");
  EXPECT_THAT(report[0].reason, testing::HasSubstr("slower than float"));
  EXPECT_EQ(graph.graph->nodes().size(), 1U);
}

TEST(QuantizeDynamic, ConvolutionsBecomeIntegerOnRequest) {
  Model graph = with_weights(
      R"(<ir_version: 7, opset_import: ["" : 13]> g (float[N,4,7,6] x, float[8,2,3,3] w, float[8] b) => (float[N,8,4,3] y) {
        y = Conv <group: int = 2, pads: ints = [1, 1, 1, 1], strides: ints = [2, 2]> (x, w, b) })",
      {{"w", normal_tensor({8, 2, 3, 3}, 1)}, {"b", normal_tensor({8}, 2)}});
  const Model before = clone_model(graph);
  DynamicOptions options;
  options.convolutions = true;
  const auto report = expect_ok(quantize_dynamic(graph, options));
  expect_consistent(graph);
  expect_ok(verify_model(graph));
  ASSERT_EQ(report.size(), 1U);
  EXPECT_EQ(report[0].became, "DynamicQuantizeLinear and ConvInteger");
  EXPECT_EQ(report[0].stored_bytes, 8U * 2 * 9 + 8 * 4);
  const Tensors inputs = {
      {"x", normal_tensor({3, 4, 7, 6}, 8)}};  // of both signs: the padding is no zero byte
  Target& target = *expect_ok(find_target("onnxruntime"));
  if (!target.available()) GTEST_SKIP() << "ONNX Runtime is not built in";
  EXPECT_LT(distance(run_on(target, graph, inputs)["y"], run_on(target, before, inputs)["y"]), 0.02);
}

TEST(QuantizeDynamic, RefusesOldOpsetsBadWeightsAndOpenvino) {
  Model old =
      model(R"(<ir_version: 4, opset_import: ["" : 10]> g (float[2] x) => (float[2] y) { y = Relu (x) })");
  expect_error(quantize_dynamic(old), ErrorCode::kUnsupported, "opset 10");
  Model graph = two_products();
  auto weights = normal_floats(240, 1);
  weights[9] = std::nanf("");
  graph.graph->set_initializer(*graph.graph->find("b"), Tensor::from({10, 24}, weights));
  expect_error(quantize_dynamic(graph), ErrorCode::kInvalidInput, "NaN");
  EXPECT_THAT(dynamic_obstacle("openvino"), testing::HasSubstr("slower than the float model"));
  EXPECT_EQ(dynamic_obstacle("onnxruntime"), "");
}

}  // namespace
}  // namespace tarmac::test
