// The form for TensorRT's parser: what is rewritten, and what is left as it is.
#include "targets/tensorrt/emit.h"

#include <algorithm>

#include "passes/infer_shapes.h"
#include "support/graph_checks.h"

namespace tarmac {
namespace {

using test::expect_ok;

Model typed(const std::string& text) {
  Model model = test::model(text);
  expect_ok(infer_shapes(model));
  return model;
}

void expect_emitted(const std::string& before, const std::string& after, std::size_t changes) {
  Model model = typed(before);
  EXPECT_EQ(expect_ok(tensorrt::emit(model)).size(), changes);
  test::expect_consistent(model);
  test::expect_same_model(model, typed(after));
}

void expect_kept(const std::string& text) { expect_emitted(text, text, 0); }

constexpr const char* kHead = R"(<ir_version: 8, opset_import: ["" : 17]> g )";

TEST(TensorRtEmit, CastsBytesBeforeTheyAreMoved) {
  expect_emitted(std::string(kHead) + R"((uint8[2, 6, 4] x) => (float[4, 12] y) <int64[2] s = {12, 4}> {
        a = Reshape(x, s) b = Transpose<perm = [1, 0]>(a) c = Cast<to = 1>(b) y = Relu(c) })",
                 std::string(kHead) + R"((uint8[2, 6, 4] x) => (float[4, 12] y) <int64[2] s = {12, 4}> {
        c = Cast<to = 1>(x) a = Reshape(c, s) b = Transpose<perm = [1, 0]>(a) y = Relu(b) })",
                 2);
}

TEST(TensorRtEmit, TheCastMayBeTheModelsOutput) {
  Model model = typed(std::string(kHead) + R"((uint8[2, 3] x) => (float16[3, 2] y) {
        a = Transpose(x) y = Cast<to = 10>(a) })");
  EXPECT_EQ(expect_ok(tensorrt::emit(model)).size(), 1U);
  test::expect_consistent(model);
  ASSERT_EQ(model.graph->outputs().size(), 1U);
  EXPECT_EQ(model.graph->outputs()[0]->name(), "y");
  EXPECT_EQ(model.graph->outputs()[0]->type.dtype, DType::kFloat16);
  EXPECT_TRUE(model.graph->outputs()[0]->producer()->is("Transpose"));
}

TEST(TensorRtEmit, KeepsBytesThatOthersRead) {
  expect_kept(std::string(kHead) + R"((uint8[2, 3] x) => (float[3, 2] y, uint8[3, 2] a) {
        a = Transpose(x) y = Cast<to = 1>(a) })");
  expect_kept(std::string(kHead) + R"((uint8[2, 3] x) => (float[3, 2] y, float16[3, 2] z) {
        a = Transpose(x) y = Cast<to = 1>(a) z = Cast<to = 10>(a) })");
}

TEST(TensorRtEmit, KeepsCastsBehindArithmeticAndOfOtherTypes) {
  expect_kept(std::string(kHead) +
              R"((uint8[2, 3] x) => (float[2, 3] y) { a = Max(x, x) y = Cast<to = 1>(a) })");
  expect_kept(std::string(kHead) +
              R"((int32[2, 3] x) => (float[3, 2] y) { a = Transpose(x) y = Cast<to = 1>(a) })");
  expect_kept(std::string(kHead) +
              R"((uint8[2, 3] x) => (uint8[3, 2] y) { a = Transpose(x) y = Cast<to = 2>(a) })");
}

TEST(TensorRtEmit, StoresBiasesAsFloat) {
  expect_emitted(std::string(kHead) + R"((float[1, 2, 4, 4] x, float[3, 2, 1, 1] w) => (float[1, 3, 4, 4] y)
        <int32[3] q = {2, -4, 0}, float[3] s = {0.5, 0.25, 1.0}, int32[3] z = {0, 0, 0}> {
        b = DequantizeLinear<axis = 0>(q, s, z) y = Conv(x, w, b) })",
                 std::string(kHead) + R"((float[1, 2, 4, 4] x, float[3, 2, 1, 1] w) => (float[1, 3, 4, 4] y)
        <float[3] b = {1.0, -1.0, 0.0}> { y = Conv(x, w, b) })",
                 1);
  // One scale for all, no zero point; and an axis in the middle.
  expect_emitted(
      std::string(kHead) + R"((float[2] x) => (float[2] y) <int32[2] q = {2, 6}, float s = {0.5}> {
        b = DequantizeLinear(q, s) y = Add(x, b) })",
      std::string(kHead) + R"((float[2] x) => (float[2] y) <float[2] b = {1.0, 3.0}> { y = Add(x, b) })", 1);
  expect_emitted(std::string(kHead) + R"((float[1, 2, 2] x) => (float[1, 2, 2] y)
        <int32[1, 2, 2] q = {1, 2, 3, 4}, float[2] s = {2.0, 10.0}> {
        b = DequantizeLinear<axis = -2>(q, s) y = Add(x, b) })",
                 std::string(kHead) + R"((float[1, 2, 2] x) => (float[1, 2, 2] y)
        <float[1, 2, 2] b = {2.0, 4.0, 30.0, 40.0}> { y = Add(x, b) })",
                 1);
}

TEST(TensorRtEmit, KeepsWeightsInEightBitsAndBiasesThatAreComputed) {
  expect_kept(std::string(kHead) + R"((float[2] x) => (float[2] y) <int8[2] q = {2, 6}, float s = {0.5}> {
        b = DequantizeLinear(q, s) y = Add(x, b) })");
  expect_kept(std::string(kHead) + R"((float[2] x, int32[2] q) => (float[2] y) <float s = {0.5}> {
        b = DequantizeLinear(q, s) y = Add(x, b) })");
  expect_kept(std::string(kHead) + R"((float[2] x) => (float[2] b) <int32[2] q = {2, 6}, float s = {0.5}> {
        b = DequantizeLinear(q, s) })");
}

Tensor uint4(const Shape& shape, std::vector<std::uint8_t> pairs) {
  const auto bytes = std::make_shared<std::vector<std::uint8_t>>(std::move(pairs));
  return expect_ok(Tensor::view(DType::kUint4, shape, std::as_bytes(std::span(*bytes)), bytes));
}

/// y = x · DequantizeLinear(q [2, 3], s [1, 3], z [1, 3]).
Model product_of_4_bits(std::vector<std::uint8_t> zero_points) {
  Model model =
      test::model(R"(<ir_version: 10, opset_import: ["" : 21]> g (float[1, 2] x, uint4[2, 3] q, uint4[1, 3] z)
        => (float[1, 3] y) <float[1, 3] s = {1.0, 2.0, 4.0}> {
        w = DequantizeLinear<axis = 0, block_size = 2>(q, s, z) y = MatMul(x, w) })");
  Graph& graph = *model.graph;
  graph.set_initializer(*graph.find("q"), uint4({2, 3}, {0x80, 0xF7, 0x19}));
  graph.set_initializer(*graph.find("z"), uint4({1, 3}, std::move(zero_points)));
  graph.drop_input(*graph.find("q"));
  graph.drop_input(*graph.find("z"));
  return model;
}

TEST(TensorRtEmit, StoresSymmetricWeightsAsInt4) {
  Model model = product_of_4_bits({0x88, 0x08});
  EXPECT_EQ(expect_ok(tensorrt::emit(model)).size(), 1U);
  test::expect_consistent(model);
  const Node& node = *model.graph->nodes().front();
  ASSERT_EQ(node.inputs().size(), 2U);
  const Tensor* codes = constant_of(node.input(0));
  ASSERT_NE(codes, nullptr);
  EXPECT_EQ(codes->dtype(), DType::kInt4);
  // 0, 8, 7, 15, 9, 1 less 8 are -8, 0, -1, 7, 1, -7.
  const std::vector<std::uint8_t> expected = {0x08, 0x7F, 0x91};
  EXPECT_TRUE(std::ranges::equal(codes->bytes(), std::as_bytes(std::span(expected))));
  EXPECT_EQ(model.graph->find("q"), nullptr);
  EXPECT_EQ(model.graph->find("z"), nullptr);
}

TEST(TensorRtEmit, KeepsOtherZeroPointsOf4Bits) {
  for (const std::vector<std::uint8_t>& zero_points : {std::vector<std::uint8_t>{0x78, 0x08}, {0x88, 0x07}}) {
    Model model = product_of_4_bits(zero_points);
    EXPECT_TRUE(expect_ok(tensorrt::emit(model)).empty());
    EXPECT_NE(model.graph->find("q"), nullptr);
  }
}

}  // namespace
}  // namespace tarmac
