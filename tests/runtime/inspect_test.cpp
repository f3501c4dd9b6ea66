#include "runtime/inspect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/example_models.h"
#include "support/temporary_folder.h"

namespace tarmac {
namespace {

using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

ModelInfo inspect(const std::string& text, const InspectOptions& options = {}) {
  auto info = inspect_model(test::model_of(text), options);
  EXPECT_TRUE(info.ok()) << info.error().str();
  return *std::move(info);
}

std::string graph_of(const std::string& graph) {
  return R"(<ir_version: 8, opset_import: ["" : 17]> )" + graph;
}

TEST(InspectTest, DescribesAModelFile) {
  const test::TemporaryFolder folder;
  const auto path = folder / "affine.onnx";
  ASSERT_TRUE(save_model(test::affine_model(), path).ok());
  const auto info = inspect_model(path);
  ASSERT_TRUE(info.ok()) << info.error().str();
  EXPECT_EQ(info->file_bytes, std::filesystem::file_size(path));
  EXPECT_EQ(info->digest, *model_digest(test::affine_model()));
  EXPECT_EQ(info->ir_version, 8);
  EXPECT_EQ(info->opsets.at(""), 17);
  EXPECT_THAT(info->operators, UnorderedElementsAre(Pair("MatMul", 1), Pair("Add", 1)));
  EXPECT_EQ(info->nodes, 2);
  EXPECT_EQ(info->parameters, 10);
  EXPECT_EQ(info->weight_bytes, 40U);
  EXPECT_EQ(info->inputs[0].type, "float32[batch, 4]");
  EXPECT_EQ(info->outputs[0].shape, (std::vector<TensorDim>{"batch", 2}));
  EXPECT_THAT(info->assumed_sizes, UnorderedElementsAre(Pair("batch", 1)));
  EXPECT_EQ(info->flops, 2 * 1 * 4 * 2);
  // At MatMul x (16 bytes) and h (8) live, at Add h and y (8 each).
  EXPECT_EQ(info->peak_activation_bytes, 24U);
  EXPECT_EQ(info->unknown_because, "");
}

TEST(InspectTest, CountsWithTheGivenSizeOfASymbol) {
  const auto info = inspect_model(test::affine_model(), {.sizes = {{"batch", 5}}});
  EXPECT_EQ(info->flops, 5 * 16);
  EXPECT_EQ(info->peak_activation_bytes, 5U * 24U);
}

TEST(InspectTest, CountsConvolutions) {
  // 2 · (output elements 8·6·6) · (channels a group 4/2) · (kernel 3·3)
  const auto conv = inspect(graph_of(R"(g (float[1, 4, 8, 8] x, float[8, 2, 3, 3] w) => (float[1, 8, 6, 6] y)
    { y = Conv <group = 2> (x, w) })"));
  EXPECT_EQ(conv.flops, 2 * (8 * 6 * 6) * 2 * 9);
  // Each of the 4·8·8 inputs is spread over 8 channels and a 2·2 kernel.
  const auto transposed =
      inspect(graph_of(R"(g (float[1, 4, 8, 8] x, float[4, 8, 2, 2] w) => (float[1, 8, 16, 16] y)
    { y = ConvTranspose <strides = [2, 2]> (x, w) })"));
  EXPECT_EQ(transposed.flops, 2 * (4 * 8 * 8) * 8 * 4);
}

TEST(InspectTest, CountsMatrixProducts) {
  const auto gemm = inspect(graph_of(R"(g (float[5, 3] a, float[7, 5] b) => (float[3, 7] y)
    { y = Gemm <transA = 1, transB = 1> (a, b) })"));
  EXPECT_EQ(gemm.flops, 2 * 3 * 7 * 5);
  const auto batched = inspect(graph_of(R"(g (float[2, 1, 4, 5] a, float[3, 5, 6] b) => (float[2, 3, 4, 6] y)
    { y = MatMul(a, b) })"));
  EXPECT_EQ(batched.flops, 2 * (2 * 3) * 4 * 6 * 5);
  const auto dot = inspect(graph_of("g (float[5] a, float[5] b) => (float y) { y = MatMul(a, b) }"));
  EXPECT_EQ(dot.flops, 10);
}

TEST(InspectTest, CountsTheBodiesOfFunctions) {
  const auto info = inspect(R"(
    <ir_version: 8, opset_import: ["" : 17, "local" : 1]>
    g (float[2, 3] a, float[3, 4] b) => (float[2, 4] y) { y = local.product(a, b) }
    <domain: "local", opset_import: ["" : 17]>
    product (a, b) => (c) { c = MatMul(a, b) })");
  EXPECT_EQ(info.flops, 2 * 2 * 4 * 3);
  EXPECT_THAT(info.operators, UnorderedElementsAre(Pair("MatMul", 1), Pair("local::product", 1)));
}

TEST(InspectTest, ValuesLiveUntilTheirLastReader) {
  // x is read again at the end: at the last node x, b and y live, at the second x, a and b.
  const auto info = inspect(graph_of(R"(g (float[100] x) => (float[100] y)
    { a = Relu(x) b = Relu(a) y = Add(b, x) })"));
  EXPECT_EQ(info.peak_activation_bytes, 1200U);
  const auto chain =
      inspect(graph_of("g (float[100] x) => (float[100] y) { a = Relu(x) b = Relu(a) y = Relu(b) }"));
  EXPECT_EQ(chain.peak_activation_bytes, 800U);
  // The nested graph reads x, so x lives until the If; the output a lives to the end.
  const auto nested = inspect(graph_of(R"(g (float[100] x, bool c) => (float[100] a, float[100] y)
    { a = Relu(x) y = If (c) <then_branch = t () => (float[100] p) { p = Neg(x) },
                              else_branch = e () => (float[100] q) { q = Abs(x) }> })"));
  EXPECT_EQ(nested.peak_activation_bytes, 1201U);
}

TEST(InspectTest, LeavesOutAndSaysWhatIsUnknown) {
  // How many elements are not zero shows only when the model runs.
  const auto info = inspect(graph_of(R"(g (float[4, 4] x) => (float[4, 4] y, float[n, n] z)
    { y = MatMul(x, x) i = NonZero(x) f = Cast <to = 1> (i) t = Transpose(f) z = MatMul(t, f) }
    )"));
  EXPECT_EQ(info.flops, 2 * 4 * 4 * 4);
  EXPECT_EQ(info.uncounted_nodes, 1);
  EXPECT_FALSE(info.peak_activation_bytes.has_value());
  EXPECT_THAT(info.unknown_because, HasSubstr("'i'"));
}

}  // namespace
}  // namespace tarmac
