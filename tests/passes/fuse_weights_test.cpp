// What moves into the weights of convolutions and matrix products.
#include "passes/fusion_harness.h"

namespace tarmac::test {
namespace {

/// "{v, v + 1, …}" / 4, `count` numbers.
std::string numbers(int count, int first = -3) {
  std::string text;
  for (int i = 0; i < count; ++i)
    text += (text.empty() ? "{" : ",") + std::to_string((first + i * 5 % 17) / 4.0);
  return text + "}";
}

/// The one node that is left, after the pass changed the model and both computed the same.
class FuseWeights : public FusionTest {
 protected:
  void expect_one_node(const std::string& pass, const std::string& text, const std::string& op_type,
                       Location where = Location::current()) {
    const testing::ScopedTrace trace(where.file, where.line, "expect_one_node");
    Model fused = model(text);
    EXPECT_FALSE(apply(fused, pass, nullptr).changes.empty());
    ASSERT_EQ(fused.graph->nodes().size(), 1U) << model_to_text(fused);
    EXPECT_EQ(fused.graph->nodes().front()->op_type, op_type);
    expect_fused(pass, text, model_to_text(fused, 1000), nullptr, 1e-4, where);
  }
};

const std::string kNormalization =
    "float[4] gamma = {2,0.5,-1,3}, float[4] beta = {0.5,1,2,-1}, float[4] mean = {1,2,-1,0}, float[4] var = "
    "{0.25,4,1,2}";

class FuseConvBnInto : public FuseWeights {};

TEST_F(FuseConvBnInto, AGroupedTransposedConvolution) {
  expect_one_node("fuse_conv_bn",
                  opset17("g (float[1,6,5,5] x) => (float[1,4,A,B] y) <float[6,2,3,3] w = " + numbers(108) +
                          ", float[4] b = {1,2,3,4}, " + kNormalization + R"(> {
    a = ConvTranspose <group = 2, strides = [2, 2]> (x, w, b)
    y = BatchNormalization (a, gamma, beta, mean, var)
  })"),
                  "ConvTranspose");
}

TEST_F(FuseConvBnInto, AGroupedConvolution) {
  expect_one_node("fuse_conv_bn",
                  opset17("g (float[1,4,5,5] x) => (float[1,4,A,B] y) <float[4,2,3,3] w = " + numbers(72) +
                          ", " + kNormalization + R"(> {
    a = Conv <group = 2, pads = [1, 1, 1, 1]> (x, w)
    y = BatchNormalization (a, gamma, beta, mean, var)
  })"),
                  "Conv");
}

TEST_F(FuseConvBnInto, GemmInEitherLayoutAndMatMul) {
  for (const std::string product :
       {"Gemm <alpha = 2.0, beta = 0.5> (x, w, c)", "Gemm <transB = 1> (x, v)", "MatMul (x, w)"}) {
    expect_one_node(
        "fuse_conv_bn",
        opset17("g (float[N,3] x) => (float[N,4] y) <float[3,4] w = " + numbers(12) +
                ", float[4,3] v = " + numbers(12) + ", float[1,4] c = {1,2,3,4}, " + kNormalization +
                "> { a = " + product + " y = BatchNormalization (a, gamma, beta, mean, var) }"),
        "Gemm");
  }
}

TEST_F(FuseConvBnInto, AnUnpaddedConvolutionBehindIt) {
  expect_one_node("fuse_conv_bn",
                  opset17("g (float[1,4,5,5] x) => (float[1,6,A,B] y) <float[6,2,3,3] w = " + numbers(108) +
                          ", float[6] b = {1,2,3,4,5,6}, " + kNormalization + R"(> {
    a = BatchNormalization (x, gamma, beta, mean, var)
    y = Conv <group = 2> (a, w, b)
  })"),
                  "Conv");
}

TEST_F(FuseConvBnInto, LeavesAPaddedConvolutionBehindIt) {
  expect_left("fuse_conv_bn", opset17("g (float[1,4,5,5] x) => (float[1,2,A,B] y) <float[2,4,3,3] w = " +
                                      numbers(72) + ", " + kNormalization + R"(> {
    a = BatchNormalization (x, gamma, beta, mean, var)
    y = Conv <pads = [1, 1, 1, 1]> (a, w)
  })"));
}

TEST_F(FuseConvBnInto, LeavesMatMulOfMoreAxesAndComputedParameters) {
  expect_left("fuse_conv_bn", opset17("g (float[2,4,3] x) => (float[2,4,5] y) <float[3,5] w = " +
                                      numbers(15) + ", " + kNormalization + R"(> {
    a = MatMul (x, w)
    y = BatchNormalization (a, gamma, beta, mean, var)
  })"));
  expect_left("fuse_conv_bn", opset17("g (float[1,1,2,2] x, float[1] m) => (float[1,1,2,2] y) "
                                      "<float[1,1,1,1] w = {2}, float[1] one = {1}> {"
                                      " a = Conv (x, w) y = BatchNormalization (a, one, one, m, one) }"));
}

TEST_F(FuseConvBnInto, LeavesWeightsThatWouldLeaveTheirType) {
  const auto scaled = [](float weight, float gamma) {
    return opset17("g (float16[1,1,2,2] x) => (float16[1,1,2,2] y) <float16[1,1,1,1] w = " +
                   halves({weight}) + ", float16[1] one = " + halves({1.0F}) +
                   ", float16[1] zero = " + halves({0.0F}) + ", float16[1] gamma = " + halves({gamma}) +
                   "> { a = Conv (x, w) y = BatchNormalization (a, gamma, zero, zero, one) }");
  };
  expect_left("fuse_conv_bn", scaled(400.0F, 400.0F), nullptr, "float16");
  expect_left("fuse_conv_bn", scaled(0.0037F, 0.001F), nullptr, "precision");
}

class FuseScaleBiasInto : public FuseWeights {};

TEST_F(FuseScaleBiasInto, ConvolutionsBeforeIt) {
  expect_one_node(
      "fuse_scale_bias",
      opset17("g (float[1,3,5,5] x) => (float[1,4,A,B] y) <float[4,3,3,3] w = " + numbers(108) +
              ", float[1,4,1,1] s = {1,2,3,4}, float[4,1,1] b = {4,3,2,1}, float h = {0.5}" + R"(> {
    a = Conv <pads = [1, 1, 1, 1]> (x, w)
    c = Mul (s, a)
    d = Add (c, b)
    e = Div (d, h)
    y = Sub (h, e)
  })"),
      "Conv");
  expect_one_node("fuse_scale_bias",
                  opset17("g (float[1,4,5,5] x) => (float[1,6,A,B] y) <float[4,3,2,2] w = " + numbers(48) +
                          ", float[6,1,1] s = {1,2,3,4,5,6}" + R"(> {
    a = ConvTranspose <group = 2> (x, w)
    c = Mul (a, s)
    y = Sub (c, s)
  })"),
                  "ConvTranspose");
}

TEST_F(FuseScaleBiasInto, GemmBeforeIt) {
  expect_one_node("fuse_scale_bias",
                  opset17("g (float[N,3] x) => (float[N,4] y) <float[3,4] w = " + numbers(12) +
                          ", float c = {2}, float[4] s = {1,2,3,4}" + R"(> {
    a = Gemm <beta = 3.0> (x, w, c)
    b = Mul (a, s)
    y = Add (b, s)
  })"),
                  "Gemm");
}

TEST_F(FuseScaleBiasInto, AConvolutionBehindIt) {
  expect_one_node("fuse_scale_bias",
                  opset17("g (float[1,3,5,5] x) => (float[1,4,A,B] y) <float[4,3,3,3] w = " + numbers(108) +
                          ", float[1,3,1,1] m = {1,2,3}, float[3,1,1] s = {4,5,6}" + R"(> {
    a = Sub (x, m)
    c = Div (a, s)
    y = Conv (c, w)
  })"),
                  "Conv");
}

TEST_F(FuseScaleBiasInto, APaddedConvolutionTakesTheScaleOnly) {
  const std::string constants = ", float[3,1,1] m = {1,2,3}, float[3,1,1] s = {4,5,8}";
  Model found = model(opset17(
      "g (float[1,3,5,5] x) => (float[1,4,5,5] y) <float[4,3,3,3] w = " + numbers(108) + constants + R"(> {
    a = Sub (x, m)
    c = Mul (a, s)
    y = Conv <pads = [1, 1, 1, 1]> (c, w)
  })"));
  EXPECT_EQ(apply(found, "fuse_scale_bias", nullptr).changes.size(), 1U);
  ASSERT_EQ(found.graph->nodes().size(), 2U);
  EXPECT_EQ(found.graph->nodes().front()->op_type, "Sub");
}

TEST_F(FuseScaleBiasInto, LeavesWhatIsNotPerChannel) {
  const std::string head =
      "g (float[1,2,3,4] x) => (float[1,4,3,4] y) <float[4,2,1,1] w = {1,2,3,4,5,6,7,8}, ";
  for (const std::string& constant :
       {std::string("float[4] c = {1,2,3,4}"), std::string("float[1,1,3,1] c = {1,2,3}"),
        "float[1,4,3,4] c = " + numbers(48)}) {
    expect_left("fuse_scale_bias", opset17(head + constant + "> { a = Conv (x, w) y = Add (a, c) }"));
  }
  expect_left("fuse_scale_bias", opset17(head + "float c = {2}> { a = Conv (x, w) y = Div (c, a) }"));
  expect_left("fuse_scale_bias", opset17("g (float[1,2,3,4] x) => (float[1,1,4,3,4] y) "
                                         "<float[4,2,1,1] w = {1,2,3,4,5,6,7,8}, float[1,1,1,1,1] c = {2}> {"
                                         " a = Conv (x, w) y = Mul (a, c) }"));
}

TEST_F(FuseScaleBiasInto, LeavesABroadcastInFrontOfAConvolution) {
  expect_left("fuse_scale_bias", opset17(R"(g (float[1,1,2,2] x) => (float[1,1,2,2] y)
    <float[3,1,1] s = {1,2,3}, float[1,3,1,1] w = {1,2,3}> {
    a = Mul (x, s)
    y = Conv (a, w)
  })"));
}

TEST_F(FuseScaleBiasInto, LeavesWeightsThatAreDequantized) {
  expect_left("fuse_scale_bias", opset17(R"(g (float[1,1,2,2] x) => (float[1,1,2,2] y)
    <int8[1,1,1,1] q = {3}, float scale = {0.5}, float two = {2}> {
    w = DequantizeLinear (q, scale)
    a = Conv (x, w)
    y = Mul (a, two)
  })"));
}

TEST_F(FuseScaleBiasInto, ABiasAloneLeavesTheWeightsAsTheyAre) {
  Model found =
      model(opset17("g (float[1,1,2,2] x) => (float[1,1,2,2] y) <float[1,1,1,1] w = {2}, float[1] c = "
                    "{3}> { a = Conv (x, w) y = Add (a, c) }"));
  const std::byte* const before = found.graph->find("w")->initializer()->bytes().data();
  apply(found, "fuse_scale_bias", nullptr);
  const Node& conv = *found.graph->nodes().front();
  EXPECT_EQ(conv.input(1)->initializer()->bytes().data(), before);
  EXPECT_EQ(expect_ok(to_floats(*constant_of(conv.input(2))))[0], 3.0F);
}

class FuseMatmulAdd : public FusionTest {};

TEST_F(FuseMatmulAdd, MakesGemm) {
  expect_fused("fuse_matmul_add",
               opset17("g (float[N,3] x) => (float[N,4] y) <float[3,4] w = " + numbers(12) +
                       ", float[4] b = {1,2,3,4}> { a = MatMul (x, w) y = Add (b, a) }"),
               opset17("g (float[N,3] x) => (float[N,4] y) <float[3,4] w = " + numbers(12) +
                       ", float[4] b = {1,2,3,4}> { y = Gemm (x, w, b) }"));
}

TEST_F(FuseMatmulAdd, TakesABiasThatIsComputedAfterTheProduct) {
  expect_fused("fuse_matmul_add", opset17(R"(g (float[2,3] x, float[3,4] w, float[4] c) => (float[2,4] y) {
    a = MatMul (x, w)
    b = Relu (c)
    y = Add (a, b)
  })"),
               opset17(R"(g (float[2,3] x, float[3,4] w, float[4] c) => (float[2,4] y) {
    b = Relu (c)
    y = Gemm (x, w, b)
  })"));
}

TEST_F(FuseMatmulAdd, ReadsMatricesTransposed) {
  expect_fused("fuse_matmul_add", opset17(R"(g (float[3,2] x, float[4,3] w) => (float[2,4] y) {
    a = Transpose <perm = [1, 0]> (x)
    b = Transpose (w)
    y = MatMul (a, b)
  })"),
               opset17(R"(g (float[3,2] x, float[4,3] w) => (float[2,4] y) {
    y = Gemm <transA = 1, transB = 1> (x, w)
  })"));
  expect_fused("fuse_matmul_add", opset17(R"(g (float[2,3] x, float[3,4] w) => (float[2,4] y) {
    b = Transpose <perm = [1, 0]> (w)
    y = Gemm <transB = 1> (x, b)
  })"),
               opset17("g (float[2,3] x, float[3,4] w) => (float[2,4] y) { y = Gemm <transB = 0> (x, w) }"));
}

TEST_F(FuseMatmulAdd, LeavesMoreAxesWiderBiasesSharedProductsAndIntegers) {
  expect_left("fuse_matmul_add", opset17(R"(g (float[2,5,3] x, float[3,4] w, float[4] b) => (float[2,5,4] y) {
    a = MatMul (x, w)
    y = Add (a, b)
  })"));
  expect_left("fuse_matmul_add", opset17(R"(g (float[1,3] x, float[3,4] w, float[2,4] b) => (float[2,4] y) {
    a = MatMul (x, w)
    y = Add (a, b)
  })"));
  expect_left("fuse_matmul_add", opset17(R"(g (float[N,3] x, float[3,4] w, float[M,4] b) => (float[A,4] y) {
    a = MatMul (x, w)
    y = Add (a, b)
  })"));
  expect_left("fuse_matmul_add",
              opset17(R"(g (float[2,3] x, float[3,4] w, float[4] b) => (float[2,4] y, float[2,4] z) {
    a = MatMul (x, w)
    y = Add (a, b)
    z = Neg (a)
  })"));
  expect_left("fuse_matmul_add", opset17(R"(g (int32[2,3] x, int32[3,4] w, int32[4] b) => (int32[2,4] y) {
    a = MatMul (x, w)
    y = Add (a, b)
  })"));
}

}  // namespace
}  // namespace tarmac::test
