#include "report/project_box.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace tarmac::test {
namespace {

constexpr double kPi = std::numbers::pi;

/// A camera at (1, 0, 1.5) that looks along `yaw`, 90° wide and as high: u = v = 0.5 straight ahead.
Projection camera(double yaw) {
  const double c = std::cos(yaw);
  const double s = std::sin(yaw);
  const double ahead = -(c * 1 + s * 0);
  const double left = -(-s * 1 + c * 0);
  // d is the way ahead; u d = d / 2 - left / 2; v d = d / 2 - up / 2.
  return {(c + s) / 2, (s - c) / 2, 0,    (ahead - left) / 2,  //
          c / 2,       s / 2,       -0.5, (ahead + 1.5) / 2,   //
          c,           s,           0,    ahead,               //
          0,           0,           0,    1};
}

Box3d box_at(double x, double y, double yaw = 0) { return {x, y, 1.5, 4, 2, 2, yaw, 0, 0}; }

bool is_in_picture(const ProjectedBox& box) {
  const auto inside = [](const PicturePoint& point) {
    return point.u >= 0 && point.u <= 1 && point.v >= 0 && point.v <= 1;
  };
  for (const PictureLine& line : box.lines) {
    if (!inside(line.first) || !inside(line.last)) return false;
  }
  return std::all_of(box.front.begin(), box.front.end(), inside);
}

TEST(ProjectBox, HasTheHeadingsFaceInFront) {
  const auto corners = corners_of(box_at(10, 5, kPi / 2));
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(corners[i][1], 7, 1e-12) << "heads to the left";
  EXPECT_NEAR(corners[0][0], 9, 1e-12) << "whose left is the back";
  EXPECT_NEAR(corners[1][0], 11, 1e-12);
  EXPECT_NEAR(corners[0][2], 2.5, 1e-12);
  EXPECT_NEAR(corners[3][2], 0.5, 1e-12);
  EXPECT_NEAR(corners[4][1], 3, 1e-12);
}

TEST(ProjectBox, ProjectsABoxAheadByHand) {
  const auto seen = project_box(box_at(11, 0), camera(0));
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->lines.size(), 12U);
  EXPECT_NEAR(seen->depth, 10, 1e-6);
  ASSERT_EQ(seen->front.size(), 4U);
  // The front face is 12 m away and reaches 1 m each way.
  EXPECT_NEAR(seen->front[0].u, 0.5 - 0.5 / 12, 1e-6) << "left of the heading is left in the picture";
  EXPECT_NEAR(seen->front[0].v, 0.5 - 0.5 / 12, 1e-6);
  EXPECT_NEAR(seen->front[2].u, 0.5 + 0.5 / 12, 1e-6);
  EXPECT_NEAR(seen->front[2].v, 0.5 + 0.5 / 12, 1e-6);
}

TEST(ProjectBox, CutsABoxThatStraddlesTheCamerasPlane) {
  // From x = 0 to 4, the camera being at 1, a metre to its right.
  Box3d box = box_at(2, -2);
  const auto seen = project_box(box, camera(0));
  ASSERT_TRUE(seen);
  EXPECT_TRUE(is_in_picture(*seen));
  ASSERT_GE(seen->front.size(), 3U);
  for (const PictureLine& line : seen->lines)
    EXPECT_GE(line.first.u, 0.5) << "what is behind the camera would come out on the other side";
  box.yaw = kPi;
  const auto turned = project_box(box, camera(0));
  ASSERT_TRUE(turned);
  EXPECT_TRUE(turned->front.empty()) << "its front is behind the camera";
}

TEST(ProjectBox, LeavesOutWhatIsBehindOrBeside) {
  EXPECT_FALSE(project_box(box_at(-10, 0), camera(0)));
  EXPECT_TRUE(project_box(box_at(-10, 0), camera(kPi)));
  EXPECT_FALSE(project_box(box_at(6, 20), camera(0)));
  EXPECT_TRUE(project_box(box_at(6, 20), camera(kPi / 2)));
}

TEST(ProjectBox, CutsAtThePicturesEdges) {
  const auto seen = project_box(box_at(6, 5), camera(0));
  ASSERT_TRUE(seen);
  EXPECT_TRUE(is_in_picture(*seen));
  EXPECT_LT(seen->lines.size(), 12U);
  double least = 1;
  for (const PictureLine& line : seen->lines) least = std::min({least, line.first.u, line.last.u});
  EXPECT_DOUBLE_EQ(least, 0);
}

TEST(ProjectBox, LeavesOutWhatIsNoNumber) {
  Box3d box = box_at(10, 0);
  box.yaw = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(project_box(box, camera(0)));
  Projection broken = camera(0);
  broken[3] = std::numeric_limits<double>::infinity();
  EXPECT_FALSE(project_box(box_at(10, 0), broken));
  EXPECT_FALSE(project_box(box_at(10, 0), Projection{}));
}

TEST(PoseOf, FindsTheCameraOnTheMap) {
  const auto pose = pose_of(camera(kPi / 2));
  ASSERT_TRUE(pose);
  EXPECT_NEAR(pose->x, 1, 1e-9);
  EXPECT_NEAR(pose->y, 0, 1e-9);
  EXPECT_NEAR(pose->yaw, kPi / 2, 1e-9);
  EXPECT_NEAR(pose->left, 3 * kPi / 4, 1e-9);
  EXPECT_NEAR(pose->right, kPi / 4, 1e-9);
  EXPECT_FALSE(pose_of(Projection{}));
}

TEST(PoseOf, NamesViews) {
  const auto name = [](double degrees) { return view_name(*pose_of(camera(degrees * kPi / 180))); };
  EXPECT_EQ(name(0), "front");
  EXPECT_EQ(name(55), "front left");
  EXPECT_EQ(name(-55), "front right");
  EXPECT_EQ(name(90), "left");
  EXPECT_EQ(name(110), "back left");
  EXPECT_EQ(name(-110), "back right");
  EXPECT_EQ(name(180), "back");
}

}  // namespace
}  // namespace tarmac::test
