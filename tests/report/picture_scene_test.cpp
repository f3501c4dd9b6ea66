#include "report/picture_scene.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "support/expect.h"

namespace tarmac::test {
namespace {

constexpr std::int64_t kHeight = 64;
constexpr std::int64_t kWidth = 128;

/// Cameras that all look ahead from (0, 0, 1.5), 90° wide; grey pictures.
Scene3d scene_of(std::int64_t cameras) {
  std::vector<float> projections;
  for (std::int64_t i = 0; i < cameras; ++i) {
    const std::vector<float> one = {0.5F, -0.5F, 0, 0, 0.5F, 0, -1, 1.5F, 1, 0, 0, 0, 0, 0, 0, 1};
    projections.insert(projections.end(), one.begin(), one.end());
  }
  Scene3d scene;
  scene.images =
      Tensor::from({cameras, 3, kHeight, kWidth},
                   std::vector<std::uint8_t>(static_cast<std::size_t>(cameras * 3 * kHeight * kWidth), 128));
  scene.projection = Tensor::from({cameras, 4, 4}, projections);
  scene.labels = {"car", "pedestrian"};
  scene.title = "int8 on openvino";
  return scene;
}

Detection3d car_at(double x, double y) { return {{x, y, 0.8, 4.5, 1.9, 1.6, 0.3, 5, 0}, 0, 0.9}; }

/// Pixels that differ between two pictures of one size, in a part of them.
int differing(const PictureCanvas& a, const PictureCanvas& b, int left, int right) {
  int count = 0;
  for (int y = 0; y < a.view().height; ++y) {
    for (int x = left; x < right; ++x) {
      const std::size_t at =
          static_cast<std::size_t>(y) * a.view().row_bytes + 3 * static_cast<std::size_t>(x);
      count += std::memcmp(a.view().data + at, b.view().data + at, 3) == 0 ? 0 : 1;
    }
  }
  return count;
}

TEST(DrawScene3d, DrawsBoxesOnViewsAndMap) {
  Scene3d scene = scene_of(6);
  const PictureCanvas empty = expect_ok(draw_scene_3d(scene));
  scene.predictions = {car_at(12, 0)};
  const PictureCanvas drawn = expect_ok(draw_scene_3d(scene));
  const int width = empty.view().width;
  const int views = 2 * 512;
  ASSERT_EQ(drawn.view().width, width) << "the size does not depend on what is found";
  EXPECT_GT(differing(empty, drawn, 0, views), 6 * 300) << "in each view";
  EXPECT_GT(differing(empty, drawn, views + 20, width), 500) << "on the map";
  scene.truth = std::vector<LabelledBox3d>{};
  const PictureCanvas without = expect_ok(draw_scene_3d(scene));
  scene.truth->push_back({car_at(12, 1).box, 0});
  const PictureCanvas with = expect_ok(draw_scene_3d(scene));
  EXPECT_GT(differing(without, with, 0, views), 6 * 100);
  EXPECT_GT(differing(without, with, views + 20, width), 50);
}

TEST(DrawScene3d, IsTheSameEachTime) {
  Scene3d scene = scene_of(3);
  scene.predictions = {car_at(12, 0), car_at(8, 4), car_at(0.5, 0)};
  const PictureCanvas first = expect_ok(draw_scene_3d(scene));
  const PictureCanvas second = expect_ok(draw_scene_3d(scene));
  EXPECT_EQ(differing(first, second, 0, first.view().width), 0);
  EXPECT_EQ(expect_ok(first.encode(".png")), expect_ok(second.encode(".png")));
}

TEST(DrawScene3d, HasSizesThatVideosTake) {
  for (const std::int64_t cameras : {1, 2, 3, 5, 6, 7}) {
    for (const int view_height : {64, 100, 256}) {
      const PictureCanvas drawn = expect_ok(draw_scene_3d(scene_of(cameras), view_height));
      EXPECT_EQ(drawn.view().width % 2, 0) << cameras << " " << view_height;
      EXPECT_EQ(drawn.view().height % 2, 0) << cameras << " " << view_height;
    }
  }
}

TEST(DrawScene3d, TakesABatchOfOne) {
  const Scene3d scene = scene_of(2);
  Scene3d batch = scene;
  batch.images =
      expect_ok(Tensor::view(DType::kUint8, {1, 2, 3, kHeight, kWidth}, scene.images.bytes(), nullptr));
  batch.projection =
      expect_ok(Tensor::view(DType::kFloat32, {1, 2, 4, 4}, scene.projection.bytes(), nullptr));
  const PictureCanvas drawn = expect_ok(draw_scene_3d(batch));
  EXPECT_EQ(differing(expect_ok(draw_scene_3d(scene)), drawn, 0, drawn.view().width), 0);
}

TEST(DrawScene3d, StandsAnyNumber) {
  Scene3d scene = scene_of(6);
  for (const double number : {std::numeric_limits<double>::quiet_NaN(), 1e300, -1e30, 1e7, 0.0}) {
    for (int field = 0; field < 9; ++field) {
      Detection3d one = car_at(5, 0);
      double* const fields[] = {&one.box.x,  &one.box.y,   &one.box.z,  &one.box.dx, &one.box.dy,
                                &one.box.dz, &one.box.yaw, &one.box.vx, &one.box.vy};
      *fields[field] = number;
      scene.predictions.push_back(one);
    }
  }
  expect_ok(draw_scene_3d(scene));
  expect_ok(draw_map_3d(scene, 300));
}

TEST(DrawScene3d, SaysWhatItCannotDraw) {
  Scene3d scene = scene_of(2);
  const Tensor images = scene.images;
  scene.images = Tensor::from({1}, std::vector<float>{1});
  expect_error(draw_scene_3d(scene), ErrorCode::kInvalidInput,
               "found images of float32 [1]; only uint8 [cameras, 3, height, width]");
  scene.images = images;
  scene.projection = Tensor::from({3, 4, 4}, std::vector<float>(48));
  expect_error(draw_scene_3d(scene), ErrorCode::kInvalidInput,
               "found projections of float32 [3, 4, 4]; expected float32 [2, 4, 4]");
  scene = scene_of(2);
  scene.range = {0, 0, 0, 10};
  expect_error(draw_scene_3d(scene), ErrorCode::kInvalidInput, "found a map from (0, 0) to (0, 10)");
  expect_error(draw_map_3d(scene, 200), ErrorCode::kInvalidInput, "a metre");
}

TEST(DrawMap3d, ShowsAheadAtTheTopAndLeftAtTheLeft) {
  Scene3d scene = scene_of(1);
  const auto middle = [&](double x, double y) {
    scene.predictions.clear();
    const PictureCanvas empty = expect_ok(draw_map_3d(scene, 400));
    scene.predictions = {car_at(x, y)};
    scene.predictions[0].box.vx = 0;
    const PictureCanvas drawn = expect_ok(draw_map_3d(scene, 400));
    double sum_x = 0;
    double sum_y = 0;
    int count = 0;
    for (int row = 0; row < drawn.view().height; ++row) {
      for (int column = 0; column < drawn.view().width; ++column) {
        const std::size_t at =
            static_cast<std::size_t>(row) * drawn.view().row_bytes + 3 * static_cast<std::size_t>(column);
        if (std::memcmp(drawn.view().data + at, empty.view().data + at, 3) == 0) continue;
        sum_x += column;
        sum_y += row;
        ++count;
      }
    }
    EXPECT_GT(count, 200);
    const double head = drawn.view().height - 400;
    return std::pair{sum_x / count, sum_y / count - head};
  };
  const double pixels_per_m = 400 / 51.2;
  const auto [ahead_x, ahead_y] = middle(15, 0);
  EXPECT_NEAR(ahead_x, 200, 8);
  EXPECT_NEAR(ahead_y, 200 - 15 * pixels_per_m, 6);
  const auto [left_x, left_y] = middle(0, 15);
  EXPECT_NEAR(left_x, 200 - 15 * pixels_per_m, 8);
  EXPECT_NEAR(left_y, 200, 6);
}

}  // namespace
}  // namespace tarmac::test
