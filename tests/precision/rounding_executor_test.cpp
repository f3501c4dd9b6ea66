#include "precision/rounding_executor.h"

#include <cmath>
#include <set>

#include "passes/infer_shapes.h"
#include "precision/precision_harness.h"
#include "precision/rounding.h"
#include "precision/value_stats.h"
#include "targets/evaluator.h"

namespace tarmac::test {
namespace {

using ::testing::ElementsAre;
using Tensors = std::map<std::string, Tensor>;

class RoundingExecution : public WithEngine {};

/// The model's own float types, run once.
std::vector<float> run(const std::string& text, const Tensors& inputs, const std::string& output = "y") {
  Model graph = model(text);
  expect_ok(infer_shapes(graph));
  RoundingExecutor executor(graph, engine());
  const auto outputs = expect_ok(executor.run(inputs));
  const auto values = outputs.at(output).data<float>();
  return {values.begin(), values.end()};
}

TEST_F(RoundingExecution, AThousandTimesAThousandIsInfiniteInHalfPrecision) {
  constexpr const char* kText =
      R"(<ir_version: 8, opset_import: ["" : 17]> g (float16[1] x) => (float16[1] y) {
    a = Mul (x, x)
    y = Div (a, x)
  })";
  EXPECT_THAT(run(kText, {{"x", floats({1000})}}), ElementsAre(INFINITY));
  // ONNX Runtime computes float16 in float32 between casts of its own; as one model it need not overflow.
  // That is why nodes run alone.
  EXPECT_THAT(run(R"(<ir_version: 8, opset_import: ["" : 17]> g (float[1] x) => (float[1] y) {
    a = Mul (x, x)
    y = Div (a, x)
  })",
                  {{"x", floats({1000})}}),
              ElementsAre(1000.0F));
}

TEST_F(RoundingExecution, CastsToHalfAndBackAreNotDropped) {
  EXPECT_THAT(run(R"(<ir_version: 8, opset_import: ["" : 17]> g (float[3] x) => (float[3] y) {
    a = Cast <to = 10> (x)
    y = Cast <to = 1> (a)
  })",
                  {{"x", floats({1e6F, 1e-9F, 1.0001F})}}),
              ElementsAre(INFINITY, 0.0F, 1.0F));
}

TEST_F(RoundingExecution, ProductsBelowTheSmallestHalfAreZero) {
  EXPECT_THAT(run(R"(<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) {
    a = Cast <to = 10> (x)
    b = Mul (a, a)
    y = Cast <to = 1> (b)
  })",
                  {{"x", floats({1e-4F, 1})}}),
              ElementsAre(0.0F, 1.0F));
}

TEST_F(RoundingExecution, ComputesMixedModelsWithEachNodeRoundedAtItsOutput) {
  // 2048 + 1 is 2048 in float16, the float32 side keeps it.
  constexpr const char* kText = R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float16[1] x) => (float16[1] y, float[1] z) <float16[1] one = {15360}, float[1] wide = {1}> {
    y = Add (x, one)
    a = Cast <to = 1> (x)
    z = Add (a, wide)
  })";
  EXPECT_THAT(run(kText, {{"x", floats({2048})}}), ElementsAre(2048.0F));
  EXPECT_THAT(run(kText, {{"x", floats({2048})}}, "z"), ElementsAre(2049.0F));
}

TEST_F(RoundingExecution, RoundsToBfloat16) {
  EXPECT_THAT(run(R"(<ir_version: 8, opset_import: ["" : 17]> g (float[3] x) => (float[3] y) {
    a = Cast <to = 16> (x)
    y = Cast <to = 1> (a)
  })",
                  {{"x", floats({1e30F, 257, 1.001F})}}),
              ElementsAre(rounded_to_bfloat16(1e30F), 256.0F, 1.0F));
}

constexpr const char* kNested = R"(<ir_version: 8, opset_import: ["" : 17]>
  g (float16[2] x, bool c, int64 n) => (float16[2] y, float16[k,2] all) {
  a = If (c) <then_branch = t () => (float16[2] r) { r = Mul (x, x) },
              else_branch = e () => (float16[2] s) { s = Add (x, x) }>
  y, all = Loop (n, c, a) <body = b (int64 i, bool go, float16[2] v) => (bool more, float16[2] w, float16[2] seen) {
    more = Identity (go)
    w = Add (v, x)
    seen = Identity (w)
  }>
})";

TEST_F(RoundingExecution, WalksBranchesAndLoops) {
  const auto inputs = [](bool condition) {
    const bool values[] = {condition};
    return Tensors{{"x", floats({1000, 2})},
                   {"c", Tensor::from<bool>({}, std::span<const bool>(values))},
                   {"n", Tensor::from<std::int64_t>({}, std::vector<std::int64_t>{2})}};
  };
  EXPECT_THAT(run(kNested, inputs(true)), ElementsAre(INFINITY, 8.0F));
  EXPECT_THAT(run(kNested, inputs(true), "all"), ElementsAre(INFINITY, 6.0F, INFINITY, 8.0F));
}

TEST_F(RoundingExecution, ObservesTwoRunsSideBySide) {
  Model graph = model(R"(<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) {
    a = Mul (x, x)
    y = Div (a, x)
  })");
  expect_ok(infer_shapes(graph));
  Typing half = declared_types();
  half.value = [](const Value&) { return DType::kFloat16; };
  half.reader = [](const Node&, std::size_t) { return DType::kFloat16; };
  std::map<std::string, ValueStats> whole;
  std::map<std::string, ValueStats> alone;
  const auto into = [](std::map<std::string, ValueStats>& stats) {
    return [&stats](const Value& value, const Tensor& r, const Tensor& a) {
      stats[value.name()].add(r, a, DType::kFloat16);
    };
  };
  RoundingExecutor executor(graph, engine());
  const Tensors inputs = {{"x", floats({1000, 1e-5F})}};
  expect_ok(executor.run_pair(inputs, half, Comparing::kWholeRun, into(whole)));
  expect_ok(executor.run_pair(inputs, half, Comparing::kEachNode, into(alone)));
  EXPECT_EQ(whole["a"].infinities, 1);
  EXPECT_EQ(whole["a"].zeros, 1);
  EXPECT_EQ(whole["y"].infinities, 1);  // inherited
  EXPECT_EQ(alone["y"].infinities, 1);  // the dividend does not fit by itself
  EXPECT_EQ(alone["a"].max_abs, 1e6);
  EXPECT_EQ(alone["x"].subnormals, 1);
}

TEST_F(RoundingExecution, GivesTheEnginesResultsWhereNothingIsRounded) {
  Model graph =
      model(R"(<ir_version: 8, opset_import: ["" : 17]> g (float[2,3] x) => (float[2] y, int64[2] n) {
    s = SequenceConstruct (x, x)
    i = Constant <value = int64 {1}> ()
    e = SequenceAt (s, i)
    axes = Constant <value = int64[1] {1}> ()
    y = ReduceSum <keepdims = 0> (e, axes)
    n = Shape (e)
  })");
  expect_ok(infer_shapes(graph));
  RoundingExecutor executor(graph, engine());
  const auto outputs =
      expect_ok(executor.run({{"x", Tensor::from<float>({2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6})}}));
  EXPECT_EQ(outputs.at("y").data<float>()[1], 15);
  EXPECT_EQ(outputs.at("n").data<std::int64_t>()[1], 3);
}

TEST_F(RoundingExecution, NamesAMissingInput) {
  Model graph =
      model(R"(<ir_version: 8, opset_import: ["" : 17]> g (float[1] x) => (float[1] y) { y = Relu (x) })");
  RoundingExecutor executor(graph, engine());
  expect_error(executor.run({}), ErrorCode::kInvalidInput, "'x'");
}

}  // namespace
}  // namespace tarmac::test
