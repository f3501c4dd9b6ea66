#include "report/project_box.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>

namespace tarmac {
namespace {

/// (u d, v d, d). In these the near plane and the picture's edges are planes, which cut lines and faces
/// before anything is divided by a depth.
using Homogeneous = std::array<double, 3>;

constexpr int kPlanes = 5;

/// At or above 0 inside.
double distance(const Homogeneous& point, int plane) {
  switch (plane) {
    case 0:
      return point[2] - kNearPlane;
    case 1:
      return point[0];
    case 2:
      return point[2] - point[0];
    case 3:
      return point[1];
    default:
      return point[2] - point[1];
  }
}

Homogeneous between(const Homogeneous& a, const Homogeneous& b, double at) {
  return {a[0] + at * (b[0] - a[0]), a[1] + at * (b[1] - a[1]), a[2] + at * (b[2] - a[2])};
}

PicturePoint in_picture(const Homogeneous& point) {
  return {std::clamp(point[0] / point[2], 0.0, 1.0), std::clamp(point[1] / point[2], 0.0, 1.0)};
}

/// Liang and Barsky's: the part of the line inside of all planes.
std::optional<PictureLine> cut_line(const Homogeneous& a, const Homogeneous& b) {
  double first = 0;
  double last = 1;
  for (int plane = 0; plane < kPlanes; ++plane) {
    const double from = distance(a, plane);
    const double to = distance(b, plane);
    if (from < 0 && to < 0) return std::nullopt;
    if (from < 0) first = std::max(first, from / (from - to));
    if (to < 0) last = std::min(last, from / (from - to));
  }
  if (first > last) return std::nullopt;
  return PictureLine{in_picture(between(a, b, first)), in_picture(between(a, b, last))};
}

/// Sutherland and Hodgman's, one plane after another.
std::vector<PicturePoint> cut_face(std::span<const Homogeneous> corners) {
  std::vector<Homogeneous> face(corners.begin(), corners.end());
  for (int plane = 0; plane < kPlanes; ++plane) {
    std::vector<Homogeneous> inside;
    for (std::size_t i = 0; i < face.size(); ++i) {
      const Homogeneous& a = face[i];
      const Homogeneous& b = face[(i + 1) % face.size()];
      const double from = distance(a, plane);
      const double to = distance(b, plane);
      if (from >= 0) inside.push_back(a);
      if ((from >= 0) != (to >= 0)) inside.push_back(between(a, b, from / (from - to)));
    }
    face = std::move(inside);
  }
  std::vector<PicturePoint> points;
  if (face.size() < 3) return points;
  std::transform(face.begin(), face.end(), std::back_inserter(points), in_picture);
  return points;
}

Homogeneous project(const Projection& p, const Place& at) {
  const auto row = [&](std::size_t r) {
    return p[4 * r] * at[0] + p[4 * r + 1] * at[1] + p[4 * r + 2] * at[2] + p[4 * r + 3];
  };
  return {row(0), row(1), row(2)};
}

bool is_finite(const Homogeneous& point) {
  return std::all_of(point.begin(), point.end(), [](double number) { return std::isfinite(number); });
}

}  // namespace

std::array<Place, 8> corners_of(const Box3d& box) {
  const double cosine = std::cos(box.yaw);
  const double sine = std::sin(box.yaw);
  std::array<Place, 8> corners{};
  for (std::size_t i = 0; i < corners.size(); ++i) {
    const bool left = i % 4 == 0 || i % 4 == 3;
    const double along = (i < 4 ? 0.5 : -0.5) * box.dx;
    const double across = (left ? 0.5 : -0.5) * box.dy;
    const double up = (i % 4 < 2 ? 0.5 : -0.5) * box.dz;
    corners[i] = {box.x + along * cosine - across * sine, box.y + along * sine + across * cosine, box.z + up};
  }
  return corners;
}

std::optional<ProjectedBox> project_box(const Box3d& box, const Projection& projection) {
  const auto corners = corners_of(box);
  std::array<Homogeneous, 8> seen{};
  for (std::size_t i = 0; i < corners.size(); ++i) {
    seen[i] = project(projection, corners[i]);
    if (!is_finite(seen[i])) return std::nullopt;
  }
  ProjectedBox projected;
  projected.depth = project(projection, {box.x, box.y, box.z})[2];
  const auto add_edge = [&](std::size_t from, std::size_t to) {
    if (const auto line = cut_line(seen[from], seen[to])) projected.lines.push_back(*line);
  };
  for (std::size_t i = 0; i < 4; ++i) {
    add_edge(i, (i + 1) % 4);
    add_edge(4 + i, 4 + (i + 1) % 4);
    add_edge(i, 4 + i);
  }
  if (projected.lines.empty()) return std::nullopt;
  projected.front = cut_face(std::span(seen).first<4>());
  return projected;
}

std::optional<CameraPose> pose_of(const Projection& p) {
  const auto cross = [](const Homogeneous& a, const Homogeneous& b) {
    return Homogeneous{a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
  };
  const Homogeneous u = {p[0], p[1], p[2]};
  const Homogeneous v = {p[4], p[5], p[6]};
  const Homogeneous d = {p[8], p[9], p[10]};
  // Columns of the inverse of the upper left 3 × 3, times the determinant.
  const std::array<Homogeneous, 3> columns = {cross(v, d), cross(d, u), cross(u, v)};
  const double determinant = u[0] * columns[0][0] + u[1] * columns[0][1] + u[2] * columns[0][2];
  if (!std::isfinite(determinant) || std::abs(determinant) < 1e-12) return std::nullopt;
  const auto solve = [&](const Homogeneous& right) {
    Place place{};
    for (std::size_t i = 0; i < 3; ++i) {
      place[i] =
          (columns[0][i] * right[0] + columns[1][i] * right[1] + columns[2][i] * right[2]) / determinant;
    }
    return place;
  };
  const auto angle = [&](double at) {
    const Place ray = solve({at, 0.5, 1});
    return std::atan2(ray[1], ray[0]);
  };
  const Place centre = solve({-p[3], -p[7], -p[11]});
  return CameraPose{centre[0], centre[1], angle(0.5), angle(0), angle(1)};
}

std::string view_name(const CameraPose& pose) {
  const double degrees = pose.yaw * 180 / std::numbers::pi;
  const double away = std::abs(degrees);
  const std::string side = degrees > 0 ? "left" : "right";
  if (away <= 22.5) return "front";
  if (away <= 75) return "front " + side;
  if (away < 105) return side;
  if (away < 157.5) return "back " + side;
  return "back";
}

}  // namespace tarmac
