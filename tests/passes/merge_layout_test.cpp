// Chains of nodes that move elements or rename axes.
#include "passes/fusion_harness.h"

namespace tarmac::test {
namespace {

class MergeTransposes : public FusionTest {};

TEST_F(MergeTransposes, ComposesTwoAndCancelsAPair) {
  expect_fused("merge_transposes", opset17(R"(g (float[2,3,4] x) => (float[3,4,2] y, float[2,3,4] z) {
    a = Transpose <perm = [2, 0, 1]> (x)
    b = Transpose <perm = [2, 0, 1]> (a)
    y = Relu (b)
    c = Transpose <perm = [1, 2, 0]> (a)
    z = Neg (c)
  })"),
               opset17(R"(g (float[2,3,4] x) => (float[3,4,2] y, float[2,3,4] z) {
    b = Transpose <perm = [1, 2, 0]> (x)
    y = Relu (b)
    z = Neg (x)
  })"));
}

TEST_F(MergeTransposes, ReadsAMissingPermutationAsReversed) {
  expect_fused("merge_transposes", opset17(R"(g (float[2,3,4] x) => (float[2,3,4] y) {
    a = Transpose (x)
    b = Transpose (a)
    y = Relu (b)
  })"),
               opset17("g (float[2,3,4] x) => (float[2,3,4] y) { y = Relu (x) }"));
}

TEST_F(MergeTransposes, TakesAWholeChainAtOnce) {
  std::string chain = "g (float[2,3,4] x) => (float[3,4,2] y) {\n a0 = Transpose <perm = [1, 2, 0]> (x)\n";
  for (int i = 0; i < 30; ++i)
    chain += " a" + std::to_string(i + 1) + " = Transpose <perm = [1, 2, 0]> (a" + std::to_string(i) + ")\n";
  expect_fused("merge_transposes", opset17(chain + " y = Relu (a30)\n}"), opset17(R"(
    g (float[2,3,4] x) => (float[3,4,2] y) { a = Transpose <perm = [1, 2, 0]> (x) y = Relu (a) })"));
}

TEST_F(MergeTransposes, LooksThroughElementwiseNodes) {
  expect_fused("merge_transposes", opset17(R"(g (float[1,4,4,3] x) => (float[1,4,4,3] y)
    <float low = {0.0}, float high = {6.0}> {
    a = Transpose <perm = [0, 3, 1, 2]> (x)
    b = Clip (a, low, high)
    c = Sigmoid (b)
    y = Transpose <perm = [0, 2, 3, 1]> (c)
  })"),
               opset17(R"(g (float[1,4,4,3] x) => (float[1,4,4,3] y) <float low = {0.0}, float high = {6.0}> {
    b = Clip (x, low, high)
    y = Sigmoid (b)
  })"));
}

TEST_F(MergeTransposes, LeavesElementwiseNodesThatOthersRead) {
  expect_left("merge_transposes", opset17(R"(g (float[2,3] x) => (float[2,3] y, float[3,2] z) {
    a = Transpose <perm = [1, 0]> (x)
    b = Relu (a)
    y = Transpose <perm = [1, 0]> (b)
    z = Neg (b)
  })"));
}

TEST_F(MergeTransposes, LeavesNodesThatLookAtAnAxisInBetween) {
  expect_left("merge_transposes", opset17(R"(g (float[2,3] x) => (float[2,3] y) {
    a = Transpose <perm = [1, 0]> (x)
    b = Softmax <axis = 0> (a)
    y = Transpose <perm = [1, 0]> (b)
  })"));
}

TEST_F(MergeTransposes, ReachesIntoNestedGraphs) {
  expect_fused("merge_transposes", opset17(R"(g (bool c, float[2,3] x) => (float[2,3] y) {
    a = Transpose <perm = [1, 0]> (x)
    y = If (c) <
      then_branch = t () => (float[2,3] p) { p = Transpose <perm = [1, 0]> (a) },
      else_branch = e () => (float[2,3] q) { q = Neg (x) }
    >
  })"),
               opset17(R"(g (bool c, float[2,3] x) => (float[2,3] y) {
    y = If (c) <
      then_branch = t () => (float[2,3] p) { p = Identity (x) },
      else_branch = e () => (float[2,3] q) { q = Neg (x) }
    >
  })"));
}

class MergeSqueezes : public FusionTest {};

TEST_F(MergeSqueezes, JoinsUnsqueezesAndSqueezes) {
  expect_fused("merge_squeezes",
               opset17(R"(g (float[2,3] x, float[1,2,1,3] u) => (float[1,2,1,3] y, float[2,3] z)
    <int64[1] zero = {0}, int64[1] last = {-2}, int64[1] one = {1}> {
    a = Unsqueeze (x, zero)
    y = Unsqueeze (a, last)
    b = Squeeze (u, zero)
    z = Squeeze (b, one)
  })"),
               opset17(R"(g (float[2,3] x, float[1,2,1,3] u) => (float[1,2,1,3] y, float[2,3] z)
    <int64[2] both = {0, 2}, int64[2] too = {0, 2}> {
    y = Unsqueeze (x, both)
    z = Squeeze (u, too)
  })"));
}

TEST_F(MergeSqueezes, CancelsAndShortens) {
  expect_fused("merge_squeezes", opset17(R"(g (float[N,3] x) => (float[N,3] y, float[1,N,3] z)
    <int64[1] one = {1}, int64[2] outer = {0, 3}, int64[1] last = {-1}> {
    a = Unsqueeze (x, one)
    b = Squeeze (a, one)
    y = Relu (b)
    c = Unsqueeze (x, outer)
    d = Squeeze (c, last)
    z = Relu (d)
  })"),
               opset17(R"(g (float[N,3] x) => (float[N,3] y, float[1,N,3] z) <int64[1] zero = {0}> {
    y = Relu (x)
    d = Unsqueeze (x, zero)
    z = Relu (d)
  })"));
}

TEST_F(MergeSqueezes, WritesAxesAsTheVersionDoes) {
  expect_fused("merge_squeezes", opset(11, R"(g (float[2,3] x) => (float[1,2,3,1] y) {
    a = Unsqueeze <axes = [0]> (x)
    y = Unsqueeze <axes = [3]> (a)
  })"),
               opset(11, "g (float[2,3] x) => (float[1,2,3,1] y) { y = Unsqueeze <axes = [0, 3]> (x) }"));
}

TEST_F(MergeSqueezes, LeavesAnAxisThatMoves) {
  expect_left("merge_squeezes", opset17(R"(g (float[1,3] x) => (float[3,1] y)
    <int64[1] zero = {0}, int64[1] one = {1}> {
    a = Squeeze (x, zero)
    y = Unsqueeze (a, one)
  })"));
}

TEST_F(MergeSqueezes, LeavesASqueezeOfWhateverIsOne) {
  expect_left("merge_squeezes", opset17(R"(g (float[N,1,3] x) => (float[A,B,C] y) <int64[1] zero = {0}> {
    a = Squeeze (x)
    y = Unsqueeze (a, zero)
  })"));
}

TEST_F(MergeSqueezes, MakesReductionsKeepTheirDimensions) {
  expect_fused("merge_squeezes", opset17(R"(g (float[2,3,4] x) => (float[2,1,4] y, float[2,4] z)
    <int64[1] axis = {1}, int64[1] back = {-2}> {
    a = ReduceSum <keepdims = 0> (x, axis)
    y = Unsqueeze (a, back)
    b = ReduceMax <axes = [-2]> (x)
    z = Squeeze (b, axis)
  })"),
               opset17(R"(g (float[2,3,4] x) => (float[2,1,4] y, float[2,4] z) <int64[1] axis = {1}> {
    y = ReduceSum <keepdims = 1> (x, axis)
    z = ReduceMax <axes = [-2], keepdims = 0> (x)
  })"));
}

TEST_F(MergeSqueezes, LeavesReductionsOfOtherAxes) {
  expect_left("merge_squeezes", opset17(R"(g (float[2,3,4] x) => (float[1,2,4] y)
    <int64[1] axis = {1}, int64[1] front = {0}> {
    a = ReduceSum <keepdims = 0> (x, axis)
    y = Unsqueeze (a, front)
  })"));
}

TEST_F(MergeSqueezes, GivesTheIndexOfAGatherADimension) {
  expect_fused(
      "merge_squeezes", opset17(R"(g (float[2,3] x) => (float[2,1] y, float[3] z)
    <int64 two = {2}, int64[1] axis = {1}, int64[1] first = {0}> {
    a = Gather <axis = 1> (x, two)
    y = Unsqueeze (a, axis)
    b = Gather (x, first)
    z = Squeeze (b, first)
  })"),
      opset17(R"(g (float[2,3] x) => (float[2,1] y, float[3] z) <int64[1] two = {2}, int64 first = {0}> {
    y = Gather <axis = 1> (x, two)
    z = Gather (x, first)
  })"));
}

class MergeReshapes : public FusionTest {};

TEST_F(MergeReshapes, KeepsTheLastOfAChain) {
  expect_fused("merge_reshapes", opset17(R"(g (float[2,12] x) => (float[6,4] y)
    <int64[3] s = {2, 3, 4}, int64[1] axis = {0}, int64[2] t = {-1, 4}> {
    a = Reshape (x, s)
    b = Unsqueeze (a, axis)
    c = Flatten (b)
    d = Reshape (c, t)
    y = Relu (d)
  })"),
               opset17(R"(g (float[2,12] x) => (float[6,4] y) <int64[2] t = {-1, 4}> {
    d = Reshape (x, t)
    y = Relu (d)
  })"));
}

TEST_F(MergeReshapes, ResolvesZerosAgainstTheSource) {
  expect_fused(
      "merge_reshapes", opset17(R"(g (float[N,12] x) => (float[N,3,4] y)
    <int64[4] s = {0, 3, 2, 2}, int64[3] t = {0, 0, 4}> {
    a = Reshape (x, s)
    y = Reshape (a, t)
  })"),
      opset17(R"(g (float[N,12] x) => (float[N,3,4] y) <int64[3] t = {-1, 3, 4}> { y = Reshape (x, t) })"));
}

TEST_F(MergeReshapes, CopiesSizesThatStayAndLeavesOneOpen) {
  expect_fused("merge_reshapes", opset17(R"(g (float[N,M,6] x) => (float[N,M,2,3] y)
    <int64[3] s = {0, 0, 6}, int64[4] t = {0, 0, 2, 3}, int64[1] axis = {0}> {
    a = Unsqueeze (x, axis)
    b = Squeeze (a, axis)
    c = Reshape (b, t)
    y = Relu (c)
  })"),
               opset17(R"(g (float[N,M,6] x) => (float[N,M,2,3] y) <int64[4] t = {0, 0, 2, 3}> {
    c = Reshape (x, t)
    y = Relu (c)
  })"));
}

TEST_F(MergeReshapes, RemovesAChainThatReturnsToItsShape) {
  expect_fused("merge_reshapes", opset17(R"(g (float[N,3,4] x) => (float[N,3,4] y)
    <int64[2] s = {-1, 12}, int64[3] t = {-1, 3, 4}> {
    a = Reshape (x, s)
    b = Reshape (a, t)
    y = Relu (b)
  })"),
               opset17("g (float[N,3,4] x) => (float[N,3,4] y) { y = Relu (x) }"));
}

TEST_F(MergeReshapes, LeavesZerosThatOnlyTheInnerReshapeKnows) {
  expect_left("merge_reshapes", opset17(R"(g (float[A,B] x, int64[3] s) => (float[C,D,E,F] y)
    <int64[4] t = {0, 0, 2, -1}> {
    a = Reshape (x, s)
    y = Reshape (a, t)
  })"));
}

TEST_F(MergeReshapes, LeavesAShapeThatOthersShare) {
  expect_left("merge_reshapes", opset17(R"(g (float[2,6] x) => (float[12] y, float[1,12] z)
    <int64[1] s = {-1}, int64[1] axis = {0}> {
    y = Reshape (x, s)
    z = Unsqueeze (y, axis)
  })"));
}

TEST_F(MergeReshapes, SettlesAShapeWithOneComputedSize) {
  expect_fused("merge_reshapes", opset17(R"(g (float[A,B] x) => (float[C,D,E] y)
    <int64[2] rest = {3, 2}, int64 six = {6}, int64[1] axis = {0}> {
    count = Size (x)
    parts = Div (count, six)
    n = Unsqueeze (parts, axis)
    s = Concat <axis = 0> (n, rest)
    y = Reshape (x, s)
  })"),
               opset17(R"(g (float[A,B] x) => (float[C,3,2] y) <int64[3] s = {-1, 3, 2}> {
    y = Reshape (x, s)
  })"));
}

TEST_F(MergeReshapes, LeavesAnEmptyTensorsZeros) {
  expect_left("merge_reshapes", opset17(R"(g (float[0,4] x) => (float[0,2,2] y)
    <int64[3] s = {0, 4, 1}, int64[3] t = {0, 2, 2}> {
    a = Reshape <allowzero = 1> (x, s)
    b = Relu (a)
    y = Reshape <allowzero = 1> (b, t)
  })"));
}

class MergeSlices : public FusionTest {};

TEST_F(MergeSlices, JoinsAxes) {
  expect_fused("merge_slices", opset17(R"(g (float[N,6] x) => (float[A,2] y)
    <int64[1] one = {1}, int64[1] three = {3}, int64[1] zero = {0}, int64[1] last = {-1}, int64[1] five = {5}, int64[1] two = {2}> {
    a = Slice (x, one, three, zero)
    y = Slice (a, one, five, last, two)
  })"),
               opset17(R"(g (float[N,6] x) => (float[A,2] y)
    <int64[2] s = {1, 1}, int64[2] e = {3, 5}, int64[2] axes = {0, 1}, int64[2] steps = {1, 2}> {
    y = Slice (x, s, e, axes, steps)
  })"));
}

TEST_F(MergeSlices, ComposesRangesOfAKnownAxis) {
  expect_fused("merge_slices", opset17(R"(g (float[10] x) => (float[2] y)
    <int64[1] s = {-2}, int64[1] e = {-10}, int64[1] axis = {0}, int64[1] back = {-2}, int64[1] one = {1}, int64[1] end = {3}> {
    a = Slice (x, s, e, axis, back)
    y = Slice (a, one, end)
  })"),
               opset17(R"(g (float[10] x) => (float[2] y)
    <int64[1] s = {6}, int64[1] e = {3}, int64[1] axis = {0}, int64[1] back = {-2}> {
    y = Slice (x, s, e, axis, back)
  })"));
}

TEST_F(MergeSlices, ComposesPlainRangesOfAnUnknownAxis) {
  expect_fused(
      "merge_slices", opset17(R"(g (float[N] x) => (float[A] y)
    <int64[1] one = {1}, int64[1] far = {9223372036854775807}, int64[1] five = {5}> {
    a = Slice (x, one, far)
    y = Slice (a, one, five)
  })"),
      opset17(R"(g (float[N] x) => (float[A] y) <int64[1] s = {2}, int64[1] e = {6}, int64[1] axis = {0}> {
    y = Slice (x, s, e, axis)
  })"));
}

TEST_F(MergeSlices, LeavesEndsThatCountFromAnUnknownEnd) {
  expect_left("merge_slices", opset17(R"(g (float[N] x) => (float[A] y)
    <int64[1] one = {1}, int64[1] last = {-1}> {
    a = Slice (x, one, last)
    y = Slice (a, one, last)
  })"));
}

TEST_F(MergeSlices, WritesAttributesBeforeVersion10) {
  expect_fused("merge_slices", opset(9, R"(g (float[4,6] x) => (float[2,3] y) {
    a = Slice <starts = [1], ends = [3], axes = [0]> (x)
    y = Slice <starts = [0, 2], ends = [2, 5]> (a)
  })"),
               opset(9, R"(g (float[4,6] x) => (float[2,3] y) {
    y = Slice <starts = [1, 2], ends = [3, 5], axes = [0, 1]> (x)
  })"));
}

class MergeConcats : public FusionTest {};

TEST_F(MergeConcats, SplicesConcatsOfTheSameAxis) {
  expect_fused("merge_concats", opset17(R"(g (float[2,3] a, float[2,4] b, float[2,5] c) => (float[2,15] y) {
    ab = Concat <axis = -1> (a, b)
    y = Concat <axis = 1> (a, ab, c)
  })"),
               opset17(R"(g (float[2,3] a, float[2,4] b, float[2,5] c) => (float[2,15] y) {
    y = Concat <axis = 1> (a, a, b, c)
  })"));
}

TEST_F(MergeConcats, LeavesOtherAxesAndSharedConcats) {
  expect_left("merge_concats", opset17(R"(g (float[2,3] a, float[2,3] b) => (float[4,6] y, float[2,6] z) {
    ab = Concat <axis = 1> (a, b)
    c = Concat <axis = 0> (ab, ab)
    y = Relu (c)
    z = Neg (ab)
  })"));
}

TEST_F(MergeConcats, PutsPiecesBackTogether) {
  expect_fused("merge_concats", opset17(R"(g (float[2,6] x, float[N,3] u) => (float[2,6] y, float[M,3] z)
    <int64[2] sizes = {2, 4}, int64[1] zero = {0}, int64[1] two = {2}, int64[1] far = {2147483647}> {
    a, b = Split <axis = 1> (x, sizes)
    c = Concat <axis = 1> (a, b)
    y = Relu (c)
    d = Slice (u, zero, two)
    e = Slice (u, two, far)
    f = Concat <axis = 0> (d, e)
    z = Relu (f)
  })"),
               opset17(R"(g (float[2,6] x, float[N,3] u) => (float[2,6] y, float[M,3] z) {
    y = Relu (x)
    z = Relu (u)
  })"));
}

TEST_F(MergeConcats, LeavesPiecesThatAreSwappedOrMissing) {
  expect_left("merge_concats", opset17(R"(g (float[2,6] x) => (float[2,6] y, float[2,4] z)
    <int64[1] zero = {0}, int64[1] one = {1}, int64[1] two = {2}, int64[1] four = {4}> {
    a, b, c = Split <axis = 1> (x)
    y = Concat <axis = 1> (a, c, b)
    d = Slice (x, zero, two, one)
    e = Slice (x, two, four, one)
    z = Concat <axis = 1> (d, e)
  })"));
}

TEST_F(MergeConcats, JoinsNeighbouringGathers) {
  expect_fused("merge_concats", opset17(R"(g (float[A,B,C] x) => (int64[3] y)
    <int64[1] zero = {0}, int64[1] one = {1}, int64[1] seven = {7}> {
    s = Shape (x)
    b = Gather (s, one)
    a = Gather (s, zero)
    y = Concat <axis = 0> (b, a, seven)
  })"),
               opset17(R"(g (float[A,B,C] x) => (int64[3] y) <int64[2] both = {1, 0}, int64[1] seven = {7}> {
    s = Shape (x)
    a = Gather <axis = 0> (s, both)
    y = Concat <axis = 0> (a, seven)
  })"));
}

TEST_F(MergeConcats, DropsEmptyInputs) {
  expect_fused("merge_concats", opset17(R"(g (float[2,0] a, float[2,3] b, float[2,1] c) => (float[2,4] y) {
    y = Concat <axis = 1> (a, b, c)
  })"),
               opset17(R"(g (float[2,0] a, float[2,3] b, float[2,1] c) => (float[2,4] y) {
    y = Concat <axis = 1> (b, c)
  })"));
}

TEST_F(MergeConcats, TakesAnInputBackOutOfAConcat) {
  expect_fused("merge_concats", opset17(R"(g (float[2,3] a, float[2,4] b) => (float[2,7] y, float[2,4] z)
    <int64[1] one = {1}, int64[1] three = {3}, int64[1] far = {9999}> {
    y = Concat <axis = 1> (a, b)
    c = Slice (y, three, far, one)
    z = Relu (c)
  })"),
               opset17(R"(g (float[2,3] a, float[2,4] b) => (float[2,7] y, float[2,4] z) {
    y = Concat <axis = 1> (a, b)
    z = Relu (b)
  })"));
}

}  // namespace
}  // namespace tarmac::test
