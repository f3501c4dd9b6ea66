// Raw heads of detectors as boxes, against the formulas worked out by hand.
#include "metrics/detection_decoders.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "support/expect.h"

namespace tarmac::test {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

DetectionOutputs fastestdet(double min_score = 0.1) {
  DetectionOutputs how;
  how.decoder = DetectionDecoder::kFastestDet;
  how.min_score = min_score;
  how.input_height = 200;
  how.input_width = 400;
  return how;
}

DetectionOutputs yolov8(double min_score = 0.25) {
  DetectionOutputs how;
  how.decoder = DetectionDecoder::kYolov8;
  how.min_score = min_score;
  return how;
}

/// [1, 7, 2, 4] of zeros: objectness, box, two classes; 2 rows and 4 columns of places.
struct FastestDetHead {
  std::vector<float> values = std::vector<float>(7 * 8);
  void put(int row, int column, const std::vector<float>& channels) {
    for (std::size_t c = 0; c < channels.size(); ++c)
      values[c * 8 + static_cast<std::size_t>(row * 4 + column)] = channels[c];
  }
  [[nodiscard]] Tensor tensor() const { return Tensor::from<float>({1, 7, 2, 4}, values); }
};

void expect_box(const Box& box, double x1, double y1, double x2, double y2, double within = 1e-4) {
  EXPECT_NEAR(box.x1, x1, within);
  EXPECT_NEAR(box.y1, y1, within);
  EXPECT_NEAR(box.x2, x2, within);
  EXPECT_NEAR(box.y2, y2, within);
}

TEST(FastestDetDecoder, FollowsItsFormula) {
  FastestDetHead head;
  // tanh(0.5493061) = 0.5, sigmoid(-1.0986123) = 0.25, sigmoid(0) = 0.5.
  head.put(1, 2, {0.5F, 0.5493061F, 0, -1.0986123F, 0, 0.2F, 0.8F});
  const auto found = expect_ok(decode_head(head.tensor(), fastestdet(), 1));
  ASSERT_EQ(found.size(), 1U);
  ASSERT_EQ(found[0].size(), 1U);
  // Centre ((2 + 0.5) / 4 · 400, (1 + 0) / 2 · 200), size (0.25 · 400, 0.5 · 200).
  expect_box(found[0][0].box, 200, 50, 300, 150);
  EXPECT_EQ(found[0][0].label, 1);
  EXPECT_NEAR(found[0][0].score, 0.6034176, 1e-6);  // numpy: 0.5 ** 0.6 * 0.8 ** 0.4
}

TEST(FastestDetDecoder, LeavesOutWhatIsWeakOrNoNumber) {
  FastestDetHead head;
  head.put(0, 0, {0.05F, 0, 0, 0, 0, 0.05F, 0});
  head.put(0, 1, {0.9F, kNan, 0, 0, 0, 0.9F, 0});
  head.put(0, 2, {kNan, 0, 0, 0, 0, 0.9F, 0});
  head.put(0, 3, {0.9F, 0, 0, 0, 0, kNan, kNan});
  head.put(1, 0, {-1, 0, 0, 0, 0, 0.9F, 0});
  head.put(1, 1, {0.9F, 0, 0, 0, 0, kNan, 0.9F});
  const auto found = expect_ok(decode_head(head.tensor(), fastestdet(), 1));
  ASSERT_EQ(found[0].size(), 1U);
  EXPECT_EQ(found[0][0].label, 1);
}

TEST(Yolov8Decoder, FollowsItsFormulaForEachSample) {
  // Two samples of [4 + 3, 2].
  const std::vector<float> values = {100, 10, 50, 20, 40, 4,    20, 8, 0.1F, 0.9F, 0.7F, 0, 0.3F, 0,
                                     1,   1,  1,  1,  1,  kNan, 1,  1, 0.5F, 0.6F, 0,    0, 0.2F, 0};
  const auto found = expect_ok(decode_head(Tensor::from<float>({2, 7, 2}, values), yolov8(), 2));
  ASSERT_EQ(found.size(), 2U);
  ASSERT_EQ(found[0].size(), 2U);
  expect_box(found[0][0].box, 8, 16, 12, 24);
  EXPECT_EQ(found[0][0].label, 0);
  EXPECT_NEAR(found[0][0].score, 0.9, 1e-6);
  expect_box(found[0][1].box, 80, 40, 120, 60);
  EXPECT_EQ(found[0][1].label, 1);
  ASSERT_EQ(found[1].size(), 1U) << "a box of NaN is none";
  EXPECT_EQ(expect_ok(decode_head(Tensor::from<float>({2, 7, 2}, values), yolov8(), 1)).size(), 1U);
}

TEST(Decoders, RefuseOtherShapes) {
  const Tensor flat = Tensor::from<float>({1, 84}, std::vector<float>(84));
  expect_error(decode_head(flat, yolov8(), 1), ErrorCode::kInvalidInput, "[samples, 4 + classes, places]");
  expect_error(decode_head(flat, fastestdet(), 1), ErrorCode::kInvalidInput, "[1, 84]");
  const Tensor one = Tensor::from<float>({1, 5, 3}, std::vector<float>(15));
  expect_ok(decode_head(one, yolov8(), 1));
  expect_error(decode_head(one, yolov8(), 2), ErrorCode::kInvalidInput, "2 samples");
  const Tensor narrow = Tensor::from<float>({1, 4, 3}, std::vector<float>(12));
  expect_error(decode_head(narrow, yolov8(), 1), ErrorCode::kInvalidInput, "[1, 4, 3]");
  expect_error(decode_head(one, DetectionOutputs{}, 1), ErrorCode::kUnsupported);
  EXPECT_TRUE(expect_ok(decode_head(Tensor::from({1, 5, 0}, std::vector<float>()), yolov8(), 1))[0].empty());
}

TEST(SuppressOverlaps, KeepsTheBestOfEachClass) {
  const Box box = {0, 0, 10, 10};
  const Box half = {0, 0, 10, 5};  // IoU 0.5
  const Box apart = {20, 0, 30, 10};
  const std::vector<Detection> candidates = {
      {half, 0, 0.5}, {box, 0, 0.9}, {box, 1, 0.4}, {apart, 0, 0.3}, {box, 0, 0.8}};
  const auto scores = [](const std::vector<Detection>& detections) {
    std::vector<double> found;
    for (const Detection& one : detections) found.push_back(one.score);
    return found;
  };
  EXPECT_THAT(scores(suppress_overlaps(candidates, 0.45)), testing::ElementsAre(0.9, 0.4, 0.3));
  EXPECT_THAT(scores(suppress_overlaps(candidates, 0.5)), testing::ElementsAre(0.9, 0.5, 0.4, 0.3));
  EXPECT_THAT(scores(suppress_overlaps(candidates, 0.45, 2)), testing::ElementsAre(0.9, 0.4));
  EXPECT_TRUE(suppress_overlaps({}, 0.45).empty());
}

}  // namespace
}  // namespace tarmac::test
