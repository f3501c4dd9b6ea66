#include <cmath>
#include <limits>

#include "ops/bev_pool/index_builder.h"
#include "support/expect.h"

namespace tarmac::test {
namespace {

using ops::bev::build_index;
using ops::bev::Camera;
using ops::bev::Geometry;
using ops::bev::Index;
using Integers = std::vector<std::int32_t>;

/// A camera that looks along `yaw` (from ahead to the left) and up by `-pitch`, in the vehicle's x ahead, y
/// left, z up.
Camera camera(double fx, double fy, double cx, double cy, double yaw, double pitch,
              const std::array<double, 3>& place) {
  const double c = std::cos(yaw);
  const double s = std::sin(yaw);
  const double p = std::cos(pitch);
  const double q = std::sin(pitch);
  return {.intrinsics = {fx, 0, cx, 0, fy, cy, 0, 0, 1},
          .sensor_to_ego = {s, -c * q, c * p, place[0], -c, -s * q, s * p, place[1], 0, -p, -q, place[2], 0,
                            0, 0, 1}};
}

Camera turned(Camera camera, double scale, double x, double y, double roll) {
  const double c = scale * std::cos(roll);
  const double s = scale * std::sin(roll);
  camera.post_rotation = {c, -s, 0, s, c, 0, 0, 0, 1};
  camera.post_translation = {x, y, 0};
  return camera;
}

Geometry two_cameras() {
  Geometry geometry;
  geometry.image_height = 32;
  geometry.image_width = 64;
  geometry.feature_height = 2;
  geometry.feature_width = 4;
  geometry.depth = {1, 9, 2};
  geometry.x = geometry.y = {-8, 8, 2};
  geometry.z = {-2, 6, 4};
  geometry.cameras = {turned(camera(60, 58, 70, 35, 0.3, 0.05, {1.2, 0.1, 1.6}), 0.5, -3, -1, 0.02),
                      turned(camera(45, 45, 62, 30, -2.4, -0.08, {-0.4, -0.2, 1.5}), 0.45, 2, -2, 0)};
  return geometry;
}

Integers values(const Tensor& tensor) {
  const auto data = tensor.data<std::int32_t>();
  return {data.begin(), data.end()};
}

// The numbers below are torch 2.5.1's, in float64, with voxel_pooling_prepare_v2 of BEVDet written again:
// frustum from arange and linspace, linalg.inv, long(), argsort(stable=True), intervals from changes of the
// rank.

TEST(BevPoolIndex, IsWhatTorchGivesForTwoCameras) {
  const Index index = expect_ok(build_index(two_cameras()));
  EXPECT_EQ(index.depth_bins, 4);
  EXPECT_EQ(index.z, 2);
  EXPECT_EQ(index.height, 8);
  EXPECT_EQ(index.width, 8);
  EXPECT_EQ(values(index.ranks_depth),
            (Integers{61, 52, 53, 44, 62, 36, 45, 15, 23, 54, 46, 37, 38, 7,  14, 22, 47, 39,
                      4,  5,  6,  13, 55, 12, 21, 29, 20, 48, 49, 40, 41, 19, 50, 42, 32, 33,
                      34, 3,  11, 43, 35, 0,  1,  2,  10, 18, 51, 9,  17, 8,  25, 16}));
  EXPECT_EQ(values(index.ranks_feat),
            (Integers{13, 12, 13, 12, 14, 12, 13, 7, 7, 14, 14, 13, 14, 7, 6,  6,  15, 15,
                      4,  5,  6,  5,  15, 4,  5,  5, 4, 8,  9,  8,  9,  3, 10, 10, 8,  9,
                      10, 3,  3,  11, 11, 0,  1,  2, 2, 2,  11, 1,  1,  0, 1,  0}));
  EXPECT_EQ(values(index.ranks_bev),
            (Integers{2,  4,  10, 12, 16, 19,  19,  22,  23,  24,  26,  27,  27,  29,  30,  31, 32, 34,
                      36, 37, 37, 37, 40, 45,  46,  55,  62,  68,  74,  76,  83,  87,  89,  90, 91, 91,
                      91, 93, 94, 97, 98, 100, 101, 101, 102, 103, 104, 109, 110, 117, 119, 126}));
  EXPECT_EQ(
      values(index.interval_starts),
      (Integers{0,  1,  2,  3,  4,  5,  7,  8,  9,  10, 11, 13, 14, 15, 16, 17, 18, 19, 22, 23, 24, 25, 26,
                27, 28, 29, 30, 31, 32, 33, 34, 37, 38, 39, 40, 41, 42, 44, 45, 46, 47, 48, 49, 50, 51}));
  EXPECT_EQ(values(index.interval_lengths),
            (Integers{1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 3, 1, 1, 1, 1, 1,
                      1, 1, 1, 1, 1, 1, 1, 3, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1}));
}

/// Each value weighted with its number from 1, modulo 1009.
std::int64_t weighted_sum(const Tensor& tensor) {
  std::int64_t sum = 0;
  std::int64_t i = 0;
  for (const std::int32_t value : tensor.data<std::int32_t>()) sum += value * (i++ % 1009 + 1);
  return sum;
}

TEST(BevPoolIndex, HasTorchsSumsForTwoSamplesOfThreeCameras) {
  Geometry geometry;
  geometry.batch = 2;
  geometry.image_height = 128;
  geometry.image_width = 352;
  geometry.feature_height = 8;
  geometry.feature_width = 22;
  geometry.depth = {1, 40, 0.5};
  geometry.x = {-25.6, 25.6, 0.8};
  geometry.y = {-25.6, 25.6, 0.4};
  geometry.z = {-3, 3, 1};
  for (int i = 0; i < 6; ++i) {
    geometry.cameras.push_back(turned(camera(400 + 7 * i, 390 + 5 * i, 350 + 3 * i, 120 + i, i * 1.047 + 0.01,
                                             0.02 * i - 0.05, {1.0 - 0.3 * i, 0.2 * i, 1.5}),
                                      0.44, -5 + i, -20 + 2 * i, 0.01 * i));
  }
  const Index index = expect_ok(build_index(geometry));
  EXPECT_EQ(index.ranks_bev.count(), 35333);
  EXPECT_EQ(index.interval_starts.count(), 20054);
  EXPECT_EQ(weighted_sum(index.ranks_depth), 682198120576);
  EXPECT_EQ(weighted_sum(index.ranks_feat), 9549392352);
  EXPECT_EQ(weighted_sum(index.ranks_bev), 928576871800);
  EXPECT_EQ(weighted_sum(index.interval_starts), 172904978026);
  EXPECT_EQ(weighted_sum(index.interval_lengths), 18040133);
}

TEST(BevPoolIndex, RoundsTowardsZeroAtTheLowerBoundAsBevDetDoes) {
  Geometry geometry = two_cameras();
  // A camera that looks ahead from the origin; its one ray meets x = depth, y = z = 0.
  geometry.cameras = {camera(10, 10, 0, 0, 0, 0, {0, 0, 0})};
  geometry.feature_height = geometry.feature_width = 1;
  geometry.depth = {0.5, 4.5, 1};
  geometry.x = {2, 4, 1};
  geometry.y = geometry.z = {-1, 1, 2};
  const Index index = expect_ok(build_index(geometry));
  // 0.5 lies more than a cell below 2 and is left out, 1.5 falls into the first cell, and so does 2.5; 3.5
  // into the second.
  EXPECT_EQ(values(index.ranks_depth), (Integers{1, 2, 3}));
  EXPECT_EQ(values(index.ranks_bev), (Integers{0, 0, 1}));
}

void expect_refusal(const Geometry& geometry, const std::string& text) {
  expect_error(build_index(geometry), ErrorCode::kInvalidInput, text);
}

TEST(BevPoolIndex, RefusesGeometryThatMakesNoSense) {
  const Geometry good = two_cameras();
  Geometry bad = good;
  bad.cameras[1].intrinsics[4] = 0;
  expect_refusal(bad, "singular intrinsics of camera 1");
  bad = good;
  bad.cameras[0].post_rotation = {1, 1, 0, 1, 1, 0, 0, 0, 1};
  expect_refusal(bad, "singular post_rotation of camera 0");
  bad = good;
  bad.cameras[0].sensor_to_ego = {};
  expect_refusal(bad, "expected 0 0 0 1");
  bad.cameras[0].sensor_to_ego[15] = 1;
  expect_refusal(bad, "singular rotation");
  bad = good;
  bad.cameras[0].intrinsics[2] = std::numeric_limits<double>::quiet_NaN();
  expect_refusal(bad, "infinity or NaN in the geometry of camera 0");
  bad = good;
  bad.x = {8, -8, 2};
  expect_refusal(bad, "x goes from 8");
  bad.x = {-8, 8, 0};
  expect_refusal(bad, "a positive step");
  bad.x = {-8, 8, 3};
  expect_refusal(bad, "expected a whole number");
  bad.x = {-8, std::numeric_limits<double>::infinity(), 3};
  expect_refusal(bad, "x goes from");
  bad = good;
  bad.depth.upper = 1;
  expect_refusal(bad, "depth goes from");
  bad = good;
  bad.feature_width = 0;
  expect_refusal(bad, "size is 0");
  bad = good;
  bad.cameras.clear();
  expect_refusal(bad, "0 cameras for 1 samples");
  bad = good;
  bad.batch = 3;
  expect_refusal(bad, "2 cameras for 3 samples");
  bad = good;
  bad.feature_width = 1 << 30;
  expect_refusal(bad, "more than 2147483647 points");
  bad = good;
  bad.x = bad.y = {-8, 8, 1e-4};
  expect_refusal(bad, "more than 2147483647 cells");
  bad = good;
  bad.z = {100, 104, 4};
  expect_refusal(bad, "no camera sees the grid");
}

}  // namespace
}  // namespace tarmac::test
