// TensorRT's tables: what is refused, with what reason. Whether they are true, TensorRT's own parser is asked
// by python/tests/frontends/test_tensorrt_check.py.
#include <map>

#include "graph/model_io.h"
#include "support/expect.h"
#include "targets/target.h"

namespace tarmac {
namespace {

using test::expect_error;
using test::expect_ok;
using ::testing::HasSubstr;

std::map<std::string, NodeVerdict> verdicts_of(const std::string& text) {
  Target& target = *expect_ok(find_target("tensorrt"));
  std::map<std::string, NodeVerdict> verdicts;
  for (auto& verdict : expect_ok(target.check(expect_ok(model_from_text(text)), {}, no_progress()))) {
    const std::string node = verdict.node;
    verdicts[node] = std::move(verdict);
  }
  return verdicts;
}

void expect_refused(const NodeVerdict& verdict, const std::string& reason) {
  EXPECT_EQ(verdict.verdict, Verdict::kRefused) << verdict.node;
  EXPECT_THAT(verdict.reason, HasSubstr(reason));
  EXPECT_NE(verdict.remedy, "");
}

TEST(TensorRtCheck, NeedsNoTensorRt) {
  const auto verdicts = verdicts_of(R"(<ir_version: 8, opset_import: ["" : 17]>
      g (float[N, 3, 8, 8] x, float[4, 3, 3, 3] w) => (float[N, 4, 6, 6] y) { h = Conv(x, w) y = Relu(h) })");
  ASSERT_EQ(verdicts.size(), 2U);
  EXPECT_EQ(verdicts.at("h").verdict, Verdict::kSupported);
  EXPECT_EQ(verdicts.at("y").verdict, Verdict::kSupported);
}

TEST(TensorRtCheck, SaysThatEnginesAreNotRunYet) {
  Target& target = *expect_ok(find_target("tensorrt"));
  expect_error(target.available(), ErrorCode::kUnavailable, "this version runs none");
  const Model model = expect_ok(model_from_text(R"(<ir_version: 8, opset_import: ["" : 17]>
      g (float[3] x) => (float[3] y) { y = Relu(x) })"));
  expect_error(target.compile(model, {}, no_progress()), ErrorCode::kUnavailable, "tarmac check");
}

TEST(TensorRtCheck, NamesOperatorsThatTheParserLacks) {
  const auto verdicts = verdicts_of(R"(<ir_version: 9, opset_import: ["" : 20, "com.acme" : 1]>
      g (float[3] x, bool[3] mask) => (float[N] a, int64[1, M] b, float[3] c) {
        a = Compress(x, mask) b = NonZero(mask) c = com.acme.Fancy(x) })");
  expect_refused(verdicts.at("a"), "does not have it");
  expect_refused(verdicts.at("b"), "TensorRT-RTX does not bring");
  expect_refused(verdicts.at("c"), "domain com.acme");
}

TEST(TensorRtCheck, NamesTypesThatTensorRtLacks) {
  const auto verdicts = verdicts_of(R"(<ir_version: 9, opset_import: ["" : 20]>
      g (uint32[3] x, float[3] f, uint8[3] u) => (uint32[3] a, float[3] b, uint8[3] c) {
        a = Add(x, x) s = SequenceConstruct(f) t = Identity(s) at = Constant <value_int: int = 0> () b = SequenceAt(t, at)
        c = Add(u, u) })");
  expect_refused(verdicts.at("a"), "'x' is uint32");
  expect_refused(verdicts.at("s"), "does not have it");
  expect_refused(verdicts.at("t"), "is no tensor");
  expect_refused(verdicts.at("c"), "it reads uint8");
}

TEST(TensorRtCheck, AxesMustBeKnown) {
  const auto verdicts = verdicts_of(R"(<ir_version: 9, opset_import: ["" : 20]>
      g (float[2, 3] x, int64[1] axes) => (float[M, N] a, float[2, 1] b) <int64[1] last = {1}> {
        a = ReduceSum(x, axes) b = ReduceSum(x, last) })");
  expect_refused(verdicts.at("a"), "axes come from the graph");
  EXPECT_EQ(verdicts.at("b").verdict, Verdict::kSupported);
}

TEST(TensorRtCheck, LimitsOfSingleOperators) {
  const auto verdicts = verdicts_of(R"(<ir_version: 10, opset_import: ["" : 21]>
      g (float[1, 3, 8, 8] x, uint8[4] q, float[4] row,
         float[5, 4, 2] mats, float[3, 2] table, int64[1, 2] where, float[1] more)
      => (float[1, 3, 4, 4] a, float[1, 3, H, W] b, float[4] d, float[5, 2] e, float[3, 2] f,
          float[4] h)
      <float scale = {0.5}, uint8 middle = {128}, int8 shifted = {3}> {
        a = MaxPool <kernel_shape = [2, 2], strides = [2, 2], dilations = [2, 2]> (x)
        sizes = Constant <value = int64[4] {1, 3, 16, 16}> ()
        b = Resize <mode = "linear", antialias = 1> (x, , , sizes)
        d = DequantizeLinear(q, scale, middle)
        e = MatMul(row, mats)
        f = ScatterND <reduction = "add"> (table, where, more)
        r = QuantizeLinear(row, scale, shifted)
        h = DequantizeLinear(r, scale, shifted) })");
  expect_refused(verdicts.at("a"), "no dilations");
  expect_refused(verdicts.at("b"), "no antialiasing");
  expect_refused(verdicts.at("d"), "no uint8 Q/DQ");
  expect_refused(verdicts.at("e"), "a vector times a batch");
  expect_refused(verdicts.at("f"), "no reduction");
  expect_refused(verdicts.at("r"), "zero points must be 0");
}

TEST(TensorRtCheck, WhatIsComputedWronglyIsRefusedThoughTheParserTakesIt) {
  const auto verdicts = verdicts_of(R"(<ir_version: 11, opset_import: ["" : 26]>
      g (float[1, 2, 4, 8] q, float[1, 2, 4, 8] k, float[1, 2, 4, 8] v) => (float[1, 2, 4, 8] y) {
        y = Attention <left_window_size = 1> (q, k, v) })");
  expect_refused(verdicts.at("y"), "computed wrongly");
}

TEST(TensorRtCheck, BodiesOfFunctionsAreJudged) {
  const auto verdicts = verdicts_of(R"(<ir_version: 9, opset_import: ["" : 20, "mine" : 1]>
      g (float[3] x, bool[3] m) => (float[N] y) { y = mine.pick(x, m) }
      <domain: "mine", opset_import: ["" : 20]> pick (a, b) => (c) { c = Compress(a, b) })");
  EXPECT_EQ(verdicts.at("y").verdict, Verdict::kSupported);
  expect_refused(verdicts.at("c"), "does not have it");
}

}  // namespace
}  // namespace tarmac
