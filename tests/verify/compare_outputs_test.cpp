#include "verify/compare_outputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "runtime/example_models.h"
#include "runtime/inputs.h"

namespace tarmac {
namespace {

Tensor vector_of(const std::vector<float>& values) {
  const auto count = static_cast<std::int64_t>(values.size());
  return Tensor::from(Shape{count}, values);
}

TEST(OutputComparerTest, FindsTheWorstSampleOfEachOutput) {
  OutputComparer comparer;
  ASSERT_TRUE(comparer
                  .add({{"a", vector_of({1, 2})}, {"b", vector_of({4})}},
                       {{"a", vector_of({1, 2})}, {"b", vector_of({5})}})
                  .ok());
  ASSERT_TRUE(comparer
                  .add({{"a", vector_of({1, 2})}, {"b", vector_of({4})}},
                       {{"a", vector_of({1, 3})}, {"b", vector_of({4})}})
                  .ok());
  ASSERT_EQ(comparer.results().size(), 2U);
  const OutputComparison& a = comparer.results()[0];
  EXPECT_EQ(a.output, "a");
  EXPECT_EQ(a.samples, 2U);
  EXPECT_EQ(a.worst_sample, 1U);
  EXPECT_DOUBLE_EQ(a.metrics.max_rel, 0.5);
  EXPECT_DOUBLE_EQ(a.metrics.max_abs, 1);
  EXPECT_EQ(a.metrics.count, 4);
  EXPECT_EQ(comparer.results()[1].worst_sample, 0U);
}

TEST(OutputComparerTest, ANanOnOneSideIsTheWorst) {
  OutputComparer comparer;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  ASSERT_TRUE(comparer.add({{"a", vector_of({1, 2})}}, {{"a", vector_of({1, 200})}}).ok());
  ASSERT_TRUE(comparer.add({{"a", vector_of({1, 2})}}, {{"a", vector_of({nan, 2})}}).ok());
  EXPECT_EQ(comparer.results()[0].worst_sample, 1U);
  EXPECT_TRUE(std::isinf(severity(comparer.results()[0].worst)));
  EXPECT_EQ(comparer.results()[0].metrics.nan_mismatches, 1);
}

TEST(OutputComparerTest, NamesTheOutputThatDoesNotFit) {
  OutputComparer missing;
  const Status absent = missing.add({{"a", vector_of({1})}}, {{"b", vector_of({1})}});
  ASSERT_FALSE(absent.ok());
  EXPECT_EQ(absent.error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(absent.error().node, "a");
  OutputComparer other_shape;
  const Status shape = other_shape.add({{"a", vector_of({1})}}, {{"a", vector_of({1, 2})}});
  ASSERT_FALSE(shape.ok());
  EXPECT_EQ(shape.error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(shape.error().node, "a");
}

class CompareOutputsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (test::computing_targets().empty()) GTEST_SKIP() << "no engine was built in";
  }

  static std::unique_ptr<Executable> compile(const std::string& target, const Model& model) {
    auto executable = (*find_target(target))->compile(model, {}, no_progress());
    EXPECT_TRUE(executable.ok()) << executable.error().str();
    return *std::move(executable);
  }

  /// `count` made-up inputs.
  static SampleSource samples(const Executable& executable, std::uint64_t count) {
    return [&executable, count, seed = std::uint64_t{0}]() mutable -> Result<std::optional<NamedTensors>> {
      if (seed == count) return std::optional<NamedTensors>();
      TARMAC_TRY(NamedTensors inputs, random_inputs(executable.inputs(), {}, seed++));
      return std::optional(std::move(inputs));
    };
  }
};

TEST_F(CompareOutputsTest, EnginesAgreeOnAModel) {
  const Model model = test::affine_model();
  const auto reference = compile(test::computing_targets().front(), model);
  for (const std::string& target : test::computing_targets()) {
    const auto other = compile(target, model);
    const auto results = compare_outputs(*reference, *other, samples(*reference, 5), no_progress());
    ASSERT_TRUE(results.ok()) << results.error().str();
    EXPECT_EQ(results->front().samples, 5U);
    EXPECT_LT(results->front().metrics.max_rel, 1e-6) << target;
  }
}

TEST_F(CompareOutputsTest, TellsAChangedWeight) {
  Model changed = test::affine_model();
  changed.graph->set_initializer(*changed.graph->find("b"),
                                 Tensor::from(Shape{2}, std::vector<float>{0.5F, -0.4F}));
  const std::string target = test::computing_targets().front();
  const auto reference = compile(target, test::affine_model());
  const auto other = compile(target, changed);
  const auto results = compare_outputs(*reference, *other, samples(*reference, 3), no_progress());
  ASSERT_TRUE(results.ok()) << results.error().str();
  EXPECT_NEAR(results->front().metrics.max_abs, 0.1, 1e-6);
  EXPECT_FALSE(results->front().metrics.within(0.001));
}

TEST_F(CompareOutputsTest, ComparingNothingIsAnError) {
  const auto executable = compile(test::computing_targets().front(), test::affine_model());
  const auto results = compare_outputs(*executable, *executable, samples(*executable, 0), no_progress());
  ASSERT_FALSE(results.ok());
  EXPECT_EQ(results.error().code, ErrorCode::kInvalidInput);
}

}  // namespace
}  // namespace tarmac
