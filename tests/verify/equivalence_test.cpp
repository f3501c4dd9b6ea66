// The proof that optimising changed nothing, and the search for the pass that did.
#include "verify/equivalence.h"

#include <cmath>

#include "graph/model_io.h"
#include "passes/passes.h"
#include "runtime/inputs.h"
#include "support/graph_checks.h"
#include "targets/evaluator.h"
#include "verify/find_culprit.h"
#include "verify/reference_engine.h"

namespace tarmac {
namespace {

using test::expect_error;
using test::expect_ok;
using testing::HasSubstr;

constexpr const char* kNet = R"(<ir_version: 8, opset_import: ["": 17]>
  g (float[batch, 4] x) => (float[batch, 4] y, float[batch, 4] z)
  <float[4] one = {1, 1, 1, 1}, float[4] bias = {1, 2, 3, 4}>
  { a = Mul(x, one)  b = Identity(a)  c = Tanh(b)  y = Add(c, bias)  d = Sigmoid(x)  e = Identity(d)  z = Neg(e) })";

/// Wrong on purpose: Tanh becomes Erf, which is close to it but not the same.
Status tanh_to_erf(Model& model, PassContext& context) {
  for_each_node(*model.graph, [&](Node& node) {
    if (!node.is("Tanh")) return;
    node.op_type = "Erf";
    context.changed(node, "Tanh became Erf");
  });
  return {};
}

/// Right: names no values anew, changes no result.
Status neg_to_sub(Model& model, PassContext& context) {
  for_each_node(*model.graph, [&](Node& node) {
    if (!node.is("Neg")) return;
    Value& zero = model.graph->add_initializer(model.graph->fresh_name("zero"),
                                               Tensor::from<float>({}, std::vector<float>{0}));
    Value* const x = node.input(0);
    node.op_type = "Sub";
    node.set_input(0, &zero);
    node.add_input(x);
    context.changed(node, "Neg became Sub");
  });
  return {};
}

/// Wrong only after the fact: it says nothing about what it did.
Status silent(Model& model, PassContext& /*context*/) {
  for_each_node(*model.graph, [&](Node& node) {
    if (node.is("Sigmoid")) node.op_type = "HardSigmoid";
  });
  return {};
}

class EquivalenceTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto engine = reference_target();
    if (!engine) GTEST_SKIP() << engine.error().str();
    evaluator_.emplace(**engine);
    options_.evaluator = &*evaluator_;
  }

  Culprit blame(const std::vector<Pass>& passes) {
    options_.passes = &passes;
    const Model original = test::model(kNet);
    Model optimized = clone_model(original);
    (void)expect_ok(optimize(optimized, options_));
    const EquivalenceReport report = expect_ok(compare_models(original, optimized, {}, no_progress()));
    if (!report.difference) {
      ADD_FAILURE() << "no difference was found";
      return {};
    }
    difference_ = *report.difference;
    return expect_ok(find_culprit(original, options_, difference_, no_progress()));
  }

  std::optional<TargetEvaluator> evaluator_;
  OptimizeOptions options_;
  Difference difference_;
};

TEST_F(EquivalenceTest, WhatThePassesMakeIsTheSameAtEveryBatchSize) {
  const Model original = test::model(kNet);
  Model optimized = clone_model(original);
  const OptimizeReport done = expect_ok(optimize(optimized, options_));
  EXPECT_LT(done.nodes_after, done.nodes_before);
  const EquivalenceReport report = expect_ok(compare_models(original, optimized, {}, no_progress()));
  EXPECT_FALSE(report.difference);
  ASSERT_EQ(report.corners.size(), 3U);
  EXPECT_EQ(report.corners[2].shapes, "batch=5");
  for (const ComparedCorner& corner : report.corners) {
    EXPECT_EQ(corner.runs, 3U);
    ASSERT_EQ(corner.outputs.size(), 2U);
    EXPECT_EQ(corner.outputs[0].limit, 1e-3);
    EXPECT_LT(corner.outputs[0].metrics.max_rel, 1e-6);
  }
}

TEST_F(EquivalenceTest, AWrongPassIsNamedAmongTheOthersWithItsNode) {
  std::vector<Pass> passes = all_passes();
  passes.insert(passes.begin() + 4, {"tanh_to_erf", "wrong on purpose", tanh_to_erf});
  passes.push_back({"neg_to_sub", "right, and runs later", neg_to_sub});
  const Culprit culprit = blame(passes);
  EXPECT_EQ(culprit.pass, "tanh_to_erf");
  EXPECT_EQ(culprit.round, 1);
  ASSERT_EQ(culprit.changes.size(), 1U);
  EXPECT_EQ(culprit.value, "c");
  ASSERT_TRUE(culprit.change);
  EXPECT_EQ(culprit.change->what, "Tanh became Erf");
  const Error error = to_error(difference_, culprit);
  EXPECT_EQ(error.code, ErrorCode::kAcceptance);
  EXPECT_THAT(error.message, HasSubstr("output 'y'"));
  EXPECT_THAT(error.message, HasSubstr("tanh_to_erf (round 1)"));
  EXPECT_THAT(error.message, HasSubstr("--skip tanh_to_erf"));
}

TEST_F(EquivalenceTest, APassThatRecordsNothingIsNamedAllTheSame) {
  std::vector<Pass> passes = all_passes();
  passes.insert(passes.begin(), {"silent", "wrong and silent", silent});
  const Culprit culprit = blame(passes);
  EXPECT_EQ(culprit.pass, "silent");
  EXPECT_TRUE(culprit.changes.empty());
  EXPECT_EQ(culprit.value, "d");
}

TEST_F(EquivalenceTest, OfTwoWrongPassesTheFirstIsNamed) {
  const std::vector<Pass> passes = {{"neg_to_sub", "right", neg_to_sub},
                                    {"silent", "wrong", silent},
                                    {"tanh_to_erf", "wrong as well", tanh_to_erf}};
  EXPECT_EQ(blame(passes).pass, "silent");
}

TEST_F(EquivalenceTest, TheStepsOfAnOptimisationAreTheSameEveryTime) {
  const Model original = test::model(kNet);
  Model whole = clone_model(original);
  const OptimizeReport all = expect_ok(optimize(whole, options_));
  for (std::size_t steps = 0; steps <= all.steps.size(); ++steps) {
    options_.max_steps = steps;
    Model part = clone_model(original);
    const OptimizeReport done = expect_ok(optimize(part, options_));
    ASSERT_EQ(done.steps.size(), steps);
    for (std::size_t i = 0; i < steps; ++i) {
      EXPECT_EQ(done.steps[i].pass, all.steps[i].pass);
      EXPECT_EQ(done.steps[i].changes, all.steps[i].changes);
    }
    if (steps == all.steps.size()) test::expect_same_model(part, whole, true);
  }
}

TEST_F(EquivalenceTest, ProfilesGiveTheCorners) {
  const Model model = test::model(R"(<ir_version: 8, opset_import: ["": 17]>
    g (float[n, 3, h, w] x) => (float[n, 3, h, w] y) { y = Relu(x) })");
  EquivalenceOptions options;
  options.profiles.push_back({{"x", {{1, 3, 4, 6}, {1, 3, 8, 6}, {4, 3, 16, 6}}}});
  const EquivalenceReport report = expect_ok(compare_models(model, model, options, no_progress()));
  ASSERT_EQ(report.corners.size(), 6U);  // n: 1, 4; h: 4, 8, 16
  EXPECT_EQ(report.corners.front().shapes, "n=1, h=4");
  EXPECT_EQ(report.corners.back().shapes, "n=4, h=16");
  options.profiles = {{{"y", {{1}, {1}, {1}}}}};
  expect_error(compare_models(model, model, options, no_progress()), ErrorCode::kNotFound, "'y'");
}

TEST_F(EquivalenceTest, NaNMustStandAtTheSamePlaces) {
  const Model original = test::model(R"(<ir_version: 8, opset_import: ["": 17]>
    g (float[4] x) => (float[4] y) { y = Sqrt(x) })");
  const Model other = test::model(R"(<ir_version: 8, opset_import: ["": 17]>
    g (float[4] x) => (float[4] y) { a = Relu(x)  y = Sqrt(a) })");
  const EquivalenceReport report = expect_ok(compare_models(original, other, {}, no_progress()));
  ASSERT_TRUE(report.difference);
  EXPECT_THAT(report.difference->what, HasSubstr("NaN"));
  EXPECT_FALSE(expect_ok(compare_models(original, original, {}, no_progress())).difference);
}

TEST_F(EquivalenceTest, AShapeOrTypeThatChangedIsADifference) {
  const Model original = test::model(R"(<ir_version: 8, opset_import: ["": 17]>
    g (float[2, 3] x) => (float[A, B] y) { y = Relu(x) })");
  const Model other = test::model(R"(<ir_version: 8, opset_import: ["": 17]>
    g (float[2, 3] x) => (float[A, B] y) { y = Transpose(x) })");
  const EquivalenceReport report = expect_ok(compare_models(original, other, {}, no_progress()));
  ASSERT_TRUE(report.difference);
  EXPECT_THAT(report.difference->what, HasSubstr("float32[3, 2]"));
}

TEST_F(EquivalenceTest, IndicesAreTakenFromTheWholeTable) {
  const Model model = test::model(R"(<ir_version: 8, opset_import: ["": 17]>
    g (int32[n, 5] ids, float[300, 2] table) => (float[n, 5, 2] y)
    { wide = Cast <to = 7> (ids)  y = Gather(table, wide) })");
  const auto ranges = index_ranges(model);
  ASSERT_TRUE(ranges.contains("ids"));
  EXPECT_EQ(ranges.at("ids").last, 299);
  EXPECT_FALSE(expect_ok(compare_models(model, model, {}, no_progress())).difference);
}

TEST_F(EquivalenceTest, SizesThatTheModelLeavesOpenAreFound) {
  const Model model = test::model(R"(<ir_version: 8, opset_import: ["": 17]>
    g (float[n, 1, h, w] x) => (float[n, 1, p, q] y) { y = MaxPool <kernel_shape = [9, 9], strides = [2, 2]> (x) })");
  const EquivalenceReport report = expect_ok(compare_models(model, model, {}, no_progress()));
  ASSERT_EQ(report.corners.size(), 4U);
  EXPECT_EQ(report.corners.front().shapes, "batch=1, open sizes=64");
  EXPECT_EQ(report.corners.back().shapes, "batch=1, open sizes=128");
}

TEST_F(EquivalenceTest, RandomOutputsAreSaidToProveNothing) {
  const Model original = test::model(R"(<ir_version: 8, opset_import: ["": 17]>
    g (float[64] x) => (float[64] y, float[64] z) { r = RandomUniformLike(x)  y = Add(x, r)  z = Neg(x) })");
  const Model other = test::model(R"(<ir_version: 8, opset_import: ["": 17]>
    g (float[64] x) => (float[64] y, float[64] z)
    { q = RandomUniformLike(x)  r = RandomUniformLike(q)  y = Add(x, r)  z = Neg(x) })");
  const EquivalenceReport report = expect_ok(compare_models(original, other, {}, no_progress()));
  EXPECT_FALSE(report.difference);
  for (const ComparedOutput& output : report.corners.at(0).outputs)
    EXPECT_EQ(output.random, output.output == "y");
}

TEST_F(EquivalenceTest, AModelThatRunsNowhereIsNotCalledProven) {
  const Model model = test::model(R"(<ir_version: 8, opset_import: ["": 17]>
    g (float[4] x, int64[1] shape) => (float[A] y) <int64[1] nine = {9}> { s = Mul(shape, nine)  t = Add(s, nine)  y = Reshape(x, t) })");
  expect_error(compare_models(model, model, {}, no_progress()), ErrorCode::kInvalidInput, "does not run");
}

TEST(JudgeOutput, IntegersMayDifferInOneOfAThousand) {
  std::vector<std::int64_t> values(2000, 7);
  const Tensor expected = Tensor::from<std::int64_t>({2000}, values);
  values[3] = 8;
  values[4] = 8;
  ComparedOutput compared;
  EXPECT_EQ(judge_output(expected, Tensor::from<std::int64_t>({2000}, values), compared), "");
  values[5] = 8;
  EXPECT_THAT(judge_output(expected, Tensor::from<std::int64_t>({2000}, values), compared),
              HasSubstr("3 of 2000"));
  const Tensor small = Tensor::from<std::int64_t>({2}, std::vector<std::int64_t>{1, 2});
  EXPECT_NE(judge_output(small, Tensor::from<std::int64_t>({2}, std::vector<std::int64_t>{1, 3}), compared),
            "");
}

}  // namespace
}  // namespace tarmac
