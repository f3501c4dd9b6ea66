#include "passes/fusion_harness.h"

namespace tarmac::test {
namespace {

class FuseSkipLayerNorm : public FusionTest {
 protected:
  static constexpr const char* kPass = "fuse_skip_layer_norm";
  const Runs support_ = {"com.microsoft:SkipLayerNormalization",
                         "com.microsoft:SkipSimplifiedLayerNormalization"};
};

class FuseEmbedLayerNorm : public FusionTest {
 protected:
  static constexpr const char* kPass = "fuse_embed_layer_norm";
  const Runs support_ = {"com.microsoft:EmbedLayerNormalization"};
};

std::string skip(const std::string& nodes, const std::string& skip_shape = "[b,s,4]",
                 const std::string& outputs = "float[b,s,4] y") {
  return opset(17,
               "g (float[b,s,4] x, float" + skip_shape + " k) => (" + outputs +
                   ")\n <float[4] g = {1,2,3,4}, float[4] b = {0.5,-1,2,0}, float[4] c = {1,-2,0,3}> {\n " +
                   nodes + "\n}");
}

std::string skipped(const std::string& weights, const std::string& call,
                    const std::string& skip_shape = "[b,s,4]") {
  return vendor_opset(17, "g (float[b,s,4] x, float" + skip_shape + " k) => (float[b,s,4] y)\n <" + weights +
                              "> { y = com.microsoft." + call + " }");
}

constexpr const char* kWeights = "float[4] g = {1,2,3,4}, float[4] b = {0.5,-1,2,0}";
constexpr const char* kWithBias =
    "float[4] g = {1,2,3,4}, float[4] b = {0.5,-1,2,0}, float[4] c = {1,-2,0,3}";

TEST_F(FuseSkipLayerNorm, TakesTheAddition) {
  expect_fused(kPass, skip("a = Add (x, k)\n y = LayerNormalization <epsilon = 0.001> (a, g, b)"),
               skipped(kWeights, "SkipLayerNormalization <epsilon = 0.001> (x, k, g, b)"), &support_);
  expect_fused(kPass, skip("a = Add (x, k)\n y = LayerNormalization (a, g)"),
               skipped("float[4] g = {1,2,3,4}", "SkipLayerNormalization <epsilon = 0.00001> (x, k, g)"),
               &support_);
}

TEST_F(FuseSkipLayerNorm, TakesTheBiasWhereverItWasAdded) {
  const std::string end = "\n y = LayerNormalization <epsilon = 0.001> (a, g, b)";
  const char* fused = "SkipLayerNormalization <epsilon = 0.001> (x, k, g, b, c)";
  expect_fused(kPass, skip("t = Add (x, c)\n a = Add (t, k)" + end), skipped(kWithBias, fused), &support_);
  expect_fused(kPass, skip("t = Add (x, k)\n a = Add (t, c)" + end), skipped(kWithBias, fused), &support_);
  expect_fused(kPass, skip("t = Add (c, k)\n a = Add (x, t)" + end),
               skipped(kWithBias, "SkipLayerNormalization <epsilon = 0.001> (k, x, g, b, c)"), &support_);
}

TEST_F(FuseSkipLayerNorm, GivesTheSumToItsOtherReaders) {
  expect_fused(kPass,
               skip("a = Add (x, k)\n z = Relu (a)\n y = LayerNormalization <epsilon = 0.001> (a, g, b)",
                    "[b,s,4]", "float[b,s,4] y, float[b,s,4] z, float[b,s,4] a"),
               vendor_opset(17, R"(g (float[b,s,4] x, float[b,s,4] k)
      => (float[b,s,4] y, float[b,s,4] z, float[b,s,4] a) <float[4] g = {1,2,3,4}, float[4] b = {0.5,-1,2,0}> {
    y, , , a = com.microsoft.SkipLayerNormalization <epsilon = 0.001> (x, k, g, b)
    z = Relu (a)
  })"),
               &support_);
}

TEST_F(FuseSkipLayerNorm, BroadcastsTheSkipOverTheBatchOnly) {
  const std::string nodes = "a = Add (k, x)\n y = LayerNormalization <epsilon = 0.001> (a, g, b)";
  for (const char* shape : {"[1,s,4]", "[s,4]"}) {
    expect_fused(kPass, skip(nodes, shape),
                 skipped(kWeights, "SkipLayerNormalization <epsilon = 0.001> (x, k, g, b)", shape),
                 &support_);
  }
  for (const char* shape : {"[b,1,4]", "[4]", "[b,s,1]", "[1,1,4]"})
    expect_left(kPass, skip(nodes, shape), &support_);
  // Different symbols may be broadcast at run time.
  expect_left(kPass, skip(nodes, "[c,s,4]", "float[d,s,4] y"), &support_);
}

TEST_F(FuseSkipLayerNorm, TakesRmsNormalization) {
  expect_fused(kPass, opset(23, R"(g (float[b,s,4] x, float[b,s,4] k) => (float[b,s,4] y)
    <float[4] g = {1,2,3,4}, float[4] c = {1,-2,0,3}> {
    t = Add (x, c)
    a = Add (t, k)
    y = RMSNormalization <axis = -1, epsilon = 0.001> (a, g)
  })"),
               vendor_opset(23, R"(g (float[b,s,4] x, float[b,s,4] k) => (float[b,s,4] y)
    <float[4] g = {1,2,3,4}, float[4] c = {1,-2,0,3}> {
    y = com.microsoft.SkipSimplifiedLayerNormalization <epsilon = 0.001> (x, k, g, c)
  })"),
               &support_);
}

TEST_F(FuseSkipLayerNorm, LeavesWhatTheKernelDoesNotTake) {
  const std::string add = "a = Add (x, k)\n ";
  expect_left(kPass,
              skip(add + "y, m = LayerNormalization (a, g, b)", "[b,s,4]", "float[b,s,4] y, float[b,s,1] m"),
              &support_);
  expect_left(kPass, skip("a = Mul (x, k)\n y = LayerNormalization (a, g, b)"), &support_);
  // No vendor operators without a target that runs them.
  expect_left(kPass, skip(add + "y = LayerNormalization (a, g, b)"));
  const Runs others = {"LayerNormalization"};
  expect_left(kPass, skip(add + "y = LayerNormalization (a, g, b)"), &others);
  // Two axes, another rank, double.
  expect_left(kPass,
              opset(17, R"(g (float[b,2,2] x, float[b,2,2] k) => (float[b,2,2] y) <float[2,2] g = {1,2,3,4}> {
    a = Add (x, k)
    y = LayerNormalization <axis = 1> (a, g)
  })"),
              &support_);
  expect_left(kPass, opset(17, R"(g (float[b,4] x, float[b,4] k) => (float[b,4] y) <float[4] g = {1,2,3,4}> {
    a = Add (x, k)
    y = LayerNormalization (a, g)
  })"),
              &support_);
  expect_left(
      kPass,
      opset(17, R"(g (double[b,s,4] x, double[b,s,4] k) => (double[b,s,4] y) <double[4] g = {1,2,3,4}> {
    a = Add (x, k)
    y = LayerNormalization (a, g)
  })"),
      &support_);
}

constexpr const char* kTables =
    "float[4,2] w = {1,2,3,4,5,6,7,8}, float[4,2] t = {0,1,1,0,2,1,0,3}, float[4,2] p = {3,1,0,1,2,2,1,0}, "
    "float[2] g = {2,3}, float[2] b = {0.5,-1}";

std::string embed(const std::string& position, const std::string& more = "",
                  const std::string& shape = "[b,s]", const std::string& segments = "[b,s]",
                  const std::string& outputs = "float[b,s,2] y") {
  return opset(17, "g (int64" + shape + " i, int64" + segments + " j" +
                       (position.find("(p, n)") != std::string::npos ? ", int64[1,s] n" : "") + ") => (" +
                       outputs + ")\n <" + kTables + more +
                       "> {\n wi = Gather (w, i)\n tj = Gather (t, j)\n "
                       "a = Add (wi, tj)\n " +
                       position +
                       "\n c = Add (a, q)\n y = LayerNormalization <epsilon = 0.001> (c, g, b)\n}");
}

TEST_F(FuseEmbedLayerNorm, TakesPositionsThatAreAnInput) {
  expect_fused(kPass, embed("q = Gather (p, n)"),
               vendor_opset(17, std::string(R"(
    g (int64[b,s] i, int64[b,s] j, int64[1,s] n) => (float[b,s,2] y) <)") +
                                    kTables + R"(> {
      j32 = Cast <to = 6> (j)
      i32 = Cast <to = 6> (i)
      n32 = Cast <to = 6> (n)
      y = com.microsoft.EmbedLayerNormalization <epsilon = 0.001, mask_index_type = 0> (i32, j32, w, p, t, g, b, , n32)
    })"),
               &support_);
}

TEST_F(FuseEmbedLayerNorm, KnowsTheSliceOfPositionsThatBertHas) {
  const std::string stored =
      ", int64[1,4] all = {0,1,2,3}, int64[1] zero = {0}, int64[1] axis = {1}, int64 one = {1}";
  const std::string position =
      "sh = Shape (i)\n l = Gather (sh, one)\n lu = Unsqueeze (l, zero)\n n = Slice (all, zero, lu, axis)\n "
      "q = Gather (p, n)";
  std::string before = embed(position, stored);
  before.replace(before.find(", int64[1,s] n"), 14, "");
  expect_fused(kPass, before,
               vendor_opset(17, std::string(R"(
    g (int64[b,s] i, int64[b,s] j) => (float[b,s,2] y) <)") +
                                    kTables + R"(> {
      j32 = Cast <to = 6> (j)
      i32 = Cast <to = 6> (i)
      y = com.microsoft.EmbedLayerNormalization <epsilon = 0.001, mask_index_type = 0> (i32, j32, w, p, t, g, b)
    })"),
               &support_);
  std::string backwards = before;
  backwards.replace(backwards.find("{0,1,2,3}"), 9, "{3,2,1,0}");
  expect_left(kPass, backwards, &support_, "not known");
}

TEST_F(FuseEmbedLayerNorm, TakesPositionsThatWereFolded) {
  expect_fused(kPass,
               opset(17, std::string("g (int32[b,2] i) => (float[b,2,2] y)\n <") + kTables +
                             ", float[1,2,2] q = {1,0,2,5}> {\n wi = Gather (w, i)\n c = Add (q, wi)\n "
                             "y = LayerNormalization <epsilon = 0.001> (c, g, b)\n}"),
               vendor_opset(17, R"(g (int32[b,2] i) => (float[b,2,2] y)
    <float[4,2] w = {1,2,3,4,5,6,7,8}, float[2,2] p = {1,0,2,5}, float[2] g = {2,3}, float[2] b = {0.5,-1}> {
      y = com.microsoft.EmbedLayerNormalization <epsilon = 0.001, mask_index_type = 0> (i, , w, p, , g, b)
    })"),
               &support_);
}

TEST_F(FuseEmbedLayerNorm, AddsTheBiasThatTheOperatorWants) {
  expect_fused(kPass, opset(17, R"(g (int32[b,2] i, int32[b,2] j) => (float[b,2,2] y)
    <float[4,2] w = {1,2,3,4,5,6,7,8}, float[4,2] p = {1,0,2,5,3,3,1,2}, float[2] g = {2,3}> {
      wi = Gather (w, i)
      pj = Gather (p, j)
      c = Add (wi, pj)
      y = LayerNormalization <epsilon = 0.001> (c, g)
    })"),
               vendor_opset(17, R"(g (int32[b,2] i, int32[b,2] j) => (float[b,2,2] y)
    <float[4,2] w = {1,2,3,4,5,6,7,8}, float[4,2] p = {1,0,2,5,3,3,1,2}, float[2] g = {2,3}, float[2] b = {0,0}> {
      y = com.microsoft.EmbedLayerNormalization <epsilon = 0.001, mask_index_type = 0>
        (i, , w, p, , g, b, , j)
    })"),
               &support_);
}

TEST_F(FuseEmbedLayerNorm, LeavesIdsWhoseShapesMayDiffer) {
  expect_left(kPass, embed("q = Gather (p, n)", "", "[b,s]", "[1,s]"), &support_, "not known");
  expect_left(kPass, embed("q = Gather (p, n)", "", "[b,s]", "[b,z]", "float[b,o,2] y"), &support_,
              "not known");
}

TEST_F(FuseEmbedLayerNorm, LeavesOtherSums) {
  expect_left(kPass, embed("q = Gather (p, n)", "", "[b,s]", "[b,s]", "float[b,s,2] y, float[b,s,2] wi"),
              &support_, "read elsewhere");
  expect_left(kPass, embed("z = Gather (p, n)\n q = Relu (z)"), &support_);
  expect_left(kPass, embed("q = Gather (p, n)"));
}

}  // namespace
}  // namespace tarmac::test
