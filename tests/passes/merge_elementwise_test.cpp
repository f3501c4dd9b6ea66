// Chains of nodes that change elements one by one, and padding.
#include "passes/fusion_harness.h"

namespace tarmac::test {
namespace {

class MergeCasts : public FusionTest {};

TEST_F(MergeCasts, CastsStraightWhereNothingWasLost) {
  expect_fused("merge_casts", opset17(R"(g (float16[3] x, int32[3] n) => (float16[3] y, int16[3] m) {
    a = Cast <to = 1> (x)
    b = Cast <to = 10> (a)
    y = Relu (b)
    c = Cast <to = 7> (n)
    m = Cast <to = 5> (c)
  })"),
               opset17(R"(g (float16[3] x, int32[3] n) => (float16[3] y, int16[3] m) {
    y = Relu (x)
    m = Cast <to = 5> (n)
  })"));
}

TEST_F(MergeCasts, LeavesCastsThatRoundOrWrap) {
  expect_left("merge_casts",
              opset17(R"(g (float[3] x, int64[3] n, uint8[3] u) => (float[3] y, int64[3] m, float[3] v) {
    a = Cast <to = 10> (x)
    y = Cast <to = 1> (a)
    b = Cast <to = 6> (n)
    m = Cast <to = 7> (b)
    c = Cast <to = 3> (u)
    v = Cast <to = 1> (c)
  })"));
}

TEST_F(MergeCasts, LeavesAFloatsWayToAnInteger) {
  expect_left("merge_casts", opset17(R"(g (float16[3] x) => (int32[3] y) {
    a = Cast <to = 1> (x)
    y = Cast <to = 6> (a)
  })"));
}

TEST_F(MergeCasts, NamesTheTypeOfCastLike) {
  expect_fused("merge_casts", opset17("g (float[3] x, double[2] d) => (double[3] y) { y = CastLike (x, d) }"),
               opset17("g (float[3] x, double[2] d) => (double[3] y) { y = Cast <to = 11> (x) }"));
}

class MergeClips : public FusionTest {};

TEST_F(MergeClips, ClipsOnce) {
  expect_fused("merge_clips", opset17(R"(g (float[8] x) => (float[8] y, float[8] z)
    <float low = {-1.0}, float high = {2.0}, float more = {1.0}, float six = {6.0}> {
    a = Clip (x, low, high)
    b = Relu (a)
    y = Clip (b, , more)
    c = Relu (x)
    z = Clip (c, , six)
  })"),
               opset17(R"(g (float[8] x) => (float[8] y, float[8] z)
    <float zero = {0.0}, float more = {1.0}, float none = {0.0}, float six = {6.0}> {
    y = Clip (x, zero, more)
    z = Clip (x, none, six)
  })"));
}

TEST_F(MergeClips, DropsBoundsThatHoldAlready) {
  expect_fused("merge_clips",
               opset17(R"(g (float[8] x) => (float[8] y) <float zero = {0.0}, float six = {6.0}> {
    a = Relu (x)
    b = Relu (a)
    c = Clip (b, zero, six)
    d = Relu (c)
    y = Neg (d)
  })"),
               opset17(R"(g (float[8] x) => (float[8] y) <float zero = {0.0}, float six = {6.0}> {
    c = Clip (x, zero, six)
    y = Neg (c)
  })"));
}

TEST_F(MergeClips, WritesAttributesBeforeVersion11) {
  expect_fused("merge_clips", opset(10, R"(g (float[8] x) => (float[8] y) {
    a = Relu (x)
    y = Clip <max = 6.0> (a)
  })"),
               opset(10, "g (float[8] x) => (float[8] y) { y = Clip <min = 0.0, max = 6.0> (x) }"));
}

TEST_F(MergeClips, LeavesComputedBoundsAndIntegers) {
  expect_left("merge_clips", opset17(R"(g (float[8] x, float b, int32[8] n) => (float[8] y, int32[8] m)
    <int32 one = {1}> {
    a = Relu (x)
    y = Clip (a, b)
    c = Relu (n)
    m = Clip (c, one)
  })"));
}

class MergePads : public FusionTest {};

TEST_F(MergePads, AddsUpPaddingOfTheSameValue) {
  expect_fused(
      "merge_pads", opset(18, R"(g (float[2,3] x) => (float[4,8] y)
    <int64[4] p = {1,0,0,2}, int64[2] q = {1,2}, int64[1] axis = {-1}, int64[2] r = {1,0}, int64[1] first = {0}> {
    a = Pad (x, p)
    b = Pad (a, q, , axis)
    y = Pad (b, r, , first)
  })"),
      opset(18, R"(g (float[2,3] x) => (float[4,8] y) <int64[4] p = {2,1,0,4}> { y = Pad (x, p) })"));
}

TEST_F(MergePads, LeavesOtherValuesModesAndCrops) {
  expect_left("merge_pads", opset17(R"(g (float[6] x) => (float[10] y, float[10] z, float[7] w)
    <int64[2] p = {1,1}, int64[2] crop = {0,-1}, float one = {1.0}> {
    a = Pad (x, p)
    y = Pad (a, p, one)
    b = Pad <mode = "reflect"> (x, p)
    z = Pad <mode = "reflect"> (b, p)
    c = Pad (x, p)
    w = Pad (c, crop)
  })"));
}

constexpr const char* kWindow = R"(g (float[1,1,4,4] x) => (float[1,1,SIZE] y)
    <int64[8] p = {0,0,1,2,0,0,1,0}, float[1,1,3,3] w = {1,2,3,4,5,6,7,8,9}> {
    r = Relu (x)
    a = Pad (r, p)
    y = NODE
  })";

std::string window(const std::string& node, const std::string& size = "A,B") {
  std::string text = kWindow;
  text.replace(text.find("NODE"), 4, node);
  return opset17(text.replace(text.find("SIZE"), 4, size));
}

std::string merged(const std::string& node, const std::string& size) {
  return opset17("g (float[1,1,4,4] x) => (float[1,1," + size +
                 "] y) <float[1,1,3,3] w = {1,2,3,4,5,6,7,8,9}> { r = Relu (x) y = " + node + " }");
}

TEST_F(MergePads, PadsInsideAConvolution) {
  expect_fused("merge_pads", window("Conv <pads = [1, 0, 0, 1]> (a, w)", "5,5"),
               merged("Conv <pads = [2, 2, 1, 1]> (r, w)", "5,5"));
}

TEST_F(MergePads, PadsInsidePooling) {
  expect_fused(
      "merge_pads", window("AveragePool <kernel_shape = [3, 3]> (a)", "4,4"),
      merged("AveragePool <kernel_shape = [3, 3], pads = [1, 2, 1, 0], count_include_pad = 1> (r)", "4,4"));
  expect_fused("merge_pads", window("MaxPool <kernel_shape = [3, 3], strides = [2, 2]> (a)", "2,2"),
               merged("MaxPool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 2, 1, 0]> (r)", "2,2"));
}

TEST_F(MergePads, LeavesPoolingThatTreatsPaddingOtherwise) {
  expect_left("merge_pads",
              window("AveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (a)"));  // leaves its own out
  expect_left("merge_pads",
              window("AveragePool <kernel_shape = [3, 3], ceil_mode = 1, strides = [2, 2]> (a)"));
  expect_left("merge_pads", window("MaxPool <kernel_shape = [2, 2]> (a)"));  // windows of padding alone
  expect_left("merge_pads", window("Conv <auto_pad = \"SAME_UPPER\"> (a, w)"));
  std::string signed_input = window("MaxPool <kernel_shape = [3, 3]> (a)");
  expect_left("merge_pads", signed_input.replace(signed_input.find("Relu"), 4, "Neg"));
}

class FuseConstantArithmetic : public FusionTest {};

TEST_F(FuseConstantArithmetic, CombinesFactorsAndTerms) {
  expect_fused("fuse_constant_arithmetic", opset17(R"(g (float[2,3] x) => (float[2,3] y, float[2,3] z)
    <float a = {2.0}, float[3] b = {1,2,4}, float[1] c = {8.0}, float[3] d = {3,4,5}> {
    t = Mul (x, a)
    u = Div (t, b)
    y = Mul (c, u)
    v = Sub (x, a)
    z = Add (v, d)
  })"),
               opset17(R"(g (float[2,3] x) => (float[2,3] y, float[2,3] z)
    <float[3] m = {16,8,4}, float[3] s = {1,2,3}> {
    y = Mul (x, m)
    z = Add (x, s)
  })"));
}

TEST_F(FuseConstantArithmetic, KeepsDivisorsAndSubtrahends) {
  expect_fused(
      "fuse_constant_arithmetic", opset17(R"(g (float[2,3] x) => (float[2,3] y, float[2,3] z)
    <float a = {2.0}, float b = {8.0}> {
    t = Div (x, a)
    y = Div (t, b)
    u = Div (x, a)
    z = Mul (u, b)
  })"),
      opset17(R"(g (float[2,3] x) => (float[2,3] y, float[2,3] z) <float m = {16.0}, float n = {4.0}> {
    y = Div (x, m)
    z = Mul (x, n)
  })"));
}

TEST_F(FuseConstantArithmetic, LeavesWhatIsNotOneFactor) {
  // Another reader; an order that matters; a rounding trick; a constant that would grow.
  expect_left("fuse_constant_arithmetic", opset17(R"(g (float[2,3] x) => (float[2,3] y, float[2,3] z)
    <float a = {2.0}, float b = {8.0}> {
    t = Mul (x, a)
    y = Mul (t, b)
    z = Neg (t)
  })"));
  expect_left("fuse_constant_arithmetic", opset17(R"(g (float[2,3] x) => (float[2,3] y) <float a = {2.0}> {
    t = Sub (a, x)
    u = Add (t, a)
    v = Div (a, u)
    y = Mul (v, a)
  })"));
  expect_left("fuse_constant_arithmetic",
              opset17(R"(g (float[2,3] x) => (float[2,3] y) <float a = {8388608.0}> {
    t = Add (x, a)
    y = Sub (t, a)
  })"));
  expect_left("fuse_constant_arithmetic", opset17(R"(g (float[2,3] x) => (float[2,3] y)
    <float[2,1] a = {2,3}, float[3] b = {4,5,6}> {
    t = Mul (x, a)
    y = Mul (t, b)
  })"));
}

TEST_F(FuseConstantArithmetic, LeavesFactorsThatLeaveTheType) {
  expect_left("fuse_constant_arithmetic",
              opset17("g (float16[3] x) => (float16[3] y) <float16 a = " + halves({1000.0F}) +
                      ", float16 b = " + halves({100.0F}) + "> { t = Mul (x, a) y = Mul (t, b) }"));
}

}  // namespace
}  // namespace tarmac::test
