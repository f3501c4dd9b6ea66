#include "ops/rotated_box.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <tuple>

namespace tarmac::ops {
namespace {

/// Clipping a convex polygon of n corners by a half plane gives at most n + 1.
constexpr std::size_t kMostCorners = 8;

struct Polygon {
  std::array<Point, kMostCorners> corner;
  std::size_t count = 0;
  void add(Point point) {
    // Rounding can make a sliver cross an edge more than twice.
    if (count < kMostCorners) corner[count++] = point;
  }
};

/// Twice the area of the triangle a, b, p: positive where p lies left of a → b.
double side(Point a, Point b, Point p) { return (b.x - a.x) * (p.y - a.y) - (b.y - a.y) * (p.x - a.x); }

Polygon clip(const Polygon& polygon, Point from, Point to) {
  Polygon inside;
  for (std::size_t i = 0; i < polygon.count; ++i) {
    const Point p = polygon.corner[i];
    const Point q = polygon.corner[(i + 1) % polygon.count];
    const double side_p = side(from, to, p);
    const double side_q = side(from, to, q);
    if (side_p >= 0) inside.add(p);
    if ((side_p > 0 && side_q < 0) || (side_p < 0 && side_q > 0)) {
      const double t = side_p / (side_p - side_q);
      inside.add({p.x + t * (q.x - p.x), p.y + t * (q.y - p.y)});
    }
  }
  return inside;
}

}  // namespace

bool is_sound(const RotatedBox& box) {
  return std::isfinite(box.x) && std::isfinite(box.y) && std::isfinite(box.dx) && std::isfinite(box.dy) &&
         std::isfinite(box.yaw) && box.dx > 0 && box.dy > 0;
}

std::array<Point, 4> corners(const RotatedBox& box, Point origin) {
  const double c = std::cos(box.yaw) / 2;
  const double s = std::sin(box.yaw) / 2;
  const Point middle{box.x - origin.x, box.y - origin.y};
  const Point along{c * box.dx, s * box.dx};
  const Point across{-s * box.dy, c * box.dy};
  return {Point{middle.x - along.x - across.x, middle.y - along.y - across.y},
          Point{middle.x + along.x - across.x, middle.y + along.y - across.y},
          Point{middle.x + along.x + across.x, middle.y + along.y + across.y},
          Point{middle.x - along.x + across.x, middle.y - along.y + across.y}};
}

double overlap_area(const RotatedBox& a, const RotatedBox& b) {
  const Point origin{a.x, a.y};  // so that far away from zero no digits are lost
  Polygon shared;
  for (const Point& point : corners(b, origin)) shared.add(point);
  const std::array<Point, 4> frame = corners(a, origin);
  for (std::size_t i = 0; i < 4; ++i) shared = clip(shared, frame[i], frame[(i + 1) % 4]);
  double twice_area = 0;
  for (std::size_t i = 2; i < shared.count; ++i)
    twice_area += side(shared.corner[0], shared.corner[i - 1], shared.corner[i]);
  return std::max(0.0, twice_area / 2);
}

double rotated_iou(const RotatedBox& a, const RotatedBox& b) {
  const auto key = [](const RotatedBox& box) { return std::tie(box.x, box.y, box.dx, box.dy, box.yaw); };
  const auto& [first, second] = key(a) < key(b) ? std::tie(a, b) : std::tie(b, a);
  const double area_a = first.dx * first.dy;
  const double area_b = second.dx * second.dy;
  const double overlap = std::min({overlap_area(first, second), area_a, area_b});
  const double united = area_a + area_b - overlap;
  return united > 0 ? overlap / united : 0;
}

}  // namespace tarmac::ops
