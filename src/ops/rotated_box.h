// Rectangles that are turned, as lidar detectors see cars from above.
#pragma once

#include <array>

namespace tarmac::ops {

struct Point {
  double x = 0;
  double y = 0;
};

/// The points (x, y) + R·(u, v) with |u| ≤ dx / 2, |v| ≤ dy / 2, R = [cos yaw, −sin yaw; sin yaw, cos yaw]:
/// yaw in radians turns the x axis towards the y axis; dx is measured along the turned x axis.
struct RotatedBox {
  double x = 0;
  double y = 0;
  double dx = 0;
  double dy = 0;
  double yaw = 0;
};

/// All numbers are finite and both sizes positive.
[[nodiscard]] bool is_sound(const RotatedBox& box);

/// Anticlockwise where y points up, relative to `origin`.
[[nodiscard]] std::array<Point, 4> corners(const RotatedBox& box, Point origin = {});

/// Area that two sound boxes share: one clipped by the other's four edges (Sutherland and Hodgman 1974).
[[nodiscard]] double overlap_area(const RotatedBox& a, const RotatedBox& b);

/// overlap / (area a + area b − overlap) of two sound boxes, in [0, 1]; exactly the same for (a, b) and (b,
/// a).
[[nodiscard]] double rotated_iou(const RotatedBox& a, const RotatedBox& b);

}  // namespace tarmac::ops
