#include <set>

#include "passes/pass_harness.h"
#include "passes/passes.h"

namespace tarmac::test {
namespace {

constexpr const char* kHeader = "<ir_version: 10, opset_import: [\"\" : 17, \"local\" : 1]>\n";

void expect_inlined(const std::string& before, const std::string& after) {
  expect_rewrite("inline_functions", kHeader + before, kHeader + after);
}

TEST(InlineFunctions, GivesEveryCallItsOwnAttributesAndTheDefaults) {
  expect_inlined(R"(g (float[2,3] x) => (float[2,3] y) {
      a = local.act <slope = 0.5> (x)
      b = local.act <slope = 0.25> (a)
      y = local.act (b)
    }
    <domain: "local", opset_import: ["" : 17]> act <slope: float = 0.125> (v) => (w) { w = LeakyRelu <alpha: float = @slope> (v) })",
                 R"(g (float[2,3] x) => (float[2,3] y) {
      a = LeakyRelu <alpha = 0.5> (x)
      b = LeakyRelu <alpha = 0.25> (a)
      y = LeakyRelu <alpha = 0.125> (b)
    })");
}

TEST(InlineFunctions, LeavesOutAttributesThatNobodyGives) {
  expect_inlined(R"(g (float[2,3] x) => (float[2,3] y) { y = local.act (x) }
    <domain: "local", opset_import: ["" : 17]> act <slope> (v) => (w) { w = LeakyRelu <alpha: float = @slope> (v) })",
                 "g (float[2,3] x) => (float[2,3] y) { y = LeakyRelu (x) }");
}

TEST(InlineFunctions, ReachesCallsInsideFunctionsAndNestedGraphs) {
  expect_inlined(R"(g (bool c, float[2] x) => (float[2] y) {
      y = If (c) <
        then_branch = t () => (float[2] p) { p = local.outer <scale = 3> (x) },
        else_branch = e () => (float[2] q) { q = Neg (x) }>
    }
    <domain: "local", opset_import: ["" : 17, "local" : 1]> outer <scale> (v) => (w) { w = local.inner <by: int = @scale> (v) }
    <domain: "local", opset_import: ["" : 17]> inner <by> (v) => (w) {
      k = Constant <value_int: int = @by> ()
      f = CastLike (k, v)
      w = Mul (v, f)
    })",
                 R"(g (bool c, float[2] x) => (float[2] y) {
      y = If (c) <
        then_branch = t () => (float[2] p) {
          k = Constant <value = int64 {3}> ()
          f = CastLike (k, x)
          p = Mul (x, f)
        },
        else_branch = e () => (float[2] q) { q = Neg (x) }>
    })");
}

TEST(InlineFunctions, TellsOverloadsApart) {
  Model found = model(std::string(kHeader) +
                      R"(g (float[2] x) => (float[2] y) { a = local.act:neg (x) y = local.act:abs (a) }
    <domain: "local", overload: "neg", opset_import: ["" : 17]> act (v) => (w) { w = Neg (v) }
    <domain: "local", overload: "abs", opset_import: ["" : 17]> act (v) => (w) { w = Abs (v) })");
  EXPECT_EQ(apply_pass(found, "inline_functions").size(), 2U);
  ASSERT_EQ(found.graph->nodes().size(), 2U);
  EXPECT_EQ(found.graph->nodes().front()->op_type, "Neg");
  EXPECT_EQ(found.graph->nodes().back()->op_type, "Abs");
}

TEST(InlineFunctions, HandsInputsOnAndLeavesOptionalOnesOut) {
  expect_inlined(R"(g (float[2] x) => (float[2] y, float[2] z) { y, z = local.both (x) }
    <domain: "local", opset_import: ["" : 17]> both (v, low) => (v, w) { w = Clip (v, low) })",
                 "g (float[2] x) => (float[2] y, float[2] z) { z = Clip (x) y = Identity (x) }");
}

TEST(InlineFunctions, RefusesFunctionsThatCallThemselves) {
  Model found = model(std::string(kHeader) + R"(g (float[2] x) => (float[2] y) { y = local.loop (x) }
    <domain: "local", opset_import: ["" : 17, "local" : 1]> loop (v) => (w) { w = Neg (v) })");
  Node& inner = *found.functions.front().body->nodes().front();
  inner.op_type = "loop";
  inner.domain = "local";
  PassContext context;
  expect_error(inline_functions(found, context), ErrorCode::kInvalidModel, "calls itself");
}

/// Targets with kernels for some operators of the domain "local".
class LocalKernels final : public OperatorSupport {
 public:
  explicit LocalKernels(std::set<std::string> names) : names_(std::move(names)) {}
  [[nodiscard]] bool accepts(std::string_view domain, std::string_view op_type,
                             std::int64_t /*version*/) const override {
    return domain == "local" && names_.contains(std::string(op_type));
  }

 private:
  std::set<std::string> names_;
};

TEST(InlineFunctions, KeepsCallsThatTheTargetsHaveAKernelFor) {
  Model found = model(std::string(kHeader) +
                      R"(g (float[2] x) => (float[2] y) { a = local.known (x) y = local.other (a) }
    <domain: "local", opset_import: ["" : 17]> known (v) => (w) { w = Neg (v) }
    <domain: "local", opset_import: ["" : 17]> other (v) => (w) { w = Abs (v) })");
  const LocalKernels kernels({"known"});
  OptimizeOptions options;
  options.support = &kernels;
  expect_ok(optimize(found, options));
  expect_consistent(found);
  ASSERT_EQ(found.graph->nodes().size(), 2U);
  EXPECT_EQ(found.graph->nodes().front()->op_type, "known");
  EXPECT_EQ(found.graph->nodes().back()->op_type, "Abs");
  ASSERT_EQ(found.functions.size(), 1U);
  EXPECT_EQ(found.functions.front().name, "known");
}

}  // namespace
}  // namespace tarmac::test
