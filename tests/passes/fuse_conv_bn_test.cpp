#include "passes/pass_harness.h"
#include "tensor/codec.h"

namespace tarmac::test {
namespace {

constexpr const char* kConvBn = R"(g (float[1,2,4,4] x) => (float[1,2,4,4] y)
  <float[2,2,1,1] w = {1,2,3,4}, float[2] b = {1,-1}, float[2] gamma = {2,3}, float[2] beta = {0.5,1},
   float[2] mean = {1,2}, float[2] var = {0.25,4}> {
  a = Conv (x, w, b)
  y = BatchNormalization <epsilon = 0.0> (a, gamma, beta, mean, var)
})";

TEST(FuseConvBn, FoldsScaleAndShiftIntoWeightsAndBias) {
  Model found = model(opset17(kConvBn));
  EXPECT_EQ(apply_pass(found, "fuse_conv_bn").size(), 1U);
  expect_consistent(found);
  ASSERT_EQ(found.graph->nodes().size(), 1U);
  const Node& conv = *found.graph->nodes().front();
  EXPECT_EQ(conv.output(0)->name(), "y");
  // γ/√σ² is 4 and 1.5.
  EXPECT_THAT(expect_ok(to_floats(*constant_of(conv.input(1)))), testing::ElementsAre(4, 8, 4.5, 6));
  EXPECT_THAT(expect_ok(to_floats(*constant_of(conv.input(2)))), testing::ElementsAre(0.5, -3.5));
}

TEST(FuseConvBn, AddsABiasWhereThereWasNone) {
  std::string text = kConvBn;
  text.replace(text.find("Conv (x, w, b)"), 14, "Conv (x, w)");
  Model found = model(opset17(text));
  apply_pass(found, "fuse_conv_bn");
  const Node& conv = *found.graph->nodes().front();
  EXPECT_THAT(expect_ok(to_floats(*constant_of(conv.input(2)))), testing::ElementsAre(-3.5, -2));
}

TEST(FuseConvBn, ScalesTheSecondAxisOfTransposedConvolutions) {
  Model found = model(opset17(R"(g (float[1,1,2,2] x) => (float[1,2,2,2] y)
  <float[1,2,1,1] w = {1,2}, float[2] gamma = {2,3}, float[2] beta = {0,0}, float[2] mean = {0,0}, float[2] var = {1,1}> {
  a = ConvTranspose (x, w)
  y = BatchNormalization <epsilon = 0.0> (a, gamma, beta, mean, var)
})"));
  apply_pass(found, "fuse_conv_bn");
  const Node& conv = *found.graph->nodes().front();
  EXPECT_THAT(expect_ok(to_floats(*constant_of(conv.input(1)))), testing::ElementsAre(2, 6));
}

TEST(FuseConvBn, LeavesAConvolutionThatOthersRead) {
  std::string text = kConvBn;
  text.replace(text.find("=> (float[1,2,4,4] y)"), 21, "=> (float[1,2,4,4] y, float[1,2,4,4] z)");
  text.replace(text.rfind("}"), 1, "z = Relu (a) }");
  expect_unchanged("fuse_conv_bn", opset17(text));
}

TEST(FuseConvBn, LeavesTrainingForm) {
  std::string text = kConvBn;
  text.replace(text.find("<epsilon = 0.0>"), 15, "<epsilon = 0.0, training_mode = 1>");
  text.replace(text.find("y = Batch"), 1, "y, m, v");
  expect_unchanged("fuse_conv_bn", opset17(text));
}

}  // namespace
}  // namespace tarmac::test
