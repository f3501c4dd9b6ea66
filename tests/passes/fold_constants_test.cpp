// Folding runs a real engine, so this test links the targets.
#include "passes/pass_harness.h"
#include "targets/evaluator.h"

namespace tarmac::test {
namespace {

class FoldConstants : public testing::Test {
 protected:
  void SetUp() override {
    auto target = find_target("onnxruntime");
    if (!target || !(*target)->available()) GTEST_SKIP() << "ONNX Runtime is not built in";
    evaluator_.emplace(**target);
  }
  std::optional<TargetEvaluator> evaluator_;
};

TEST_F(FoldConstants, ComputesChainsOfConstants) {
  expect_rewrite(
      "fold_constants", opset17(R"(g (float[2] x) => (float[2] y) <float[2] w = {1,2}, float[2] v = {3,4}> {
    a = Add (w, v)
    b = Mul (a, a)
    y = Mul (x, b)
  })"),
      opset17("g (float[2] x) => (float[2] y) <float[2] b = {16,36}> { y = Mul (x, b) }"), &*evaluator_);
}

TEST_F(FoldConstants, TurnsConstantNodesIntoInitializers) {
  expect_rewrite("fold_constants", opset17(R"(g (float[2] x) => (float[2] y) {
    c = Constant <value = float[2] {1, 2}> ()
    y = Mul (x, c)
  })"),
                 opset17("g (float[2] x) => (float[2] y) <float[2] c = {1,2}> { y = Mul (x, c) }"),
                 &*evaluator_);
}

TEST_F(FoldConstants, NeedsNoEngineForWhatOnlyMoves) {
  expect_rewrite("fold_constants", opset17(R"(g (float[2,2] x) => (float[2,2] y)
  <float[2,3] w = {1,2,3,4,5,6}, int64[2] rows = {2,0}, int64[2] size = {2,2}, double one = {1}> {
    t = Transpose <perm = [1, 0]> (w)
    chosen = Gather (t, rows)
    number = Cast <to = 1> (one)
    wide = Expand (number, size)
    a = Mul (x, chosen)
    y = Add (a, wide)
  })"),
                 opset17(R"(g (float[2,2] x) => (float[2,2] y)
  <float[2,2] chosen = {3,6,1,4}, float[2,2] wide = {1,1,1,1}> {
    a = Mul (x, chosen)
    y = Add (a, wide)
  })"));
}

TEST_F(FoldConstants, LeavesCastsThatRoundToAnEngine) {
  expect_unchanged("fold_constants", opset17(R"(g (float[2] x) => (float[2] y) <double[2] c = {0.1,1e300}> {
    f = Cast <to = 1> (c)
    y = Mul (x, f)
  })"));
}

TEST_F(FoldConstants, LeavesDequantizedWeights) {
  expect_unchanged("fold_constants",
                   opset17(R"(g (float[2] x) => (float[2] y) <int8[2] w = {1,2}, float s = {0.5}> {
    d = DequantizeLinear (w, s)
    y = Mul (x, d)
  })"),
                   &*evaluator_);
}

TEST_F(FoldConstants, LeavesWhatWouldGrowBeyondTheCap) {
  expect_unchanged("fold_constants",
                   opset17(R"(g (float[4096,4096] x) => (float[4096,4096] y) <int64[2] n = {4096,4096}> {
    d = ConstantOfShape (n)
    y = Add (x, d)
  })"),
                   &*evaluator_);
}

TEST_F(FoldConstants, LeavesModelOutputsTheirNode) {
  expect_unchanged("fold_constants",
                   opset17("g (float[2] x) => (float[2] y) <float[2] w = {1,2}> { y = Neg (w) }"),
                   &*evaluator_);
}

}  // namespace
}  // namespace tarmac::test
