#include "passes/pass_harness.h"

namespace tarmac::test {
namespace {

TEST(EliminateNoOps, RemovesIdentityAndDropoutBetweenNodes) {
  expect_rewrite("eliminate_no_ops", opset17(R"(g (float[2,3] x) => (float[2,3] y) {
    a = Relu (x)
    b = Identity (a)
    c = Dropout (b)
    y = Neg (c)
  })"),
                 opset17(R"(g (float[2,3] x) => (float[2,3] y) { a = Relu (x) y = Neg (a) })"));
}

TEST(EliminateNoOps, GivesAModelOutputToTheNodeBeforeIt) {
  expect_rewrite("eliminate_no_ops",
                 opset17("g (float[2] x) => (float[2] y) { a = Relu (x) y = Identity (a) }"),
                 opset17("g (float[2] x) => (float[2] y) { y = Relu (x) }"));
}

TEST(EliminateNoOps, RemovesTransposeCastPadAndReshapeThatChangeNothing) {
  expect_rewrite("eliminate_no_ops", opset17(R"(g (float[2,3] x) => (float[2,3] y)
    <int64[4] none = {0,0,0,0}, int64[2] same = {2,3}> {
    a = Transpose <perm = [0, 1]> (x)
    b = Cast <to = 1> (a)
    c = Pad (b, none)
    d = Reshape (c, same)
    y = Relu (d)
  })"),
                 opset17("g (float[2,3] x) => (float[2,3] y) { y = Relu (x) }"));
}

TEST(EliminateNoOps, RemovesFlatteningOfAVectorOfAnyLength) {
  expect_rewrite("eliminate_no_ops", opset17(R"(g (float[N] x) => (float[M] y) <int64[1] flat = {-1}> {
    a = Neg (x)
    b = Reshape (a, flat)
    y = Relu (b)
  })"),
                 opset17("g (float[N] x) => (float[M] y) { a = Neg (x) y = Relu (a) }"));
}

TEST(EliminateNoOps, RemovesAdditionOfZeroAndMultiplicationByOne) {
  expect_rewrite("eliminate_no_ops", opset17(R"(g (float[2,3] x) => (float[2,3] y)
    <float zero = {0.0}, float[1] one = {1.0}> {
    a = Add (zero, x)
    b = Mul (a, one)
    y = Relu (b)
  })"),
                 opset17("g (float[2,3] x) => (float[2,3] y) { y = Relu (x) }"));
}

TEST(EliminateNoOps, KeepsAdditionThatBroadcasts) {
  expect_unchanged("eliminate_no_ops",
                   opset17(R"(g (float[3] x) => (float[2,3] y) <float[2,3] zero = {0,0,0,0,0,0}> {
    a = Add (x, zero)
    y = Relu (a)
  })"));
}

TEST(EliminateNoOps, KeepsIdentityFromInputToOutput) {
  expect_unchanged("eliminate_no_ops", opset17("g (float[2] x) => (float[2] y) { y = Identity (x) }"));
}

TEST(EliminateNoOps, KeepsDropoutThatTrains) {
  expect_unchanged("eliminate_no_ops", opset17(R"(g (float[2] x, bool t) => (float[2] y) <float r = {0.5}> {
    a = Dropout (x, r, t)
    y = Relu (a)
  })"));
}

TEST(EliminateDeadCode, RemovesChainsAndWeightsThatNothingReads) {
  expect_rewrite("eliminate_dead_code",
                 opset17(R"(g (float[2] x) => (float[2] y) <float[2] w = {1,2}, float[2] v = {3,4}> {
    y = Add (x, w)
    a = Mul (x, v)
    b = Neg (a)
  })"),
                 opset17("g (float[2] x) => (float[2] y) <float[2] w = {1,2}> { y = Add (x, w) }"));
}

TEST(EliminateDeadCode, KeepsWhatANestedGraphReads) {
  expect_unchanged("eliminate_dead_code", opset17(R"(g (bool c, float[2] x) => (float[2] y) {
    a = Neg (x)
    y = If (c) <
      then_branch = t () => (float[2] p) { p = Relu (a) },
      else_branch = e () => (float[2] q) { q = Abs (x) }
    >
  })"));
}

TEST(EliminateCommonSubexpressions, MergesEqualNodesAndEqualWeights) {
  expect_rewrite(
      "eliminate_common_subexpressions", opset17(R"(g (float[2] x) => (float[2] y)
    <float[2] w = {1,2}, float[2] v = {1,2}> {
    a = Mul (x, w)
    b = Mul (x, v)
    y = Add (a, b)
  })"),
      opset17("g (float[2] x) => (float[2] y) <float[2] w = {1,2}> { a = Mul (x, w) y = Add (a, a) }"));
}

TEST(EliminateCommonSubexpressions, KeepsNodesWithOtherAttributesAndRandomOnes) {
  expect_unchanged("eliminate_common_subexpressions", opset17(R"(g (float[2,2] x) => (float[2,2] y) {
    a = Softmax <axis = 0> (x)
    b = Softmax <axis = 1> (x)
    c = RandomNormalLike (x)
    d = RandomNormalLike (x)
    e = Add (a, b)
    f = Add (c, d)
    y = Add (e, f)
  })"));
}

TEST(EliminateCommonSubexpressions, KeepsDropoutsThatTrainApart) {
  expect_unchanged("eliminate_common_subexpressions",
                   opset17(R"(g (float[2] x, bool t) => (float[2] y) <float r = {0.5}> {
    a = Dropout (x, r, t)
    b = Dropout (x, r, t)
    y = Add (a, b)
  })"));
}

TEST(EliminateCommonSubexpressions, KeepsTwoModelOutputsApart) {
  expect_unchanged("eliminate_common_subexpressions",
                   opset17("g (float[2] x) => (float[2] y, float[2] z) { y = Relu (x) z = Relu (x) }"));
}

TEST(InlineFunctions, PutsTheBodyInPlaceOfTheCall) {
  expect_rewrite(
      "inline_functions", R"(<ir_version: 8, opset_import: ["" : 17, "local" : 1]>
    g (float[2] x) => (float[2] y) { y = local.twice (x) }
    <domain: "local", opset_import: ["" : 17]> twice (a) => (b) { b = Add (a, a) })",
      R"(<ir_version: 8, opset_import: ["" : 17, "local" : 1]> g (float[2] x) => (float[2] y) { y = Add (x, x) })");
}

TEST(Optimize, RefusesUnknownPassesAndNamesTheKnown) {
  Model graph = model(opset17("g (float[2] x) => (float[2] y) { y = Relu (x) }"));
  OptimizeOptions options;
  options.skip = {"fuse_everything"};
  expect_error(optimize(graph, options), ErrorCode::kUsage, "fuse_conv_bn");
}

TEST(Optimize, KeepsTheModelsInterface) {
  Model graph = model(opset17(R"(g (float[N,3] x) => (float[N,3] y, float[N,3] z) {
    a = Identity (x)
    b = Relu (a)
    y = Identity (b)
    z = Identity (b)
  })"));
  expect_ok(optimize(graph, {}));
  expect_consistent(graph);
  ASSERT_EQ(graph.graph->outputs().size(), 2U);
  EXPECT_EQ(graph.graph->outputs()[0]->name(), "y");
  EXPECT_EQ(graph.graph->outputs()[1]->name(), "z");
  EXPECT_EQ(to_string(graph.graph->outputs()[0]->type), "float32[N, 3]");
}

}  // namespace
}  // namespace tarmac::test
