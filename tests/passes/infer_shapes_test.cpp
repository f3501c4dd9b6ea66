#include "passes/infer_shapes.h"

#include "passes/pass_harness.h"

namespace tarmac::test {
namespace {

TEST(InferShapes, FindsInnerTypesWithSymbols) {
  Model graph = model(opset17(R"(g (float[N,3,8,8] x) => (float[N,4] y) <float[4,3,3,3] w = {)" + [] {
    std::string zeros = "0";
    for (int i = 1; i < 108; ++i) zeros += ",0";
    return zeros;
  }() + R"(}> { a = Conv (x, w) b = GlobalAveragePool (a) y = Flatten (b) })"));
  expect_ok(infer_shapes(graph));
  EXPECT_EQ(to_string(graph.graph->find("a")->type), "float32[N, 4, 6, 6]");
  EXPECT_EQ(to_string(graph.graph->find("b")->type), "float32[N, 4, 1, 1]");
}

TEST(InferShapes, TakesNoMemoryForVectorsThatAModelClaims) {
  Model graph = model(opset17(R"(g (int64[1000000000000] x) => (int32[N] y) {
    a = Add (x, x)
    y = Cast <to = 6> (a)
  })"));
  expect_ok(infer_shapes(graph));
  EXPECT_EQ(to_string(graph.graph->find("a")->type), "int64[1000000000000]");
}

TEST(InferShapes, PropagatesDataThroughShapeArithmetic) {
  Model graph =
      model(opset17(R"(g (float[2,3,4] x) => (float[A,B] y) <int64[1] last = {-1}, int64[1] i = {0}> {
    s = Shape (x)
    n = Gather (s, i)
    t = Concat <axis = 0> (n, last)
    r = Reshape (x, t)
    y = Relu (r)
  })"));
  expect_ok(infer_shapes(graph));
  EXPECT_EQ(to_string(graph.graph->find("r")->type), "float32[2, 12]");
}

TEST(FixInputShape, BindsASymbolEverywhere) {
  Model graph =
      model(opset17("g (float[N,3] x, float[N,3] z) => (float[N,3] y) { a = Relu (x) y = Add (a, z) }"));
  expect_ok(fix_input_shape(graph, "x", {5, 3}));
  EXPECT_EQ(to_string(graph.graph->find("z")->type), "float32[5, 3]");
  EXPECT_EQ(to_string(graph.graph->find("a")->type), "float32[5, 3]");
  EXPECT_EQ(to_string(graph.graph->outputs()[0]->type), "float32[5, 3]");
}

TEST(FixInputShape, RefusesContradictionsAndUnknownInputs) {
  Model graph = model(opset17("g (float[N,3] x) => (float[N,3] y) { y = Relu (x) }"));
  expect_error(fix_input_shape(graph, "x", {5, 4}), ErrorCode::kInvalidInput, "[5, 4]");
  expect_error(fix_input_shape(graph, "x", {5}), ErrorCode::kInvalidInput);
  expect_error(fix_input_shape(graph, "image", {5, 3}), ErrorCode::kNotFound, "'x'");
}

}  // namespace
}  // namespace tarmac::test
