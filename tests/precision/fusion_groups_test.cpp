#include "precision/fusion_groups.h"

#include "passes/infer_shapes.h"
#include "precision/quantize.h"
#include "support/graph_checks.h"
#include "targets/target.h"

namespace tarmac::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// Rules of an engine that knows what is tested here.
FusionRules rules() {
  FusionRules made;
  made.weighted = {"Conv", "Gemm", "MatMul"};
  made.arithmetic = {"Add", "AveragePool", "GlobalAveragePool", "Mul"};
  made.movement = {"Concat", "Flatten", "MaxPool", "Pad", "Reshape", "Resize", "Slice", "Split"};
  made.activations = {"Clip", "Relu", "Sigmoid"};
  return made;
}

/// A graph with weights w [2,2,1,1] and b [2], x [N,2,4,4] in and y out.
Model graph_of(const std::string& nodes, const std::string& outputs = "float y") {
  Model graph = model(R"(<ir_version: 8, opset_import: ["" : 17]> g (float[N,2,4,4] x) => ()" + outputs + R"()
    <float[2,2,1,1] w = {1, 2, 3, 4}, float[2,4,1,1] v = {1, 2, 3, 4, 5, 6, 7, 8}, float[2] b = {1, 2}> {)" +
                      nodes + "}");
  expect_ok(infer_shapes(graph));
  return graph;
}

std::vector<std::string> names(const FusionGroups& found) {
  std::vector<std::string> names;
  for (const FusionGroup& group : found.groups) names.push_back(group.name);
  return names;
}

Range range(float low, float high) {
  Range made;
  made.include(low, high);
  return made;
}

float scale_of(const Model& graph, const std::string& value) {
  return constant_of(graph.graph->find(value + "_scale"))->data<float>()[0];
}

const Node* producer(const Model& graph, const std::string& value) {
  return graph.graph->find(value)->producer();
}

std::size_t count(const Model& graph, std::string_view op_type) {
  std::size_t found = 0;
  for_each_node(*graph.graph, [&](const Node& node) { found += node.op_type == op_type ? 1 : 0; });
  return found;
}

TEST(FusionGroups, HoldTheActivationsBehindTheirAnchor) {
  const Model graph = graph_of("a = Conv (x, w, b) r = Relu (a) y = Conv (r, w)");
  const FusionGroups found = find_fusion_groups(graph, rules());
  ASSERT_THAT(names(found), ElementsAre("a", "y"));
  EXPECT_THAT(found.groups[0].nodes, ElementsAre("a", "r"));
  EXPECT_EQ(found.groups[0].output, "r");
  EXPECT_EQ(found.groups[0].weights, "w");
  EXPECT_THAT(observed_values(graph, found), ElementsAre("x", "r"));
}

TEST(FusionGroups, HoldAProductWithItsOwnSigmoid) {
  const Model graph = graph_of("a = Conv (x, w) s = Sigmoid (a) m = Mul (a, s) y = Conv (m, w)");
  const FusionGroups found = find_fusion_groups(graph, rules());
  ASSERT_THAT(names(found), ElementsAre("a", "y"));
  EXPECT_THAT(found.groups[0].nodes, ElementsAre("a", "s", "m"));
}

TEST(FusionGroups, HoldArithmeticWithConstantsWhereTheKernelComputesIt) {
  const Model graph =
      graph_of("k = Constant <value = float {2}> () a = Conv (x, w) m = Mul (a, k) y = Conv (m, w)");
  FusionRules scaling = rules();
  EXPECT_THAT(find_fusion_groups(graph, scaling).groups[0].nodes, ElementsAre("a"));
  scaling.activations.insert("Mul");
  EXPECT_THAT(find_fusion_groups(graph, scaling).groups[0].nodes, ElementsAre("a", "m"));
}

TEST(FusionGroups, TakeProductsOfActivationsBetweenKernels) {
  const Model graph = graph_of("a = Conv (x, w) b2 = Conv (x, w, b) m = MatMul (a, b2) y = Conv (m, w)");
  FusionRules products = rules();
  products.arithmetic.insert("MatMul");
  EXPECT_THAT(names(find_fusion_groups(graph, products)), ElementsAre("a", "b2", "m", "y"));
}

TEST(FusionGroups, EndWhereTwoReadOrTheGraphDoes) {
  const Model graph =
      graph_of("a = Conv (x, w) r = Relu (a) y = Conv (r, w) z = Add (a, y)", "float y, float z");
  EXPECT_EQ(find_fusion_groups(graph, rules()).groups[0].output, "a");
}

TEST(FusionGroups, LeaveArithmeticInFloatThatNoKernelReads) {
  const Model graph = graph_of("a = Conv (x, w) y = Add (a, x)");
  const FusionGroups found = find_fusion_groups(graph, rules());
  EXPECT_THAT(names(found), ElementsAre("a"));
  ASSERT_EQ(found.kept.size(), 1U);
  EXPECT_EQ(found.kept[0].node, "y");
  EXPECT_THAT(found.kept[0].reason, testing::HasSubstr("before or behind"));
}

TEST(FusionGroups, TakeArithmeticBetweenKernels) {
  const Model graph = graph_of("a = Conv (x, w) s = Add (a, x) g = GlobalAveragePool (s) y = Conv (g, w)");
  EXPECT_THAT(names(find_fusion_groups(graph, rules())), ElementsAre("a", "s", "g", "y"));
}

TEST(FusionGroups, LeaveAsideWhatOnlyStoodBesideAKeptGroup) {
  const Model graph = graph_of("a = Conv (x, w) s = Add (a, x) y = Conv (s, w)");
  const FusionGroups kept =
      keep_in_float(graph, find_fusion_groups(graph, rules()), {{"y", "too sensitive"}});
  EXPECT_THAT(names(kept), ElementsAre("a"));
  ASSERT_EQ(kept.kept.size(), 2U);
  EXPECT_EQ(kept.kept[0].reason, "too sensitive");
}

TEST(FusionGroups, AreNoneForAnEngineWithoutKernels) {
  const Model graph = graph_of("y = Conv (x, w)");
  const FusionGroups found = find_fusion_groups(graph, {});
  EXPECT_THAT(found.groups, IsEmpty());
  ASSERT_EQ(found.kept.size(), 1U);
  EXPECT_THAT(found.kept[0].reason, testing::HasSubstr("no INT8 kernel"));
}

TEST(FusionGroups, RoundBeforeWhatOnlyMovesValues) {
  Model graph = graph_of("r = Relu (x) m = MaxPool <kernel_shape = [2,2]> (r) y = Conv (m, w)");
  const FusionGroups found = find_fusion_groups(graph, rules());
  EXPECT_THAT(observed_values(graph, found), ElementsAre("r"));
  expect_ok(quantize_static(graph, found, {{"r", range(0, 2)}}));
  EXPECT_EQ(producer(graph, "m")->input(0)->name(), "r_dequantized");
  EXPECT_EQ(count(graph, "QuantizeLinear"), 1U);
}

TEST(FusionGroups, RoundAgainBehindMovementWhereTheEngineWantsPairs) {
  Model graph = graph_of("r = Relu (x) m = MaxPool <kernel_shape = [2,2]> (r) y = Conv (m, w, b)");
  FusionRules paired = rules();
  paired.pairs_around_movement = true;
  expect_ok(quantize_static(graph, find_fusion_groups(graph, paired), {{"r", range(0, 2)}}));
  expect_ok(verify_model(graph));
  EXPECT_EQ(count(graph, "QuantizeLinear"), 2U);
  EXPECT_EQ(scale_of(graph, "m"), scale_of(graph, "r"));
}

TEST(FusionGroups, GiveWhatIsConcatenatedOneScale) {
  Model graph = graph_of("a = Conv (x, w) r = Relu (x) c = Concat <axis = 1> (a, r) y = Conv (c, v)");
  const FusionGroups found = find_fusion_groups(graph, rules());
  EXPECT_THAT(observed_values(graph, found), ElementsAre("x", "a", "r"));
  expect_ok(quantize_static(graph, found, {{"x", range(0, 1)}, {"a", range(-1, 2)}, {"r", range(0, 4)}}));
  expect_ok(verify_model(graph));
  EXPECT_FLOAT_EQ(scale_of(graph, "a"), 5.0F / 255);
  EXPECT_FLOAT_EQ(scale_of(graph, "r"), 5.0F / 255);
  EXPECT_FLOAT_EQ(scale_of(graph, "x"), 1.0F / 255);
}

TEST(FusionGroups, DoNotRoundBeforeBatchesAreConcatenated) {
  for (const char* axis : {"0", "-4"}) {
    const Model graph =
        graph_of(std::string("r = Relu (x) c = Concat <axis = ") + axis + "> (x, r) y = Conv (c, w)");
    EXPECT_THAT(observed_values(graph, find_fusion_groups(graph, rules())), ElementsAre("c"));
  }
}

TEST(FusionGroups, LeaveAProductBehindAConcatOfBatchesInFloat) {
  Model graph =
      model(R"(<ir_version: 8, opset_import: ["" : 17]> g (float[1,5,2] x, float[1,5,2] z) => (float y)
    <float[2,2] w = {1, 2, 3, 4}> { c = Concat <axis = 0> (x, z) y = MatMul (c, w) })");
  expect_ok(infer_shapes(graph));
  const FusionGroups found = find_fusion_groups(graph, rules());
  ASSERT_EQ(found.kept.size(), 1U);
  EXPECT_THAT(found.kept[0].reason, testing::HasSubstr("Concat of batches"));
}

TEST(FusionGroups, LeaveFloatReadersTheFloatValues) {
  Model graph = graph_of("r = Relu (x) y = Conv (r, w) z = Exp (r)", "float y, float z");
  expect_ok(quantize_static(graph, find_fusion_groups(graph, rules()), {{"r", range(0, 2)}}));
  EXPECT_EQ(producer(graph, "z")->input(0)->name(), "r");
  EXPECT_EQ(producer(graph, "y")->input(0)->name(), "r_dequantized");
}

TEST(FusionGroups, DoNotRoundPaddingThatIsNotZeroNorCubicResizing) {
  const Model padded =
      graph_of(R"(one = Constant <value = float {1}> () p = Constant <value = int64[8] {0,0,1,1,0,0,1,1}> ()
    q = Pad (x, p, one) y = Conv (q, w))");
  EXPECT_THAT(observed_values(padded, find_fusion_groups(padded, rules())), ElementsAre("q"));
  const Model resized =
      graph_of(R"(s = Constant <value = float[4] {1,1,2,2}> () r = Resize <mode = "cubic"> (x, , s)
    y = Conv (r, w))");
  EXPECT_THAT(observed_values(resized, find_fusion_groups(resized, rules())), ElementsAre("r"));
}

TEST(FusionGroups, WriteInt8BehindEveryKernelWhereTheEngineWantsIt) {
  Model graph = graph_of("y = Conv (x, w, b)");
  FusionRules written = rules();
  written.pairs_after_weighted = true;
  const FusionGroups found = find_fusion_groups(graph, written);
  EXPECT_THAT(observed_values(graph, found), ElementsAre("x", "y"));
  expect_ok(quantize_static(graph, found, {{"x", range(0, 1)}, {"y", range(0, 9)}}));
  expect_ok(verify_model(graph));
  EXPECT_EQ(graph.graph->outputs().front()->name(), "y");
  EXPECT_EQ(producer(graph, "y")->op_type, "DequantizeLinear");
}

TEST(FusionGroups, AreWhatAllTargetsHaveForAPortableFile) {
  const FusionRules common = common_fusion_rules(all_targets());
  EXPECT_TRUE(common.weighted.contains("Conv"));
  EXPECT_TRUE(common.pairs_around_movement);
  for (const Target* target : all_targets()) {
    if (target->fusion_rules().weighted.empty()) continue;
    for (const auto& name : common.weighted) EXPECT_TRUE(target->fusion_rules().weighted.contains(name));
  }
}

}  // namespace
}  // namespace tarmac::test
