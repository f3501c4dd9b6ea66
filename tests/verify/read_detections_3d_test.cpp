// Maps made by hand as boxes in space.
#include "verify/read_detections_3d.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "support/expect.h"
#include "verify/read_detections.h"

namespace tarmac::test {
namespace {

constexpr std::int64_t kRows = 4;
constexpr std::int64_t kColumns = 8;
constexpr float kNothing = -10;

DetectionOutputs outputs() {
  DetectionOutputs how;
  how.decoder = DetectionDecoder::kCenterPoint;
  how.min_score = 0.1;
  CenterPointOutputs& maps = how.center_point.emplace();
  maps.heatmap = "heatmap";
  maps.offset = "offset";
  maps.height = "height";
  maps.size = "size";
  maps.rotation = "rotation";
  maps.velocity = "velocity";
  maps.range = {-8, 10, -3, 8, 18, 5};
  maps.cell = {2, 2};
  maps.min_distance = 3;
  return how;
}

/// Two samples of two classes.
class Maps {
 public:
  Maps() {
    for (const auto& [name, channels, value] :
         {std::tuple("heatmap", 2, kNothing), std::tuple("offset", 2, 0.5F), std::tuple("height", 1, 1.0F),
          std::tuple("size", 3, 0.0F), std::tuple("rotation", 2, 0.0F), std::tuple("velocity", 2, 0.0F)}) {
      const Shape shape = {2, channels, kRows, kColumns};
      tensors_[name] = Tensor::from<float>(
          shape, std::vector<float>(static_cast<std::size_t>(2 * channels * kRows * kColumns), value));
    }
  }

  void set(const std::string& name, std::int64_t sample, std::int64_t channel, std::int64_t row,
           std::int64_t column, float value) {
    Tensor& tensor = tensors_.at(name);
    const std::int64_t at = ((sample * tensor.shape()[1] + channel) * kRows + row) * kColumns + column;
    tensor.mutable_data<float>()[static_cast<std::size_t>(at)] = value;
  }
  NamedTensors& tensors() { return tensors_; }

 private:
  NamedTensors tensors_;
};

float logit(double score) { return static_cast<float>(std::log(score / (1 - score))); }

TEST(ReadDetections3d, PlacesThePeaksInMetres) {
  Maps maps;
  maps.set("heatmap", 1, 1, 2, 5, logit(0.9));
  maps.set("offset", 1, 0, 2, 5, 0.25F);
  maps.set("size", 1, 0, 2, 5, std::log(4.0F));
  maps.set("rotation", 1, 0, 2, 5, 1);  // sine
  maps.set("velocity", 1, 1, 2, 5, -3);
  const auto found = expect_ok(read_detections_3d(maps.tensors(), outputs(), 2));
  ASSERT_EQ(found.size(), 2U);
  EXPECT_TRUE(found[0].empty());
  ASSERT_EQ(found[1].size(), 1U);
  const Detection3d& one = found[1][0];
  EXPECT_EQ(one.label, 1);
  EXPECT_NEAR(one.score, 0.9, 1e-6);
  EXPECT_NEAR(one.box.x, (5 + 0.25) * 2 - 8, 1e-5);
  EXPECT_NEAR(one.box.y, (2 + 0.5) * 2 + 10, 1e-5);
  EXPECT_NEAR(one.box.z, 1, 1e-6);
  EXPECT_NEAR(one.box.dx, 4, 1e-5);
  EXPECT_NEAR(one.box.dy, 1, 1e-6);
  EXPECT_NEAR(one.box.yaw, std::numbers::pi / 2, 1e-6);
  EXPECT_EQ(one.box.vy, -3);
}

TEST(ReadDetections3d, KeepsTheBetterOfTwoThatAreClose) {
  Maps maps;
  maps.set("heatmap", 0, 0, 1, 1, logit(0.6));
  maps.set("heatmap", 0, 0, 1, 2, logit(0.5));  // no peak: its neighbour is higher
  maps.set("heatmap", 0, 0, 3, 1, logit(0.8));  // 4 m from the first
  maps.set("heatmap", 0, 1, 1, 1, logit(0.4));  // another class
  maps.set("heatmap", 0, 1, 0, 6, logit(0.05));
  DetectionOutputs how = outputs();
  const auto scores = [&] {
    std::vector<double> list;
    const auto found = expect_ok(read_detections_3d(maps.tensors(), how, 1));
    for (const Detection3d& one : found.front()) list.push_back(std::round(one.score * 100) / 100);
    return list;
  };
  EXPECT_EQ(scores(), (std::vector<double>{0.8, 0.6, 0.4}));
  how.center_point->min_distance = 4;
  EXPECT_EQ(scores(), (std::vector<double>{0.8, 0.4}));
  how.center_point->max_boxes = 1;
  EXPECT_EQ(scores(), (std::vector<double>{0.8}));
  how.min_score = 0.85;
  EXPECT_TRUE(scores().empty());
}

TEST(ReadDetections3d, DoesNotInventVelocities) {
  Maps maps;
  maps.set("heatmap", 0, 0, 1, 1, logit(0.6));
  DetectionOutputs how = outputs();
  maps.set("velocity", 0, 0, 1, 1, std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(expect_ok(read_detections_3d(maps.tensors(), how, 1))[0][0].score));
  how.center_point->velocity.clear();
  const Detection3d one = expect_ok(read_detections_3d(maps.tensors(), how, 1))[0][0];
  EXPECT_TRUE(std::isnan(one.box.vx) && std::isnan(one.box.vy));
  EXPECT_NEAR(one.score, 0.6, 1e-6);
  EXPECT_EQ(detection_outputs(how).size(), 5U);
}

TEST(ReadDetections3d, RefusesMapsThatDoNotFit) {
  Maps maps;
  DetectionOutputs how = outputs();
  expect_error(read_detections_3d(maps.tensors(), how, 3), ErrorCode::kInvalidInput,
               "expected the detections of 3 samples, found those of 2");
  how.center_point->cell = {1, 2};
  expect_error(read_detections_3d(maps.tensors(), how, 1), ErrorCode::kInvalidInput,
               "the map has 4 rows and 8 columns; the contract's range and cell make 4.0 and 16.0");
  how = outputs();
  maps.tensors()["size"] = maps.tensors()["offset"];
  expect_error(read_detections_3d(maps.tensors(), how, 1), ErrorCode::kInvalidInput, "size");
  maps.tensors().erase("offset");
  expect_error(read_detections_3d(maps.tensors(), how, 1), ErrorCode::kNotFound, "'offset' was not given");
  expect_error(read_detections_3d(maps.tensors(), DetectionOutputs{}, 1), ErrorCode::kUnsupported,
               "centerpoint");
}

}  // namespace
}  // namespace tarmac::test
