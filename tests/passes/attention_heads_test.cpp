// The number of heads where the graph does not tell it, and where it contradicts what the user says; and the
// operator of ONNX Runtime.
#include "passes/attention_graphs.h"
#include "passes/pass_harness.h"

namespace tarmac::test {
namespace {

/// Heads split by sizes that come in at run time.
constexpr const char* kRunTimeSizes = R"(
g (float[b,s,32] q, float[b,s,32] k, float[b,s,32] v, int64[4] split, int64[3] join) => (float[b,s,32] y) {
  q4 = Reshape (q, split)
  k4 = Reshape (k, split)
  v4 = Reshape (v, split)
  qt = Transpose <perm = [0, 2, 1, 3]> (q4)
  kt = Transpose <perm = [0, 2, 3, 1]> (k4)
  vt = Transpose <perm = [0, 2, 1, 3]> (v4)
  scores = MatMul (qt, kt)
  p = Softmax <axis = -1> (scores)
  o = MatMul (p, vt)
  ot = Transpose <perm = [0, 2, 1, 3]> (o)
  y = Reshape (ot, join)
})";

OptimizeReport fuse(Model& model, std::optional<std::int64_t> heads,
                    std::optional<std::int64_t> hidden = {}) {
  OptimizeOptions options;
  options.only = {"fuse_attention", "infer_shapes"};
  options.heads = heads;
  options.hidden_size = hidden;
  return expect_ok(optimize(model, options));
}

TEST(AttentionHeads, AreTakenFromTheUserWhereSizesComeAtRunTime) {
  Model found = model(opset23(kRunTimeSizes));
  EXPECT_TRUE(fuse(found, std::nullopt).changes.empty());
  EXPECT_EQ(fuse(found, 4).changes.size(), 1U);
  expect_consistent(found);
  ASSERT_EQ(found.graph->nodes().size(), 1U) << model_to_text(found);
  EXPECT_EQ(found.graph->nodes().front()->attribute_or<std::int64_t>("q_num_heads", 0), 4);
}

TEST(AttentionHeads, NeedTheHiddenSizeWhereItIsUnknownToo) {
  std::string text = kRunTimeSizes;
  for (auto at = text.find("32]"); at != std::string::npos; at = text.find("32]")) text.replace(at, 2, "e");
  Model found = model(opset23(text));
  EXPECT_TRUE(fuse(found, 4).changes.empty());
}

TEST(AttentionHeads, ThatContradictTheGraphAreDeclined) {
  const auto reason = [](std::optional<std::int64_t> heads, std::optional<std::int64_t> hidden) {
    Model found = model(opset23(kViT));
    const OptimizeReport report = fuse(found, heads, hidden);
    EXPECT_TRUE(report.changes.empty());
    return report.declined.empty() ? std::string() : report.declined.front().what;
  };
  EXPECT_THAT(reason(8, std::nullopt), testing::HasSubstr("has 4 heads here, not 8"));
  EXPECT_THAT(reason(4, 64), testing::HasSubstr("hidden size of 32 here, not 64"));
  EXPECT_THAT(reason(4, 30), testing::HasSubstr("no multiple of 4 heads"));
  Model found = model(opset23(kViT));
  EXPECT_EQ(fuse(found, 4, 32).changes.size(), 1U);
}

TEST(AttentionHeads, ThatDoNotDivideTheHiddenSizeLeaveTheGraph) {
  Model found = model(opset23(kRunTimeSizes));
  const OptimizeReport report = fuse(found, 5);
  EXPECT_TRUE(report.changes.empty());
  EXPECT_FALSE(report.declined.empty());
}

/// Runs vendor operators, and standard ones as asked.
class Vendor final : public OperatorSupport {
 public:
  explicit Vendor(bool standard) : standard_(standard) {}
  [[nodiscard]] bool accepts(std::string_view domain, std::string_view, std::int64_t) const override {
    return standard_ || domain == "com.microsoft";
  }

 private:
  bool standard_;
};

Model fused_for(const std::string& text, const OperatorSupport* support) {
  Model found = model(text);
  OptimizeOptions options;
  options.only = {"fuse_multi_head_attention", "infer_shapes"};
  options.support = support;
  expect_ok(optimize(found, options));
  expect_consistent(found);
  return found;
}

bool has(const Model& model, const char* op_type) {
  bool found = false;
  for_each_node(*model.graph, [&](const Node& node) { found = found || node.is(op_type, "com.microsoft"); });
  return found;
}

TEST(FuseMultiHeadAttention, UsesTheVendorsOperatorWhereTheTargetRunsIt) {
  const Vendor support(false);
  const Model found = fused_for(opset17(kBert), &support);
  const Node& node = *found.graph->nodes().back();
  ASSERT_TRUE(node.is("MultiHeadAttention", "com.microsoft")) << model_to_text(found);
  EXPECT_EQ(node.attribute_or<std::int64_t>("num_heads", 0), 4);
  EXPECT_EQ(node.input(0)->name(), "q");
  EXPECT_EQ(node.input(3), nullptr);
  ASSERT_NE(node.input(5), nullptr);
  EXPECT_TRUE(node.input(5)->producer()->is("Expand"));
  EXPECT_EQ(found.opsets.at("com.microsoft"), 1);
}

TEST(FuseMultiHeadAttention, StaysAwayWhereNoTargetAsksForIt) {
  EXPECT_FALSE(has(fused_for(opset17(kViT), nullptr), "MultiHeadAttention"));
}

TEST(FuseMultiHeadAttention, LeavesFewKeysToTheStandardOperator) {
  const Vendor support(true);
  EXPECT_FALSE(has(fused_for(opset17(kViT), &support), "MultiHeadAttention"));
  std::string many = kOneHead;
  for (auto at = many.find("2,9,8"); at != std::string::npos; at = many.find("2,9,8"))
    many.replace(at, 5, "2,600,8");
  EXPECT_TRUE(has(fused_for(opset17(many), &support), "MultiHeadAttention"));
}

TEST(FuseMultiHeadAttention, LeavesOtherTypesThanFloatAndBooleanMasks) {
  const Vendor support(false);
  std::string half = kViT;
  for (auto at = half.find("float"); at != std::string::npos; at = half.find("float", at + 7))
    half.replace(at, 5, "double");
  EXPECT_FALSE(has(fused_for(opset17(half), &support), "MultiHeadAttention"));
  EXPECT_FALSE(has(fused_for(opset17(kGuarded), &support), "MultiHeadAttention"));
}

}  // namespace
}  // namespace tarmac::test
