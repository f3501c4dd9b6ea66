#include "passes/infer_shapes.h"

#include "passes/pass_harness.h"

namespace tarmac::test {
namespace {

constexpr const char* kPass = "fold_shape_computations";

/// Rewrites, with the nodes that became dead removed.
void expect_folded(const std::string& before, const std::string& after) {
  Model found = model(opset17(before));
  Model expected = model(opset17(after));
  expect_ok(infer_shapes(expected));
  OptimizeOptions options;
  options.only = {"infer_shapes", kPass, "eliminate_dead_code"};
  expect_ok(optimize(found, options));
  expect_consistent(found);
  EXPECT_EQ(structural_difference(found, expected), "") << model_to_text(found);
  EXPECT_TRUE(expect_ok(optimize(found, options)).changes.empty()) << "a second run changed something";
}

TEST(FoldShapeComputations, KnowsTheSizesThatAreFixedWhereOthersAreNot) {
  expect_folded(
      R"(g (float[N,3,8] x, float[24] z) => (float[A] y) <int64[2] last = {1, 2}, int64[1] all = {-1}> {
    s = Shape (x)
    d = Gather (s, last)
    p = ReduceProd (d)
    y = Expand (z, p)
  })",
      R"(g (float[N,3,8] x, float[24] z) => (float[A] y) <int64[1] p = {24}> { y = Expand (z, p) })");
}

TEST(FoldShapeComputations, LeavesTheOneOpenSizeToReshape) {
  expect_folded(
      R"(g (float[N,3,8] x) => (float[A,B,C,D] y)
    <int64 zero = {0}, int64[1] axis = {0}, int64[1] three = {3}, int64[1] two = {2}, int64[1] four = {4}> {
    s = Shape (x)
    n = Gather (s, zero)
    m = Unsqueeze (n, axis)
    t = Concat <axis = 0> (m, three, two, four)
    y = Reshape (x, t)
  })",
      "g (float[N,3,8] x) => (float[A,B,C,D] y) <int64[4] t = {-1, 3, 2, 4}> { y = Reshape (x, t) }");
}

TEST(FoldShapeComputations, KeepsASizeThatStaysWhereAnotherIsOpen) {
  expect_folded(
      R"(g (float[N,L,8] x) => (float[A,B,C] y) <int64[1] i = {0}, int64[1] j = {1}, int64[1] last = {-1}, int64[1] two = {2}> {
    s = Shape (x)
    n = Gather (s, i)
    t = Concat <axis = 0> (n, last, two)
    y = Reshape (x, t)
  })",
      "g (float[N,L,8] x) => (float[A,B,C] y) <int64[3] t = {0, -1, 2}> { y = Reshape (x, t) }");
}

TEST(FoldShapeComputations, KeepsWhatReshapeCannotFind) {
  // Two sizes that are neither known nor the input's at their place.
  expect_unchanged(kPass, opset17(R"(g (float[N,L,8] x, float[P,Q] z) => (float[A,B] y) {
    t = Shape (z)
    y = Reshape (x, t)
  })"));
  // A zero that another operator computed would mean "as in the input".
  expect_unchanged(kPass, opset17(R"(g (float[N,8] x, int64[1] n) => (float[A,8] y) <int64[1] zero = {0}> {
    t = Concat <axis = 0> (n, zero)
    y = Reshape (x, t)
  })"));
}

TEST(FoldShapeComputations, FollowsTheExportersTestForMinusOne) {
  // torch's expand(-1, …): Where(Equal(shape, -1), ones, shape).
  expect_folded(
      R"(g (float[N,1,8] x, float[N,4] z) => (float[A,B,C] y)
    <int64[1] three = {3}, int64[1] i = {0}, int64[1] four = {4}, int64[1] eight = {8}, int64[3] minus = {-1,-1,-1}> {
    s = Shape (z)
    n = Gather (s, i)
    t = Concat <axis = 0> (n, four, eight)
    e = Equal (t, minus)
    o = ConstantOfShape <value = int64[1] {1}> (three)
    w = Where (e, o, t)
    y = Expand (x, w)
  })",
      "g (float[N,1,8] x, float[N,4] z) => (float[A,B,C] y) <int64[3] w = {1, 4, 8}> { y = Expand (x, w) }");
}

TEST(FoldShapeComputations, MakesScalesOfSizesWhoseBatchIsOpen) {
  expect_folded(R"(g (float[N,3,8,8] x) => (float[A,B,C,D] y)
    <int64[1] from = {0}, int64[1] to = {2}, int64[2] big = {16, 24}> {
    s = Shape (x)
    n = Slice (s, from, to)
    t = Concat <axis = 0> (n, big)
    y = Resize <mode = "nearest"> (x, , , t)
  })",
                R"(g (float[N,3,8,8] x) => (float[A,B,C,D] y) <float[4] c = {1.0, 1.0, 2.0, 3.0}> {
    y = Resize <mode = "nearest"> (x, , c) })");
}

TEST(FoldShapeComputations, SlicesToTheEndOfAnOpenAxis) {
  expect_folded(
      R"(g (float[N,L,8] x) => (float[A,B,C] y) <int64[1] i = {1}, int64[1] from = {1}, int64[1] axis = {1}> {
    s = Shape (x)
    l = Gather (s, i)
    y = Slice (x, from, l, axis)
  })",
      R"(g (float[N,L,8] x) => (float[A,B,C] y)
    <int64[1] from = {1}, int64[1] l = {9223372036854775807}, int64[1] axis = {1}> { y = Slice (x, from, l, axis) })");
}

TEST(FoldShapeComputations, KeepsModelOutputsAndUnknownSizes) {
  expect_unchanged(kPass, opset17("g (float[2,3] x) => (int64[2] y) { y = Shape (x) }"));
  expect_unchanged(kPass, opset17(R"(g (float[N,3] x) => (int64[1] y) <int64[1] i = {0}> {
    s = Shape (x)
    n = Gather (s, i)
    y = Neg (n)
  })"));
}

TEST(FoldShapeComputations, ReachesNestedGraphs) {
  expect_folded(R"(g (bool c, float[2,3] x) => (int64[1] y) <int64[1] i = {1}> {
    s = Shape (x)
    y = If (c) <
      then_branch = t () => (int64[1] p) { d = Gather (s, i) p = Neg (d) },
      else_branch = e () => (int64[1] q) { q = Neg (i) }>
  })",
                R"(g (bool c, float[2,3] x) => (int64[1] y) <int64[1] i = {1}> {
    y = If (c) <
      then_branch = t () => (int64[1] p) <int64[1] d = {3}> { p = Neg (d) },
      else_branch = e () => (int64[1] q) { q = Neg (i) }>
  })");
}

}  // namespace
}  // namespace tarmac::test
