// What may be added to scores, and what may replace them, on the way into Attention.
#include "passes/attention_graphs.h"
#include "passes/pass_harness.h"

namespace tarmac::test {
namespace {

/// Scores treated by `line`, which makes `masked` of `raw`.
std::string masked_by(const std::string& line, const std::string& inputs, const std::string& constants = {}) {
  return opset23("g (float[2,4,6,8] q, float[2,4,9,8] k, float[2,4,9,8] v" + inputs +
                 ") => (float[2,4,6,8] y) " + constants +
                 " {\n  kt = Transpose <perm = [0, 1, 3, 2]> (k)\n  raw = MatMul (q, kt)\n  " + line +
                 "\n  p = Softmax <axis = -1> (masked)\n  y = MatMul (p, v)\n}");
}
std::string fused(const std::string& nodes, const std::string& inputs, const std::string& constants = {}) {
  return opset23("g (float[2,4,6,8] q, float[2,4,9,8] k, float[2,4,9,8] v" + inputs +
                 ") => (float[2,4,6,8] y) " + constants + " { " + nodes + " }");
}

OptimizeReport fuse(const std::string& text) {
  Model found = model(text);
  OptimizeOptions options;
  options.only = {"fuse_attention", "infer_shapes"};
  return expect_ok(optimize(found, options));
}

TEST(AttentionMasks, HandsAnAddedMaskOver) {
  for (const char* mask :
       {", float[6,9] m", ", float[4,6,9] m", ", float[1,1,6,9] m", ", float[2,4,6,9] m"}) {
    expect_rewrite("fuse_attention", masked_by("masked = Add (m, raw)", mask),
                   fused("y = Attention <scale = 1.0> (q, k, v, m)", mask));
  }
}

TEST(AttentionMasks, AddsTwoMasksUp) {
  const char* inputs = ", float[1,4,6,9] bias, float[2,1,6,9] m";
  expect_rewrite("fuse_attention", masked_by("biased = Add (raw, bias)\n  masked = Add (biased, m)", inputs),
                 fused("s = Add (m, bias) y = Attention <scale = 1.0> (q, k, v, s)", inputs));
}

TEST(AttentionMasks, ExpandsAMaskOfKeysToTheQueries) {
  expect_rewrite("fuse_attention", masked_by("masked = Add (raw, m)", ", float[2,1,1,9] m"),
                 fused("e = Expand (m, n) y = Attention <scale = 1.0> (q, k, v, e)", ", float[2,1,1,9] m",
                       "<int64[4] n = {1, 1, 6, 1}>"));
  expect_rewrite("fuse_attention", masked_by("masked = Add (raw, m)", ", float[9] m"),
                 fused("e = Expand (m, n) y = Attention <scale = 1.0> (q, k, v, e)", ", float[9] m",
                       "<int64[2] n = {6, 1}>"));
}

TEST(AttentionMasks, TakesABooleanMask) {
  expect_rewrite("fuse_attention",
                 masked_by("masked = Where (m, raw, none)", ", bool[6,9] m", "<float none = {-inf}>"),
                 fused("y = Attention <scale = 1.0> (q, k, v, m)", ", bool[6,9] m", "<float none = {-inf}>"));
  expect_rewrite("fuse_attention",
                 masked_by("masked = Where (m, none, raw)", ", bool[6,9] m", "<float none = {-inf}>"),
                 fused("n = Not (m) y = Attention <scale = 1.0> (q, k, v, n)", ", bool[6,9] m",
                       "<float none = {-inf}>"));
}

TEST(AttentionMasks, TakesAFiniteFillWhereEachRowKeepsSomething) {
  const std::string query = "g (float[1,1,2,8] q, float[1,1,2,8] k, float[1,1,2,8] v) => (float[1,1,2,8] y) ";
  const auto with = [&](const std::string& keep) {
    return opset23(query + "<float low = {-1e9}, bool[2,2] keep = {" + keep + R"(}> {
  kt = Transpose <perm = [0, 1, 3, 2]> (k)
  raw = MatMul (q, kt)
  masked = Where (keep, raw, low)
  p = Softmax <axis = -1> (masked)
  y = MatMul (p, v)
})");
  };
  EXPECT_EQ(fuse(with("1, 0, 1, 1")).changes.size(), 1U);
  const OptimizeReport report = fuse(with("1, 0, 0, 0"));
  EXPECT_TRUE(report.changes.empty());
  ASSERT_EQ(report.declined.size(), 1U);
  EXPECT_THAT(report.declined.front().what, testing::HasSubstr("zeros"));
}

TEST(AttentionMasks, LeavesAFillThatLeavesSomethingOver) {
  EXPECT_TRUE(fuse(masked_by("masked = Where (m, raw, low)", ", bool[6,9] m", "<float low = {-10}>"))
                  .changes.empty());
}

TEST(AttentionMasks, TakesZerosInsteadOfNotANumber) {
  expect_rewrite("fuse_attention", opset23(kGuarded),
                 fused("y = Attention <scale = 1.0> (q, k, v, keep)", ", bool[6,9] keep",
                       "<float none = {-inf}, float zero = {0}>"));
}

TEST(AttentionMasks, LeavesAMaskThatEnlargesTheScores) {
  std::string text = masked_by("masked = Add (raw, m)", ", float[2,1,6,9] m");
  for (const char* input : {"float[2,4,6,8] q", "float[2,4,9,8] k", "float[2,4,9,8] v"})
    text.replace(text.find(input) + 6, 1, "1");
  const OptimizeReport report = fuse(text);
  EXPECT_TRUE(report.changes.empty());
  ASSERT_EQ(report.declined.size(), 1U);
  EXPECT_THAT(report.declined.front().what, testing::HasSubstr("mask 'm'"));
}

TEST(AttentionMasks, LeavesAMaskThatIsTheSameForEveryKey) {
  EXPECT_TRUE(fuse(masked_by("masked = Add (raw, m)", ", float[6,1] m")).changes.empty());
}

TEST(AttentionMasks, LeavesAScaleAfterTheMask) {
  EXPECT_TRUE(
      fuse(masked_by("sum = Add (raw, m)\n  masked = Mul (sum, c)", ", float[6,9] m", "<float c = {0.5}>"))
          .changes.empty());
}

TEST(AttentionMasks, GivesShiftedWindowsTheirMasks) {
  expect_rewrite("fuse_attention", opset23(kSwin), opset23(R"(
g (float[8,4,6,8] q, float[8,4,6,8] k, float[8,4,6,8] v, float[1,4,6,6] bias, float[1,4,1,6,6] windows)
  => (float[8,4,6,8] y)
<int64[5] s5 = {2, 4, 4, 6, 6}, int64[4] s4 = {-1, 4, 6, 6}, int64[5] repeat = {2, 1, 1, 1, 1},
 int64[4] all = {8, 1, 6, 6}> {
  twice = Expand (windows, repeat)
  m = Reshape (twice, all)
  s = Add (m, bias)
  y = Attention <scale = 1.0> (q, k, v, s)
})"));
}

}  // namespace
}  // namespace tarmac::test
