// Attention as exporters write it becomes one operator; what only looks like it stays.
#include <cmath>

#include "passes/attention_graphs.h"
#include "passes/pass_harness.h"
#include "passes/passes.h"

namespace tarmac::test {
namespace {

void expect_fused(const std::string& before, const std::string& after) {
  expect_rewrite("fuse_attention", opset23(before), opset23(after));
}

/// The 4-D graph of most refusals, with one line replaced.
std::string plain_with(const std::string& line = {}, const std::string& replacement = {}) {
  std::string text = R"(g (float[2,4,6,8] q, float[2,4,9,8] k, float[2,4,9,8] v) => (float[2,4,6,8] y)
<float c = {0.5}> {
  kt = Transpose <perm = [0, 1, 3, 2]> (k)
  raw = MatMul (q, kt)
  scores = Mul (raw, c)
  p = Softmax <axis = -1> (scores)
  y = MatMul (p, v)
})";
  const auto at = text.find(line);
  EXPECT_NE(at, std::string::npos) << line;
  return text.replace(at, line.size(), replacement);
}

void expect_untouched(const std::string& graph) { expect_unchanged("fuse_attention", opset23(graph)); }

TEST(FuseAttention, TakesTheScaleAfterTheProduct) {
  expect_fused(plain_with(), R"(g (float[2,4,6,8] q, float[2,4,9,8] k, float[2,4,9,8] v) => (float[2,4,6,8] y)
<float c = {0.5}> { y = Attention <scale = 0.5> (q, k, v) })");
}

TEST(FuseAttention, MultipliesTheScalesOfBothSidesAndFollowsShapes) {
  Model found = model(opset23(kTorchSdpa));
  apply_pass(found, "fuse_attention");
  expect_consistent(found);
  ASSERT_EQ(found.graph->nodes().size(), 1U) << model_to_text(found);
  const Node& node = *found.graph->nodes().front();
  EXPECT_EQ(node.op_type, "Attention");
  EXPECT_NEAR(node.attribute_or<float>("scale", 0), 1 / std::sqrt(8.0), 1e-6);
  EXPECT_EQ(node.input(1)->name(), "k");
  EXPECT_EQ(node.attribute<std::int64_t>("q_num_heads"), nullptr);
}

TEST(FuseAttention, TakesInTheReshapesThatSplitAndJoinHeads) {
  Model found = model(opset23(kBert));
  apply_pass(found, "fuse_attention");
  expect_consistent(found);
  // Engines want the length of the queries in the mask, so it is expanded by what Shape says.
  const std::string text = model_to_text(found);
  ASSERT_EQ(found.graph->nodes().size(), 5U) << text;
  const Node& node = *found.graph->nodes().back();
  ASSERT_TRUE(node.is("Attention")) << text;
  EXPECT_EQ(node.input(0)->name(), "q");
  EXPECT_EQ(node.input(1)->name(), "k");
  EXPECT_EQ(node.input(2)->name(), "v");
  EXPECT_TRUE(node.input(3)->producer()->is("Expand"));
  EXPECT_EQ(node.attribute_or<std::int64_t>("q_num_heads", 0), 4);
  EXPECT_EQ(node.attribute_or<std::int64_t>("kv_num_heads", 0), 4);
  EXPECT_NEAR(node.attribute_or<float>("scale", 0), 1 / std::sqrt(8.0), 1e-6);
  EXPECT_EQ(node.output(0)->name(), "y");
}

TEST(FuseAttention, SplitsAPackedProjectionAlongItsLastAxis) {
  expect_fused(kViT, R"(g (float[2,6,96] qkv) => (float[2,6,32] y)
<int64[5] s5 = {2, 6, 3, 4, 8}, int64 i0 = {0}, int64 i1 = {1}, int64 i2 = {2}, float c = {0.35355338},
 int64[3] join = {2, 6, 32}> {
  q, k, v = Split <axis = 2, num_outputs = 3> (qkv)
  y = Attention <q_num_heads = 4, kv_num_heads = 4, scale = 0.35355338> (q, k, v)
})");
}

TEST(FuseAttention, PutsTheBatchBeforeTheLengthForTorchsMultiheadAttention) {
  expect_fused(kTorchMha, R"(g (float[6,b,96] qkv) => (float[n,32] y)
<int64[4] s4 = {0, 0, 3, 32}, int64[1] a0 = {0}, int64[1] a3 = {3}, int64 i0 = {0}, int64 i1 = {1}, int64 i2 = {2},
 int64[3] s3 = {6, -1, 8}, int64[2] join = {-1, 32}, float c = {0.35355338}> {
  t = Transpose <perm = [1, 0, 2]> (qkv)
  q, k, v = Split <axis = 2, num_outputs = 3> (t)
  a = Attention <q_num_heads = 4, kv_num_heads = 4, scale = 0.35355338> (q, k, v)
  o = Transpose <perm = [1, 0, 2]> (a)
  y = Reshape (o, join)
})");
}

TEST(FuseAttention, TakesKeysAndValuesBeforeTheyAreRepeated) {
  Model found = model(opset23(kGroupedQuery));
  apply_pass(found, "fuse_attention");
  expect_consistent(found);
  ASSERT_EQ(found.graph->nodes().size(), 1U) << model_to_text(found);
  EXPECT_EQ(found.graph->nodes().front()->input(1)->name(), "k");
  EXPECT_EQ(found.graph->nodes().front()->input(2)->name(), "v");
}

TEST(FuseAttention, ReadsEinsum) {
  expect_fused(kEinsum, R"(g (float[2,6,32] q, float[2,9,32] k, float[2,9,32] v) => (float[2,6,32] y)
<int64[4] s4 = {2, -1, 4, 8}, int64[3] join = {2, 6, 32}, float c = {0.35355338}> {
  y = Attention <q_num_heads = 4, kv_num_heads = 4, scale = 0.35355338> (q, k, v)
})");
}

TEST(FuseAttention, LeavesEinsumThatIsNoAttention) {
  // A sum over the heads of K; an ellipsis, which is not read.
  for (const char* equation : {"bqhd,bkgd->bhqk", "...qhd,...khd->...hqk"}) {
    std::string text = kEinsum;
    const std::string known = "bqhd,bkhd->bhqk";
    expect_untouched(text.replace(text.find(known), known.size(), equation));
  }
}

TEST(FuseAttention, TurnsChannelsFirstAround) {
  expect_fused(kChannelsFirst,
               R"(g (float[2,4,8,6] q, float[2,4,8,1600] k, float[2,4,5,1600] v) => (float[2,4,5,6] y) {
  qt = Transpose <perm = [0, 1, 3, 2]> (q)
  kt = Transpose <perm = [0, 1, 3, 2]> (k)
  vt = Transpose <perm = [0, 1, 3, 2]> (v)
  o = Attention <scale = 1.0> (qt, kt, vt)
  y = Transpose <perm = [0, 1, 3, 2]> (o)
})");
}

TEST(FuseAttention, AddsNoTransposesForFewKeys) {
  std::string text = kChannelsFirst;
  for (auto at = text.find("1600"); at != std::string::npos; at = text.find("1600"))
    text.replace(at, 4, "400");
  expect_untouched(text);
  // Kᵀ comes as it is: the operator would need it turned.
  expect_untouched(R"(g (float[2,6,8] q, float[2,8,9] k, float[2,9,8] v) => (float[2,6,8] y) {
  scores = MatMul (q, k)
  p = Softmax <axis = -1> (scores)
  y = MatMul (p, v)
})");
}

TEST(FuseAttention, LeavesNothingBehindForShapesThatNothingReads) {
  std::string text = plain_with("y = MatMul (p, v)", R"(o = MatMul (p, v)
  dead = Shape (o)
  deader = Cast <to = 6> (dead)
  y = Relu (o))");
  Model found = model(opset23(text));
  EXPECT_EQ(apply_pass(found, "fuse_attention").size(), 1U);
  EXPECT_EQ(found.graph->nodes().size(), 4U) << model_to_text(found);  // the shape now reads the new value
  text = R"(g (float[2,6,32] q, float[2,6,32] k, float[2,6,32] v) => (float[2,6,32] y)
<int64[4] s4 = {2, -1, 4, 8}, int64[3] join = {2, 6, 32}> {
  q4 = Reshape (q, s4)
  k4 = Reshape (k, s4)
  v4 = Reshape (v, s4)
  raw = Einsum <equation = "bqhd,bkhd->bhqk"> (q4, k4)
  p = Softmax <axis = -1> (raw)
  o = Einsum <equation = "bhqk,bkhd->bqhd"> (p, v4)
  dead = Shape (o)
  deader = Cast <to = 6> (dead)
  y = Reshape (o, join)
})";
  found = model(opset23(text));
  EXPECT_EQ(apply_pass(found, "fuse_attention").size(), 1U);
  EXPECT_EQ(found.graph->nodes().size(), 1U) << model_to_text(found);
}

TEST(FuseAttention, TakesOneHeadWithoutAnAxis) {
  expect_fused(kOneHead, R"(g (float[2,6,8] q, float[2,9,8] k, float[2,9,8] v) => (float[2,6,8] y) {
  y = Attention <q_num_heads = 1, kv_num_heads = 1, scale = 1.0> (q, k, v)
})");
}

TEST(FuseAttention, FusesInNestedGraphs) {
  Model found = model(
      opset23(R"(g (float[2,4,6,8] q, float[2,4,9,8] k, float[2,4,9,8] v, bool c) => (float[2,4,6,8] y) {
  y = If (c) <then_branch = a () => (float[2,4,6,8] ya) {
      kt = Transpose <perm = [0, 1, 3, 2]> (k)
      raw = MatMul (q, kt)
      p = Softmax <axis = -1> (raw)
      ya = MatMul (p, v)
    }, else_branch = b () => (float[2,4,6,8] yb) { yb = Identity (q) }>
})"));
  EXPECT_EQ(apply_pass(found, "fuse_attention").size(), 1U);
  expect_consistent(found);
}

TEST(FuseAttention, KeepsAModelsOutputName) {
  Model found = model(opset23(plain_with()));
  apply_pass(found, "fuse_attention");
  ASSERT_EQ(found.graph->outputs().size(), 1U);
  EXPECT_EQ(found.graph->outputs().front()->name(), "y");
}

TEST(FuseAttention, ReadsTheLastAxisOfOldSoftmaxes) {
  // Before opset 13 the axis flattens what follows, so only the last one is the same, and the default is not.
  const auto before_13 = [](const std::string& softmax) {
    return "<ir_version: 7, opset_import: [\"\" : 12]>\n" + plain_with("Softmax <axis = -1>", softmax);
  };
  class Standard final : public OperatorSupport {
    [[nodiscard]] bool accepts(std::string_view, std::string_view, std::int64_t) const override {
      return true;
    }
  } support;
  for (const auto& [softmax, wanted] : {std::pair("Softmax <axis = 3>", 23), std::pair("Softmax", 0)}) {
    Model found = model(before_13(softmax));
    PassContext context;
    context.support = &support;
    expect_ok(fuse_attention(found, context));
    EXPECT_EQ(context.wanted_opset, wanted) << softmax;
    EXPECT_EQ(found.graph->nodes().size(), 5U);
  }
}

TEST(FuseAttention, LeavesModelsOfAnOlderOpset) { expect_unchanged("fuse_attention", opset17(plain_with())); }

TEST(FuseAttention, LeavesASoftmaxOverAnotherAxis) { expect_untouched(plain_with("axis = -1", "axis = 2")); }

TEST(FuseAttention, LeavesAScaleThatIsNoScalar) {
  expect_untouched(plain_with("<float c = {0.5}>", "<float[4,1,1] c = {0.5, 1, 1, 1}>"));
}

TEST(FuseAttention, LeavesAScaleThatIsKnownAtRunTimeOnly) {
  std::string text = plain_with("<float c = {0.5}>", "");
  text.replace(text.find(") =>"), 1, ", float c)");
  expect_untouched(text);
}

TEST(FuseAttention, LeavesFloat64WhoseScaleItWouldRound) {
  expect_untouched(R"(g (double[1,2,4,3] q, double[1,2,4,3] k, double[1,2,4,3] v) => (double[1,2,4,3] y)
<double c = {0.57735026918962576}> {
  kt = Transpose <perm = [0, 1, 3, 2]> (k)
  raw = MatMul (q, kt)
  scaled = Mul (raw, c)
  p = Softmax <axis = -1> (scaled)
  y = MatMul (p, v)
})");
}

TEST(FuseAttention, LeavesTransposesThatAreNoPermutation) {
  for (const char* perm : {"[0]", "[0, 1, 3, 9]", "[0, 1, 3, -9]", "[0, 1, 3, 3]", "[0, 1, 2, 3, 4]"}) {
    expect_untouched(
        std::string("g (float[1,2,4,3] q, float[1,2,4,3] k, float[1,2,4,3] v) => (float[A,B,C,D] y) {\n"
                    "kt = Transpose <perm = ") +
        perm + "> (k) raw = MatMul (q, kt) p = Softmax <axis = -1> (raw) y = MatMul (p, v) }");
  }
}

TEST(FuseAttention, LeavesANegativeScale) { expect_untouched(plain_with("{0.5}", "{-0.5}")); }

TEST(FuseAttention, LeavesScoresThatOthersRead) {
  for (const char* value : {"raw", "scores", "p"}) {
    std::string text = plain_with("y = MatMul", std::string("z = Relu (") + value + ")\n  y = MatMul");
    text.replace(text.find("float[2,4,6,8] y)"), 17, "float[2,4,6,8] y, float[2,4,6,9] z)");
    expect_untouched(text);
  }
}

TEST(FuseAttention, LeavesProbabilitiesThatAreAnOutput) {
  std::string text = plain_with();
  text.replace(text.find("float[2,4,6,8] y)"), 17, "float[2,4,6,8] y, float[2,4,6,9] p)");
  expect_untouched(text);
}

TEST(FuseAttention, LeavesAMixtureOfTypes) {
  expect_untouched(plain_with(
      "p = Softmax <axis = -1> (scores)",
      "wide = Cast <to = 11> (scores)\n  pw = Softmax <axis = -1> (wide)\n  p = Cast <to = 1> (pw)"));
}

TEST(FuseAttention, LeavesProbabilitiesOnTheRight) {
  expect_untouched(R"(g (float[2,4,6,8] q, float[2,4,9,8] k, float[2,4,8,6] v) => (float[2,4,8,9] y) {
  kt = Transpose <perm = [0, 1, 3, 2]> (k)
  raw = MatMul (q, kt)
  p = Softmax <axis = -1> (raw)
  y = MatMul (v, p)
})");
}

TEST(FuseAttention, SaysWhyABroadcastBatchStays) {
  std::string text = plain_with("float[2,4,6,8] q", "float[1,4,6,8] q");
  Model found = model(opset23(text));
  OptimizeOptions options;
  options.only = {"fuse_attention"};
  const auto report = expect_ok(optimize(found, options));
  EXPECT_TRUE(report.changes.empty());
  ASSERT_EQ(report.declined.size(), 1U);
  EXPECT_THAT(report.declined.front().what, testing::HasSubstr("same batch"));
}

TEST(FuseAttention, LeavesHeadsThatAreNotNextToEachOther) {
  // D before H: joining gives another order than the operator's.
  Model found = model(opset23(R"(g (float[2,6,32] q, float[2,6,32] k, float[2,6,32] v) => (float[2,6,32] y)
<int64[4] s4 = {2, 6, 8, 4}, int64[3] join = {2, 6, 32}> {
  q4 = Reshape (q, s4)
  k4 = Reshape (k, s4)
  v4 = Reshape (v, s4)
  qt = Transpose <perm = [0, 3, 1, 2]> (q4)
  kt = Transpose <perm = [0, 3, 2, 1]> (k4)
  vt = Transpose <perm = [0, 3, 1, 2]> (v4)
  scores = MatMul (qt, kt)
  p = Softmax <axis = -1> (scores)
  o = MatMul (p, vt)
  ot = Transpose <perm = [0, 2, 3, 1]> (o)
  y = Reshape (ot, join)
})"));
  apply_pass(found, "fuse_attention");
  expect_consistent(found);
  for (const auto& node : found.graph->nodes()) {
    EXPECT_EQ(node->attribute<std::int64_t>("q_num_heads"), nullptr);
  }
}

}  // namespace
}  // namespace tarmac::test
