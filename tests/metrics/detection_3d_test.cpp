#include "metrics/detection_3d.h"

#include <gtest/gtest.h>

#include <numbers>

#include "metrics/detection_3d_numbers.h"
#include "support/expect.h"

namespace tarmac::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Box3d at(double x, double y = 0) { return {x, y, 0, 4, 2, 1.5, 0, 1, 0}; }

DetectionMetrics3d one_class() { return expect_ok(DetectionMetrics3d::create({"car"})); }

using Found = std::vector<Detection3d>;
using Truth = std::vector<LabelledBox3d>;

Box3d box_of(const double* row) {
  return {row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8]};
}

DetectionMetrics3d of_the_numbers() {
  auto metrics = expect_ok(DetectionMetrics3d::create({"car", "pedestrian", "cyclist", "bus"}));
  for (int frame = 0; frame < kFrames; ++frame) {
    Truth truth;
    Found found;
    for (const auto& row : kTruth) {
      if (row[0] == frame) truth.push_back({box_of(&row[2]), static_cast<std::int64_t>(row[1])});
    }
    for (const auto& row : kFound) {
      if (row[0] == frame) found.push_back({box_of(&row[2]), static_cast<std::int64_t>(row[1]), row[11]});
    }
    expect_ok(metrics.add(found, truth, static_cast<std::size_t>(frame % kSceneLength)));
  }
  return metrics;
}

TEST(Detection3d, AgreesWithAnotherComputation) {
  constexpr double kClose = 1e-9;
  const DetectionMetrics3d metrics = of_the_numbers();
  EXPECT_EQ(metrics.samples(), kFrames);
  for (std::size_t c = 0; c < kPrecisions.size(); ++c) {
    const auto precisions = metrics.ap(c);
    const auto errors = metrics.errors(c);
    ASSERT_TRUE(precisions && errors);
    for (std::size_t d = 0; d < precisions->size(); ++d)
      EXPECT_NEAR((*precisions)[d], kPrecisions[c][d], kClose) << "class " << c << ", distance " << d;
    EXPECT_NEAR(errors->translation, kErrors[c][0], kClose);
    EXPECT_NEAR(errors->scale, kErrors[c][1], kClose);
    EXPECT_NEAR(errors->orientation, kErrors[c][2], kClose);
    EXPECT_EQ(errors->velocity.has_value(), c != 2) << "cyclists are labelled without velocities";
    EXPECT_NEAR(errors->velocity.value_or(1), kErrors[c][3], kClose);
  }
  EXPECT_FALSE(metrics.ap(3).has_value()) << "no bus is labelled";
  EXPECT_FALSE(metrics.errors(3).has_value());
  EXPECT_NEAR(metrics.mean_ap(), kMeanAp, kClose);
  EXPECT_NEAR(*metrics.errors().velocity, kMeanErrors[3], kClose);
  EXPECT_NEAR(metrics.errors().orientation, kMeanErrors[2], kClose);
  EXPECT_NEAR(metrics.score(), kScore, kClose);
}

TEST(Detection3d, TellsFiguresByThePlaceInTheScene) {
  const auto frames = of_the_numbers().by_frame();
  ASSERT_EQ(frames.size(), kByFrame.size());
  for (std::size_t f = 0; f < frames.size(); ++f) {
    EXPECT_EQ(static_cast<double>(frames[f].boxes), kByFrame[f][0]);
    EXPECT_NEAR(frames[f].mean_ap, kByFrame[f][1], 1e-9);
    EXPECT_NEAR(*frames[f].velocity, kByFrame[f][2], 1e-9);
  }
  DetectionMetrics3d no_frames = one_class();
  expect_ok(no_frames.add(Found{{at(0), 0, 0.9}}, Truth{{at(0), 0}}));
  EXPECT_TRUE(no_frames.by_frame().empty());
}

TEST(Detection3d, PerfectDetectionsScoreOne) {
  DetectionMetrics3d metrics = one_class();
  expect_ok(metrics.add(Found{{at(0), 0, 0.9}, {at(9), 0, 0.8}}, Truth{{at(0), 0}, {at(9), 0}}));
  EXPECT_DOUBLE_EQ(metrics.mean_ap(), 1);
  EXPECT_DOUBLE_EQ(metrics.score(), 1);
  EXPECT_DOUBLE_EQ(*metrics.errors().velocity, 0);
}

TEST(Detection3d, ADistanceItselfIsTooFar) {
  DetectionMetrics3d metrics = one_class();
  expect_ok(metrics.add(Found{{at(2), 0, 0.9}}, Truth{{at(0), 0}}));
  EXPECT_EQ(metrics.mean_ap_at(2), 0);
  EXPECT_DOUBLE_EQ(metrics.mean_ap_at(3), 1);
  EXPECT_EQ(metrics.errors().translation, 1) << "nothing matches at 2 m";
}

TEST(Detection3d, TheBetterScoreTakesTheNearestFreeBox) {
  DetectionMetrics3d metrics = one_class();
  // The best one stands between both and takes the nearer, which the second would have hit exactly.
  expect_ok(metrics.add(Found{{at(0.6), 0, 0.9}, {at(1), 0, 0.8}}, Truth{{at(0), 0}, {at(1), 0}}));
  // At 0.5 m the second is wrong: precision 1 below recall 0.5, 1/2 at it, nothing beyond.
  EXPECT_NEAR((*metrics.ap(0))[0], (39 + 4.0 / 9) / 90, 1e-12);
  EXPECT_NEAR((*metrics.ap(0))[3], 1, 1e-12);
}

TEST(Detection3d, WithoutTruthOrDetectionsNothingIsRight) {
  DetectionMetrics3d metrics = one_class();
  EXPECT_EQ(metrics.mean_ap(), 0);
  expect_ok(metrics.add(Found{{at(0), 0, 0.9}}, Truth{}));
  EXPECT_EQ(metrics.mean_ap(), 0);
  EXPECT_FALSE(metrics.ap(0).has_value());
  EXPECT_FALSE(metrics.errors().velocity.has_value());
  EXPECT_EQ(metrics.score(), 0);
  expect_ok(metrics.add(Found{}, Truth{{at(0), 0}}));
  EXPECT_EQ(metrics.mean_ap(), 0);
  EXPECT_EQ(metrics.errors().scale, 1);
  EXPECT_EQ(*metrics.errors().velocity, 1);
  EXPECT_EQ(metrics.support(0), 1);
}

TEST(Detection3d, HeadingsTurnTheShortWay) {
  DetectionMetrics3d metrics = one_class();
  Box3d found = at(0);
  Box3d right = at(0);
  found.yaw = 3;
  right.yaw = -3;
  expect_ok(metrics.add(Found{{found, 0, 0.9}}, Truth{{right, 0}}));
  EXPECT_NEAR(metrics.errors().orientation, 2 * std::numbers::pi - 6, 1e-12);
}

TEST(Detection3d, EqualScoresCountInTheOrderTheyWereAdded) {
  DetectionMetrics3d right_first = one_class();
  DetectionMetrics3d wrong_first = one_class();
  expect_ok(right_first.add(Found{{at(0), 0, 0.5}, {at(20), 0, 0.5}}, Truth{{at(0), 0}}));
  expect_ok(wrong_first.add(Found{{at(20), 0, 0.5}, {at(0), 0, 0.5}}, Truth{{at(0), 0}}));
  EXPECT_GT(right_first.mean_ap(), wrong_first.mean_ap());
}

TEST(Detection3d, NumbersThatAreNotFiniteAreLeftOutAndCounted) {
  DetectionMetrics3d metrics = one_class();
  Box3d fast = at(0);
  fast.vx = kInfinity;
  Box3d unknown = at(0);
  unknown.vx = kNan;
  expect_ok(metrics.add(Found{{at(0), 0, kNan}, {at(kInfinity), 0, 0.9}, {fast, 0, 0.9}, {unknown, 0, 0.8}},
                        Truth{{at(0), 0}}));
  EXPECT_EQ(metrics.unusable(), 3);
  EXPECT_DOUBLE_EQ(metrics.mean_ap(), 1);
  EXPECT_EQ(*metrics.errors().velocity, 1) << "truth moves, no detection says how";
}

TEST(Detection3d, SizesThatAreNoneAreWrong) {
  DetectionMetrics3d metrics = one_class();
  Box3d flat = at(0);
  flat.dz = 0;
  expect_ok(metrics.add(Found{{flat, 0, 0.9}}, Truth{{at(0), 0}}));
  EXPECT_EQ(metrics.errors().scale, 1);
}

TEST(Detection3d, RefusesWhatMakesNoSense) {
  expect_error(DetectionMetrics3d::create({}), ErrorCode::kInvalidInput, "at least one class");
  expect_error(DetectionMetrics3d::create({"car", "car"}), ErrorCode::kInvalidInput, "1 of them different");
  DetectionMetrics3d metrics = one_class();
  expect_error(metrics.add(Found{{at(0), 1, 0.9}}, Truth{}), ErrorCode::kInvalidInput,
               "a detection of class 1; expected 0 to 0");
  expect_error(metrics.add(Found{}, Truth{{at(0), -2}}), ErrorCode::kInvalidInput,
               "a labelled box of class -2");
  expect_error(metrics.add(Found{}, Truth{{at(kNan), 0}}), ErrorCode::kInvalidInput, "no finite number");
  EXPECT_EQ(metrics.samples(), 0);
}

}  // namespace
}  // namespace tarmac::test
