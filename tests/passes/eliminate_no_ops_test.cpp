#include "passes/fusion_harness.h"

namespace tarmac::test {
namespace {

class EliminateNoOpsOf : public FusionTest {
 protected:
  /// A graph in which `node` reads x and gives a, both of `type`.
  static std::string around(const std::string& type, const std::string& constants, const std::string& node) {
    return "g (" + type + " x) => (" + type + " y) <" + constants + "> { a = " + node + " y = Mul (a, a) }";
  }
  void expect_gone(const std::string& type, const std::string& constants, const std::string& node,
                   int version = 17, Location where = Location::current()) {
    expect_fused("eliminate_no_ops", opset(version, around(type, constants, node)),
                 opset(version, "g (" + type + " x) => (" + type + " y) { y = Mul (x, x) }"), nullptr, 0,
                 where);
  }
  static void expect_stays(const std::string& in, const std::string& out, const std::string& constants,
                           const std::string& node, Location where = Location::current()) {
    expect_left("eliminate_no_ops",
                opset17("g (" + in + " x) => (" + out + " y) <" + constants + "> { a = " + node +
                        " y = Mul (a, a) }"),
                nullptr, {}, where);
  }
};

TEST_F(EliminateNoOpsOf, NodesThatMoveNothing) {
  expect_gone("float[N,3]", "int64[1] z = {0}, int64[1] far = {9223372036854775807}", "Slice (x, z, far)");
  expect_gone("float[4,3]", "int64[2] z = {0, -9}, int64[2] far = {4, 3}", "Slice (x, z, far)");
  expect_gone("float[N,3]", "int64[2] r = {1, 1}", "Tile (x, r)");
  expect_gone("float[N,3]", "int64[2] s = {1, 3}", "Expand (x, s)");
  expect_gone("float[2,3]", "int64[3] i = {0, 1, 2}", "Gather <axis = -1> (x, i)");
  expect_gone("float[N,3]", "int64[1] s = {3}", "Split <axis = 1> (x, s)");
  expect_gone("float[N,3]", "float z = {0}", "Flatten (x)");
  expect_gone("float[N,3]", "int64[2] s = {-1, 3}", "Reshape (x, s)");
  expect_gone("float[N]", "float z = {0}", "Transpose (x)");
  expect_gone("float[1,4,2,2]", "float z = {0}", "DepthToSpace <blocksize = 1> (x)");
  expect_gone("float[1,4,2,2]", "float z = {0}", "AveragePool <kernel_shape = [1, 1]> (x)");
  expect_gone("float[1,4,2,2]", "float z = {0}", "MaxPool <kernel_shape = [1, 1], strides = [1, 1]> (x)");
  expect_gone("float[1,4,1,1]", "float z = {0}", "GlobalAveragePool (x)");
  expect_gone("float[2,1]", "int64[1] ax = {1}", "ReduceSum (x, ax)");
  expect_gone("float[N,3]", "int64[0] ax = {}", "ReduceSum <noop_with_empty_axes = 1> (x, ax)");
}

TEST_F(EliminateNoOpsOf, NeutralElements) {
  expect_gone("float[N,3]", "float[1] one = {1}", "Mul (one, x)");
  expect_gone("float[N,3]", "float[1] one = {1}", "Pow (x, one)");
  expect_gone("float[N,3]", "float[1,1] one = {1}", "Div (x, one)");
  expect_fused("eliminate_no_ops", opset17(R"(g (bool[N] x) => (bool[N] y) <bool t = {1}, bool f = {0}> {
    a = And (t, x)
    b = Or (a, f)
    c = Xor (b, f)
    d = Not (c)
    e = Not (d)
    y = Not (e)
  })"),
               opset17("g (bool[N] x) => (bool[N] y) { y = Not (x) }"));
}

TEST_F(EliminateNoOpsOf, WhereThatAlwaysTakesTheSame) {
  expect_gone("float[2,3]", "bool t = {1}, float z = {0}", "Where (t, x, z)");
  expect_gone("float[2,3]", "bool[3] f = {0, 0, 0}, float z = {0}", "Where (f, z, x)");
  expect_stays("float[2,3]", "float[2,3]", "bool[3] t = {1, 0, 1}, float z = {0}", "Where (t, x, z)");
  expect_stays("float[3]", "float[2,3]", "bool[2,1] t = {1, 1}, float z = {0}", "Where (t, x, z)");
}

TEST_F(EliminateNoOpsOf, WhatWasSettledBefore) {
  expect_fused("eliminate_no_ops", opset17(R"(g (float[4] x) => (float[4] y, float[4] z) {
    a = Sigmoid (x)
    b = Relu (a)
    c = Abs (b)
    y = Neg (c)
    d = Floor (x)
    e = Round (d)
    f = Neg (e)
    h = Neg (f)
    z = Relu (h)
  })"),
               opset17(R"(g (float[4] x) => (float[4] y, float[4] z) {
    a = Sigmoid (x)
    y = Neg (a)
    d = Floor (x)
    z = Relu (d)
  })"));
}

TEST_F(EliminateNoOpsOf, NothingThatLooksAlike) {
  expect_stays("float[N,3]", "float[M,3]", "int64[1] z = {1}, int64[1] far = {9223372036854775807}",
               "Slice (x, z, far)");
  expect_stays("float[N,3]", "float[M,3]", "int64[1] z = {0}, int64[1] last = {-1}", "Slice (x, z, last)");
  expect_stays("float[4]", "float[4]", "int64[1] s = {-1}, int64[1] e = {-9}, int64[1] ax = {0}",
               "Slice (x, s, e, ax, s)");
  expect_stays("float[2,3]", "float[2,3]", "int64[3] i = {0, 2, 1}", "Gather <axis = 1> (x, i)");
  expect_stays("float[N,3]", "float[N,3]", "int64[2] s = {2, 3}", "Expand (x, s)");
  expect_stays("float[N,3]", "float[1,N,3]", "int64[3] s = {1, 1, 3}", "Expand (x, s)");
  expect_stays("float[N,3]", "float[N,3]", "float[1,1,1] one = {1}", "Mul (x, one)");
  expect_stays("float[N,M]", "float[A,B]", "int64[2] s = {-1, 3}", "Reshape (x, s)");
  expect_stays("float[N,3]", "float[2,3]", "int64[2] s = {2, 3}", "Reshape (x, s)");
  expect_stays("float[1,1,4,4]", "float[1,1,2,2]", "float z = {0}",
               "MaxPool <kernel_shape = [1, 1], strides = [2, 2]> (x)");
  expect_stays("float[2,1]", "float[2,1]", "int64[1] ax = {1}", "ReduceSumSquare <axes = [1]> (x)");
  expect_stays("float[N,3]", "float[1,1]", "int64[0] ax = {}", "ReduceSum (x, ax)");
}

TEST_F(EliminateNoOpsOf, AModelOutputThatMustStayBecomesAnIdentity) {
  expect_fused("eliminate_no_ops",
               opset17("g (float[2,3] x) => (float[2,3] y) <int64[2] s = {2, 3}> { y = Reshape (x, s) }"),
               opset17("g (float[2,3] x) => (float[2,3] y) { y = Identity (x) }"));
}

class EliminateExpands : public FusionTest {};

TEST_F(EliminateExpands, WhereTheReaderBroadcasts) {
  expect_fused("eliminate_expands", opset17(R"(g (float[1,3] x, float[N,4,3] z) => (float[N,4,3] y)
    <int64[2] s = {4, 3}> {
    a = Expand (x, s)
    y = Add (z, a)
  })"),
               opset17("g (float[1,3] x, float[N,4,3] z) => (float[N,4,3] y) { y = Add (z, x) }"));
}

TEST_F(EliminateExpands, ButNotWhereItGivesTheShape) {
  expect_left("eliminate_expands",
              opset17(R"(g (float[1,3] x, float[3] z) => (float[4,3] y) <int64[2] s = {4, 3}> {
    a = Expand (x, s)
    y = Add (z, a)
  })"));
  expect_left("eliminate_expands", opset17(R"(g (float[1,3] x) => (float[4,3] y) <int64[2] s = {4, 3}> {
    a = Expand (x, s)
    y = Mul (a, a)
  })"));
  expect_left("eliminate_expands",
              opset17(R"(g (float[1,3] x, float[3,2] z) => (float[4,2] y) <int64[2] s = {4, 3}> {
    a = Expand (x, s)
    y = MatMul (a, z)
  })"));
}

}  // namespace
}  // namespace tarmac::test
