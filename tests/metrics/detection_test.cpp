#include "metrics/detection.h"

#include <gtest/gtest.h>

#include <limits>

#include "support/expect.h"

namespace tarmac::test {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

DetectionMetrics one_class() { return expect_ok(DetectionMetrics::create({"car"})); }

/// Square boxes of 10 pixels.
Box at(double x, double y = 0) { return {x, y, x + 10, y + 10}; }

TEST(Detection, PerfectDetectionsHaveAnAveragePrecisionOfOne) {
  DetectionMetrics metrics = one_class();
  const std::vector<LabelledBox> truth = {{at(0), 0, false}, {at(50), 0, false}};
  const std::vector<Detection> found = {{at(0), 0, 0.9}, {at(50), 0, 0.8}};
  expect_ok(metrics.add(found, truth));
  EXPECT_DOUBLE_EQ(metrics.mean_ap(), 1);
  EXPECT_DOUBLE_EQ(metrics.mean_ap50(), 1);
  EXPECT_EQ(metrics.support(0), 2);
}

TEST(Detection, CountsByHand) {
  DetectionMetrics metrics = one_class();
  // Right, wrong, right: precisions 1, 1/2, 2/3 at recalls 1/2, 1/2, 1. Of 101 recalls 51 see 1, 50 see 2/3.
  const std::vector<LabelledBox> truth = {{at(0), 0, false}, {at(50), 0, false}};
  const std::vector<Detection> found = {{at(0), 0, 0.9}, {at(200), 0, 0.8}, {at(50), 0, 0.7}};
  expect_ok(metrics.add(found, truth));
  EXPECT_NEAR(metrics.mean_ap50(), (51 + 50 * 2.0 / 3) / 101, 1e-12);
}

TEST(Detection, AShiftedBoxCountsUpToItsOverlap) {
  DetectionMetrics metrics = one_class();
  // 8 of 10 columns overlap: IoU 80 / 120 = 0.667, enough for 0.5, 0.55, 0.6 and 0.65.
  expect_ok(
      metrics.add(std::vector<Detection>{{at(2), 0, 0.9}}, std::vector<LabelledBox>{{at(0), 0, false}}));
  EXPECT_DOUBLE_EQ(metrics.mean_ap(), 0.4);
  EXPECT_DOUBLE_EQ(metrics.mean_ap50(), 1);
}

TEST(Detection, ASecondDetectionOfTheSameBoxIsWrong) {
  DetectionMetrics metrics = one_class();
  const std::vector<LabelledBox> truth = {{at(0), 0, false}, {at(50), 0, false}};
  const std::vector<Detection> found = {{at(0), 0, 0.9}, {at(1), 0, 0.8}};
  expect_ok(metrics.add(found, truth));
  EXPECT_NEAR(metrics.mean_ap50(), 51.0 / 101, 1e-12);
}

TEST(Detection, ClassesWithoutLabelledBoxesDoNotCount) {
  auto metrics = expect_ok(DetectionMetrics::create({"car", "bus"}));
  expect_ok(metrics.add(std::vector<Detection>{{at(0), 0, 0.9}, {at(0), 1, 0.9}},
                        std::vector<LabelledBox>{{at(0), 0, false}}));
  EXPECT_DOUBLE_EQ(metrics.mean_ap(), 1);
  EXPECT_FALSE(metrics.ap(1).has_value());
}

TEST(Detection, NothingFoundIsZeroAndNothingLabelledIsZero) {
  DetectionMetrics metrics = one_class();
  EXPECT_DOUBLE_EQ(metrics.mean_ap(), 0);
  expect_ok(metrics.add({}, std::vector<LabelledBox>{{at(0), 0, false}}));
  EXPECT_DOUBLE_EQ(metrics.mean_ap(), 0);
  EXPECT_EQ(metrics.samples(), 1);
}

TEST(Detection, LeavesOutNanAndRefusesUnknownClasses) {
  DetectionMetrics metrics = one_class();
  const std::vector<LabelledBox> truth = {{at(0), 0, false}};
  expect_ok(
      metrics.add(std::vector<Detection>{{at(0), 0, 0.5}, {at(0), 0, kNan}, {at(kNan), 0, 0.9}}, truth));
  EXPECT_DOUBLE_EQ(metrics.mean_ap(), 1);
  EXPECT_EQ(metrics.unusable(), 2);
  expect_error(metrics.add(std::vector<Detection>{{at(0), 1, 0.5}}, truth), ErrorCode::kInvalidInput,
               "a detection of class 1");
  expect_error(metrics.add({}, std::vector<LabelledBox>{{at(0), -1, false}}), ErrorCode::kInvalidInput,
               "a labelled box of class -1");
  EXPECT_EQ(metrics.samples(), 1);
}

/// Pictures with up to 5 labelled boxes of 3 classes, and detections near them and elsewhere.
class MadeUpPictures {
 public:
  static DetectionMetrics evaluate(int pictures, bool crowds) {
    auto metrics = expect_ok(DetectionMetrics::create({"0", "1", "2"}));
    MadeUpPictures made;
    for (int i = 0; i < pictures; ++i) {
      made.next(crowds);
      expect_ok(metrics.add(made.found_, made.truth_));
    }
    return metrics;
  }

 private:
  int draw(int below) {
    state_ = (state_ * 1103515245 + 12345) % (std::int64_t{1} << 31);
    return static_cast<int>((state_ / 65536) % below);
  }

  static Box box(int x, int y, int width, int height) {
    return {double(x), double(y), double(x) + width, double(y) + height};
  }

  /// The order of the draws is the script's.
  void next(bool crowds) {
    truth_.clear();
    found_.clear();
    const int labelled = draw(6);
    for (int g = 0; g < labelled; ++g) {
      const int label = draw(3);
      const int x = draw(80);
      const int y = draw(80);
      const int width = 5 + draw(40);
      const int height = 5 + draw(40);
      const bool crowd = crowds && draw(5) == 0;
      truth_.push_back({box(x, y, width, height), label, crowd});
      const int near = draw(3);
      for (int d = 0; d < near; ++d) {
        const int said = draw(8) != 0 ? label : draw(3);
        const int to_x = x + draw(7) - 3;
        const int to_y = y + draw(7) - 3;
        const int to_width = width + draw(7) - 3;
        const int to_height = height + draw(7) - 3;
        found_.push_back({box(to_x, to_y, to_width, to_height), said, draw(100) / 100.0});
      }
    }
    const int elsewhere = draw(3);
    for (int d = 0; d < elsewhere; ++d) {
      const int said = draw(3);
      const int x = draw(80);
      const int y = draw(80);
      const int width = 5 + draw(40);
      const int height = 5 + draw(40);
      found_.push_back({box(x, y, width, height), said, draw(60) / 100.0});
    }
  }

  std::int64_t state_ = 1;
  std::vector<LabelledBox> truth_;
  std::vector<Detection> found_;
};

// The numbers are those of pycocotools 2.0's COCOeval(iouType="bbox") on the same 40 pictures: the mean of
// eval["precision"][:, :, :, 0, 2] where it is above -1, and of its first threshold.
TEST(Detection, AgreesWithPycocotools) {
  const DetectionMetrics metrics = MadeUpPictures::evaluate(40, false);
  EXPECT_EQ(metrics.support(0) + metrics.support(1) + metrics.support(2), 89);
  EXPECT_NEAR(metrics.mean_ap(), 0.196017724053, 1e-11);
  EXPECT_NEAR(metrics.mean_ap50(), 0.509973786448, 1e-11);
  EXPECT_NEAR(metrics.ap(0).value_or(-1), 0.187726867636, 1e-11);
  EXPECT_NEAR(metrics.ap50(1).value_or(-1), 0.618990183715, 1e-11);
  EXPECT_NEAR(metrics.ap(2).value_or(-1), 0.202769194263, 1e-11);
}

TEST(Detection, AgreesWithPycocotoolsWhereThereAreCrowds) {
  const DetectionMetrics metrics = MadeUpPictures::evaluate(40, true);
  EXPECT_NEAR(metrics.mean_ap(), 0.141095450352, 1e-11);
  EXPECT_NEAR(metrics.mean_ap50(), 0.392325563710, 1e-11);
  EXPECT_NEAR(metrics.ap(1).value_or(-1), 0.108715502639, 1e-11);
  EXPECT_NEAR(metrics.ap50(0).value_or(-1), 0.425913948721, 1e-11);
}

}  // namespace
}  // namespace tarmac::test
