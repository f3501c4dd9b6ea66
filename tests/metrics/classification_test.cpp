#include "metrics/classification.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace tarmac {
namespace {

using Labels = std::vector<std::int64_t>;

ClassificationMetrics lights() { return *ClassificationMetrics::create({"red", "yellow", "green"}); }

TEST(Classification, CountsAccuracyAndConfusion) {
  ClassificationMetrics metrics = lights();
  const Tensor logits = Tensor::from<float>({5, 3}, {9, 0, 0,    // red
                                                     0, 9, 0,    // yellow
                                                     9, 0, 0,    // red, is yellow
                                                     0, 0, 9,    // green
                                                     9, 0, 8});  // red
  ASSERT_TRUE(metrics.add(logits, Labels{0, 1, 1, 2, 0}).ok());
  EXPECT_EQ(metrics.samples(), 5);
  EXPECT_EQ(metrics.correct(), 4);
  EXPECT_DOUBLE_EQ(metrics.accuracy(), 0.8);
  EXPECT_DOUBLE_EQ(metrics.recall(0), 1);
  EXPECT_DOUBLE_EQ(metrics.recall(1), 0.5);
  EXPECT_DOUBLE_EQ(metrics.precision(0), 2.0 / 3);
  EXPECT_DOUBLE_EQ(metrics.f1(0), 0.8);
  EXPECT_DOUBLE_EQ(metrics.balanced_accuracy(), 2.5 / 3);
  EXPECT_EQ(metrics.support(1), 2);
  EXPECT_EQ(metrics.confusion(), (std::vector<std::vector<std::int64_t>>{{2, 0, 0}, {1, 1, 0}, {0, 0, 1}}));
}

TEST(Classification, BatchesAddUp) {
  ClassificationMetrics whole = lights();
  ClassificationMetrics parts = lights();
  const std::vector<float> values = {1, 2, 3, 3, 2, 1};
  ASSERT_TRUE(whole.add(Tensor::from<float>({2, 3}, values), Labels{2, 1}).ok());
  ASSERT_TRUE(parts.add(Tensor::from<float>({3}, {1, 2, 3}), Labels{2}).ok());
  ASSERT_TRUE(parts.add(Tensor::from<float>({1, 3, 1, 1}, {3, 2, 1}), Labels{1}).ok());
  EXPECT_EQ(parts.confusion(), whole.confusion());
}

TEST(Classification, AClassWithoutSamplesHasNoShareInBalancedAccuracy) {
  ClassificationMetrics metrics = lights();
  EXPECT_EQ(metrics.accuracy(), 0);
  EXPECT_EQ(metrics.balanced_accuracy(), 0);
  ASSERT_TRUE(metrics.add(Tensor::from<float>({1, 3}, {1, 0, 0}), Labels{0}).ok());
  EXPECT_EQ(metrics.balanced_accuracy(), 1);
  EXPECT_EQ(metrics.recall(2), 0);
  EXPECT_EQ(metrics.precision(2), 0);
  EXPECT_EQ(metrics.f1(2), 0);
}

TEST(Classification, NanIsNeverAPrediction) {
  ClassificationMetrics metrics = lights();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  ASSERT_TRUE(metrics.add(Tensor::from<float>({2, 3}, {nan, 0, 0, 5, nan, 0}), Labels{0, 0}).ok());
  EXPECT_EQ(metrics.samples(), 2);
  EXPECT_EQ(metrics.correct(), 0);
  EXPECT_EQ(metrics.without_prediction(), 2);
}

TEST(Classification, RefusesWhatDoesNotFitAndAddsNothing) {
  ClassificationMetrics metrics = lights();
  const Tensor row = Tensor::from<float>({1, 3}, {1, 2, 3});
  EXPECT_FALSE(metrics.add(row, Labels{3}).ok());
  EXPECT_FALSE(metrics.add(row, Labels{-1}).ok());
  EXPECT_FALSE(metrics.add(row, Labels{0, 1}).ok());
  EXPECT_FALSE(metrics.add(Tensor::from<float>({1, 2}, {1, 2}), Labels{0}).ok());
  EXPECT_FALSE(metrics.add(Tensor::from<float>({1, 3, 2}, {1, 2, 3, 4, 5, 6}), Labels{0}).ok());
  EXPECT_FALSE(metrics.add(Tensor::from<float>({}, {1}), Labels{0}).ok());
  EXPECT_FALSE(metrics.add(*Tensor::of_strings({1, 3}, {"a", "b", "c"}), Labels{0}).ok());
  EXPECT_EQ(metrics.samples(), 0);
  EXPECT_FALSE(ClassificationMetrics::create({"one"}).ok());
  EXPECT_FALSE(ClassificationMetrics::create({"one", "one"}).ok());
}

TEST(Argmax, TakesTheFirstOfEquals) {
  EXPECT_EQ(*argmax_rows(Tensor::from<float>({2, 3}, {1, 1, 0, 0, 2, 2})), (Labels{0, 1}));
  EXPECT_TRUE(argmax_rows(*Tensor::allocate(DType::kFloat32, {0, 3}))->empty());
}

TEST(Softmax, SumsToOneAlsoForLargeLogits) {
  const auto rows =
      softmax_rows(Tensor::from<float>({2, 2}, {1000, 1000, 0, static_cast<float>(std::log(3.0))}));
  ASSERT_TRUE(rows.ok());
  EXPECT_DOUBLE_EQ((*rows)[0][0], 0.5);
  EXPECT_NEAR((*rows)[1][1], 0.75, 1e-7);
}

}  // namespace
}  // namespace tarmac
