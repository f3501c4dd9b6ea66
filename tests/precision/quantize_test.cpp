#include "precision/quantize.h"

#include "passes/infer_shapes.h"
#include "support/graph_checks.h"
#include "targets/target.h"

namespace tarmac::test {
namespace {

constexpr const char* kResidual =
    R"(<ir_version: 7, opset_import: ["" : 13]> g (float[N,1,4,4] x) => (float[N,1,4,4] y)
  <float[1,1,1,1] w = {2}, float[1] b = {0.5}> {
  a = Conv (x, w, b)
  r = Relu (a)
  c = Conv (r, w, b)
  s = Add (c, r)
  y = Conv (s, w, b)
})";

Model residual() {
  Model graph = model(kResidual);
  expect_ok(infer_shapes(graph));
  return graph;
}

Range range(float low, float high) {
  Range result;
  result.include(low, high);
  return result;
}

FusionGroups groups_of(const Model& graph) {
  return find_fusion_groups(graph, common_fusion_rules(all_targets()));
}

Result<QuantizeReport> quantize(Model& graph, const Ranges& ranges) {
  return quantize_static(graph, groups_of(graph), ranges);
}

std::size_t count(const Model& graph, const std::string& op_type) {
  std::size_t found = 0;
  for_each_node(*graph.graph, [&](const Node& node) { found += node.op_type == op_type ? 1 : 0; });
  return found;
}

TEST(Quantize, ObservesInputsOfConvolutionsAndResidualAdditionsAfterTheActivation) {
  const Model graph = residual();
  EXPECT_THAT(observed_values(graph, groups_of(graph)), testing::ElementsAre("x", "r", "c", "s"));
}

TEST(Quantize, PutsOnePairOnEachActivationAndStoresSharedWeightsOnce) {
  Model graph = residual();
  const auto report = expect_ok(
      quantize(graph, {{"x", range(-1, 3)}, {"r", range(0, 2)}, {"c", range(-4, 4)}, {"s", range(-4, 6)}}));
  expect_consistent(graph);
  expect_ok(verify_model(graph));
  EXPECT_EQ(count(graph, "QuantizeLinear"), 4U);
  // Four activations, the weights once, and a bias per convolution, whose input scales differ.
  EXPECT_EQ(count(graph, "DequantizeLinear"), 8U);
  EXPECT_EQ(report.nodes.size(), 4U);
  for (const QuantizedNode& node : report.nodes)
    EXPECT_TRUE(node.quantized) << node.node << ": " << node.reason;
}

TEST(Quantize, MakesZeroExact) {
  Model graph = residual();
  expect_ok(
      quantize(graph, {{"x", range(-1, 3)}, {"r", range(1, 2)}, {"c", range(-4, -1)}, {"s", range(-4, 1)}}));
  const auto zero_point = [&](const char* name) {
    return constant_of(graph.graph->find(name))->data<std::uint8_t>()[0];
  };
  EXPECT_EQ(zero_point("x_zero_point"), 64);   // −1 … 3 in 255 steps
  EXPECT_EQ(zero_point("r_zero_point"), 0);    // widened to 0 … 2
  EXPECT_EQ(zero_point("c_zero_point"), 255);  // widened to −4 … 0
}

/// Scale and zero point of x in -1 to 3.
std::pair<float, int> stored(ActivationForm form, float low) {
  Model graph = residual();
  QuantizeOptions options;
  options.activations = form;
  expect_ok(quantize_static(
      graph, groups_of(graph),
      {{"x", range(low, 3)}, {"r", range(0, 2)}, {"c", range(0, 1)}, {"s", range(0, 1)}}, options));
  const Tensor& zero = *constant_of(graph.graph->find("x_zero_point"));
  return {constant_of(graph.graph->find("x_scale"))->data<float>()[0],
          zero.dtype() == DType::kInt8 ? zero.data<std::int8_t>()[0] : zero.data<std::uint8_t>()[0]};
}

TEST(Quantize, StoresActivationsInTheFormThatIsAskedFor) {
  EXPECT_EQ(stored(ActivationForm::kAsymmetric, -1), std::pair(4.0F / 255, 64));
  EXPECT_EQ(stored(ActivationForm::kSymmetric, -1), std::pair(3.0F / 127, 128));
  EXPECT_EQ(stored(ActivationForm::kSymmetric, 0), std::pair(3.0F / 255, 0));
  EXPECT_EQ(stored(ActivationForm::kSigned, -1), std::pair(3.0F / 127, 0));
}

TEST(Quantize, KeepsWeightsOfSevenBitsInsideThem) {
  Model graph = residual();
  QuantizeOptions options;
  options.weight_bits = 7;
  expect_ok(quantize_static(graph, groups_of(graph),
                            {{"x", range(-1, 3)}, {"r", range(0, 2)}, {"c", range(0, 1)}, {"s", range(0, 1)}},
                            options));
  EXPECT_EQ(constant_of(graph.graph->find("w_int8"))->data<std::int8_t>()[0], 63);
}

TEST(Quantize, RefusesAMissingRangeByName) {
  Model graph = residual();
  expect_error(quantize(graph, {{"x", range(-1, 3)}}), ErrorCode::kInvalidInput, "'r'");
}

TEST(Quantize, LeavesProductsOfActivationsAloneInFloatAndSaysWhy) {
  Model graph = model(R"(<ir_version: 7, opset_import: ["" : 13]>
    g (float[2,3] x, float[3,4] z) => (float[2,4] y) { y = MatMul (x, z) })");
  expect_ok(infer_shapes(graph));
  const auto report = expect_ok(quantize(graph, {}));
  ASSERT_EQ(report.nodes.size(), 1U);
  EXPECT_FALSE(report.nodes[0].quantized);
  EXPECT_THAT(report.nodes[0].reason, testing::HasSubstr("before or behind"));
  EXPECT_EQ(graph.graph->nodes().size(), 1U);
}

TEST(Quantize, NeedsOpset10) {
  Model graph =
      model(R"(<ir_version: 4, opset_import: ["" : 9]> g (float[2] x) => (float[2] y) { y = Relu (x) })");
  expect_error(quantize(graph, {}), ErrorCode::kUnsupported, "opset 9");
}

}  // namespace
}  // namespace tarmac::test
