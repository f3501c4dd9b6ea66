#include "metrics/segmentation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "metrics/class_map.h"
#include "support/expect.h"

namespace tarmac::test {
namespace {

using testing::ElementsAre;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

SegmentationMetrics road() { return expect_ok(SegmentationMetrics::create({"other", "road", "lane"})); }

Tensor map_of(const Shape& shape, const std::vector<std::uint8_t>& labels) {
  return Tensor::from<std::uint8_t>(shape, labels);
}

/// Scores [1, 3, 2, 2] whose largest are these classes.
Tensor scores_of(const std::vector<std::size_t>& classes) {
  std::vector<float> values(3 * classes.size(), 0.0F);
  for (std::size_t i = 0; i < classes.size(); ++i) values[classes[i] * classes.size() + i] = 1;
  return Tensor::from<float>({1, 3, 2, static_cast<std::int64_t>(classes.size() / 2)}, values);
}

TEST(ClassMap, TakesTheFirstOfTheLargestAndNothingWhereThereIsNan) {
  const auto map = expect_ok(class_map(Tensor::from<float>({1, 2, 3}, {1, 0, kNan, 1, 2, 5})));
  EXPECT_EQ(map.shape, (Shape{1, 3}));
  EXPECT_EQ(map.scored, 2);
  EXPECT_THAT(map.classes, ElementsAre(0, 1, -1));
}

TEST(ClassMap, PartsTwoClassesWithOneScoreByTheThreshold) {
  const Tensor scores = Tensor::from<float>({1, 1, 4}, {-1, 0.25F, 0.5F, 0.75F});
  EXPECT_THAT(expect_ok(class_map(scores)).classes, ElementsAre(0, 1, 1, 1));
  EXPECT_THAT(expect_ok(class_map(scores, 0.5)).classes, ElementsAre(0, 0, 0, 1));
}

TEST(ClassMap, TakesIntegersAsClasses) {
  const auto map = expect_ok(class_map(Tensor::from<std::int64_t>({1, 1, 1, 3}, {2, -4, 1LL << 40})));
  EXPECT_EQ(map.shape, (Shape{1, 1, 3}));
  EXPECT_THAT(map.classes, ElementsAre(2, -1, -1));
  expect_error(class_map(Tensor::from<float>({3}, {1, 2, 3})), ErrorCode::kInvalidInput, "[3]");
}

TEST(Segmentation, CountsPixels) {
  SegmentationMetrics metrics = road();
  expect_ok(metrics.add(scores_of({0, 1, 1, 2}), std::vector{map_of({2, 2}, {0, 1, 2, 2})}));
  expect_ok(metrics.add(scores_of({1, 1, 0, 0}), std::vector{map_of({2, 2}, {1, 1, 255, 1})}));
  // Labels 0: 1, 1: 4, 2: 2; right 1, 3, 1; predicted 2, 4, 1.
  EXPECT_THAT(metrics.confusion(),
              ElementsAre(ElementsAre(1, 0, 0), ElementsAre(1, 3, 0), ElementsAre(0, 1, 1)));
  EXPECT_EQ(metrics.samples(), 2);
  EXPECT_EQ(metrics.pixels(), 7);
  EXPECT_DOUBLE_EQ(metrics.iou(0), 1.0 / 2);
  EXPECT_DOUBLE_EQ(metrics.iou(1), 3.0 / 5);
  EXPECT_DOUBLE_EQ(metrics.iou(2), 1.0 / 2);
  EXPECT_DOUBLE_EQ(metrics.mean_iou(), (0.5 + 0.6 + 0.5) / 3);
  EXPECT_DOUBLE_EQ(metrics.pixel_accuracy(), 5.0 / 7);
  EXPECT_DOUBLE_EQ(metrics.recall(1), 3.0 / 4);
  EXPECT_DOUBLE_EQ(metrics.precision(2), 1);
  EXPECT_THAT(metrics.sample_iou(), ElementsAre((1 + 0.5 + 0.5) / 3, (0 + 2.0 / 3) / 2));
}

TEST(Segmentation, ClassesThatOccurNowhereDoNotCount) {
  SegmentationMetrics metrics = road();
  EXPECT_DOUBLE_EQ(metrics.mean_iou(), 0);
  expect_ok(metrics.add(scores_of({0, 0, 1, 1}), std::vector{map_of({2, 2}, {0, 0, 1, 1})}));
  EXPECT_DOUBLE_EQ(metrics.mean_iou(), 1);
  EXPECT_DOUBLE_EQ(metrics.iou(2), 0);
}

TEST(Segmentation, NanIsWrong) {
  SegmentationMetrics metrics = road();
  expect_ok(metrics.add(Tensor::from<float>({1, 3, 1, 2}, {1, kNan, 0, 9, 0, 0}),
                        std::vector{map_of({1, 2}, {0, 1})}));
  EXPECT_DOUBLE_EQ(metrics.pixel_accuracy(), 0.5);
  EXPECT_DOUBLE_EQ(metrics.mean_iou(), 0.5);
}

TEST(Segmentation, TakesOneScoreForTwoClassesAndClassesAsIntegers) {
  auto metrics = expect_ok(SegmentationMetrics::create({"other", "road"}, 0.5));
  expect_ok(
      metrics.add(Tensor::from<float>({1, 1, 1, 2}, {0.4F, 0.6F}), std::vector{map_of({1, 2}, {0, 1})}));
  expect_ok(metrics.add(Tensor::from<std::int32_t>({1, 1, 2}, {0, 1}), std::vector{map_of({1, 2}, {0, 1})}));
  EXPECT_DOUBLE_EQ(metrics.mean_iou(), 1);
}

TEST(Segmentation, RefusesWhatDoesNotFitAndCountsNothingThen) {
  SegmentationMetrics metrics = road();
  const std::vector<Tensor> label = {map_of({2, 2}, {0, 1, 2, 3})};
  expect_error(metrics.add(scores_of({0, 1, 1, 2}), label), ErrorCode::kInvalidInput, "the label 3");
  expect_error(metrics.add(scores_of({0, 1, 1, 2, 0, 1}), label), ErrorCode::kInvalidInput, "[2, 3]");
  expect_error(metrics.add(Tensor::from<float>({1, 2, 2, 2}, std::vector<float>(8)), label),
               ErrorCode::kInvalidInput, "[1, 3, height, width]");
  expect_error(metrics.add(Tensor::from<std::int32_t>({1, 2, 2}, {0, 1, 1, 3}),
                           std::vector{map_of({2, 2}, {0, 1, 2, 2})}),
               ErrorCode::kInvalidInput, "the class 3");
  EXPECT_EQ(metrics.samples(), 0);
  EXPECT_EQ(metrics.pixels(), 0);
  EXPECT_FALSE(SegmentationMetrics::create({"road"}).ok());
  EXPECT_FALSE(SegmentationMetrics::create({"road", "road"}).ok());
}

TEST(Segmentation, SamplesLabelsAtTheCentresOfAnotherSize) {
  const Tensor labels = map_of({2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
  const Tensor smaller = expect_ok(resize_labels(labels, 1, 2));
  EXPECT_THAT(smaller.data<std::uint8_t>(), ElementsAre(6, 8));
  const Tensor larger = expect_ok(resize_labels(labels, 2, 8));
  EXPECT_THAT(larger.data<std::uint8_t>().first(8), ElementsAre(1, 1, 2, 2, 3, 3, 4, 4));
  expect_error(resize_labels(labels, 0, 2), ErrorCode::kInvalidInput);
}

}  // namespace
}  // namespace tarmac::test
