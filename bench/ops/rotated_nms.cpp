#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <numeric>
#include <random>

#include "ops/registry.h"
#include "ops/sides.h"

namespace tarmac::bench {
namespace {

constexpr float kIouThreshold = 0.2F;

struct Scene {
  std::vector<float> boxes;  ///< x, y, dx, dy, yaw
  std::vector<float> scores;
};

/// What a detector gives before suppression: around each of `objects` cars on 120 m × 120 m its share of
/// `count` boxes, the better ones nearer to the car.
Scene street(std::size_t count, std::size_t objects, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> place(-60, 60);
  std::uniform_real_distribution<float> angle(-3.14F, 3.14F);
  std::normal_distribution<float> noise(0, 1);
  std::vector<std::array<float, 3>> cars(objects);
  for (auto& car : cars) car = {place(generator), place(generator), angle(generator)};
  Scene scene;
  for (std::size_t i = 0; i < count; ++i) {
    const auto& [x, y, yaw] = cars[i % objects];
    const float off = std::abs(noise(generator));
    scene.boxes.insert(scene.boxes.end(), {x + off * noise(generator), y + off * noise(generator),
                                           4.4F + 0.2F * noise(generator), 1.9F + 0.1F * noise(generator),
                                           yaw + 0.15F * noise(generator)});
    scene.scores.push_back(std::exp(-off) * (0.9F + 0.03F * noise(generator)));
  }
  return scene;
}

/// Thin boxes like spokes of one wheel: all meet in the middle, hardly any suppresses another.
Scene wheel(std::size_t count) {
  std::mt19937 generator(3);
  std::uniform_real_distribution<float> unit(0, 1);
  Scene scene;
  for (std::size_t i = 0; i < count; ++i) {
    scene.boxes.insert(scene.boxes.end(), {unit(generator), unit(generator), 10 + unit(generator),
                                           0.02F + 0.01F * unit(generator), 3.14F * unit(generator)});
    scene.scores.push_back(unit(generator));
  }
  return scene;
}

struct Point {
  float x, y;
};

float side(Point a, Point b, Point p) { return (b.x - a.x) * (p.y - a.y) - (b.y - a.y) * (p.x - a.x); }

struct Polygon {
  std::array<Point, 10> points;
  std::size_t count = 0;
};

/// A box with what can be computed once for it.
struct Prepared {
  std::array<Point, 4> corners;
  float x, y, radius, area;

  explicit Prepared(const float* box) : x(box[0]), y(box[1]), area(box[2] * box[3]) {
    const float c = std::cos(box[4]) / 2;
    const float s = std::sin(box[4]) / 2;
    const Point u{c * box[2], s * box[2]};
    const Point v{-s * box[3], c * box[3]};
    corners = {Point{x - u.x - v.x, y - u.y - v.y}, Point{x + u.x - v.x, y + u.y - v.y},
               Point{x + u.x + v.x, y + u.y + v.y}, Point{x - u.x + v.x, y - u.y + v.y}};
    radius = std::hypot(box[2], box[3]) / 2;
  }
};

float overlap(const Prepared& a, const Prepared& b) {
  Polygon polygon;
  std::copy(b.corners.begin(), b.corners.end(), polygon.points.begin());
  polygon.count = 4;
  for (std::size_t e = 0; e < 4 && polygon.count > 0; ++e) {
    const Point from = a.corners[e];
    const Point to = a.corners[(e + 1) % 4];
    Polygon clipped;
    float side_p = side(from, to, polygon.points[0]);
    for (std::size_t i = 0; i < polygon.count; ++i) {
      const Point p = polygon.points[i];
      const Point q = polygon.points[i + 1 == polygon.count ? 0 : i + 1];
      const float side_q = side(from, to, q);
      if (side_p >= 0) clipped.points[clipped.count++] = p;
      if ((side_p > 0 && side_q < 0) || (side_p < 0 && side_q > 0)) {
        const float t = side_p / (side_p - side_q);
        clipped.points[clipped.count++] = {p.x + t * (q.x - p.x), p.y + t * (q.y - p.y)};
      }
      side_p = side_q;
    }
    polygon = clipped;
  }
  float twice = 0;
  for (std::size_t i = 2; i < polygon.count; ++i)
    twice += side(polygon.points[0], polygon.points[i - 1], polygon.points[i]);
  return twice / 2;
}

struct Outcome {
  std::size_t kept = 0;
  std::size_t overlaps = 0;  ///< pairs that had to be clipped
};

/// Sort, prepare each box once, leave out pairs whose circles are apart, clip the others.
Outcome plain_loop(const Scene& scene) {
  const std::size_t count = scene.scores.size();
  std::vector<std::int32_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t i, std::int32_t j) {
    return scene.scores[static_cast<std::size_t>(i)] > scene.scores[static_cast<std::size_t>(j)];
  });
  std::vector<Prepared> boxes;
  boxes.reserve(count);
  for (const std::int32_t i : order) boxes.emplace_back(&scene.boxes[5 * static_cast<std::size_t>(i)]);
  std::vector<char> dead(count);
  Outcome outcome;
  for (std::size_t i = 0; i < count; ++i) {
    if (dead[i] != 0) continue;
    ++outcome.kept;
    for (std::size_t j = i + 1; j < count; ++j) {
      if (dead[j] != 0) continue;
      const float dx = boxes[j].x - boxes[i].x;
      const float dy = boxes[j].y - boxes[i].y;
      const float reach = boxes[i].radius + boxes[j].radius;
      if (dx * dx + dy * dy > reach * reach) continue;
      ++outcome.overlaps;
      const float shared = overlap(boxes[i], boxes[j]);
      if (shared > kIouThreshold * (boxes[i].area + boxes[j].area - shared)) dead[j] = 1;
    }
  }
  return outcome;
}

Case suppression(const std::string& name, const std::string& what, const Scene& scene,
                 double required_ratio) {
  const auto count = static_cast<std::int64_t>(scene.scores.size());
  const ops::Operator& op = *ops::find_operator(ops::kDomain, "RotatedNms");
  const Outcome outcome = plain_loop(scene);
  constexpr double kFlopsPerOverlap = 160;
  return {name,
          what + ", " + std::to_string(outcome.kept) + " kept, " + std::to_string(outcome.overlaps) +
              " overlaps, IoU above 0.2, float32",
          {.bytes = 4.0 * 6 * static_cast<double>(count),
           .flops = kFlopsPerOverlap * static_cast<double>(outcome.overlaps)},
          required_ratio,
          {bare_kernel(op, {{"iou_threshold", kIouThreshold}, {"max_boxes", count}},
                       {Tensor::from({1, count, 5}, scene.boxes), Tensor::from({1, count}, scene.scores),
                        Tensor(), Tensor()}),
           function("plain loop", [scene] { plain_loop(scene); })}};
}

}  // namespace

std::vector<CaseMaker> rotated_nms_cases() {
  const auto maker = [](const std::string& name, const std::string& what, double ratio, auto make_scene) {
    return CaseMaker{name, [=] { return suppression(name, what, make_scene(), ratio); }};
  };
  return {
      maker("rotated_nms/1000_clustered", "1,000 boxes around 40 cars", 3,
            [] { return street(1000, 40, 1); }),
      maker("rotated_nms/1000_crowded", "1,000 boxes around 10 cars", 3, [] { return street(1000, 10, 2); }),
      maker("rotated_nms/1000_sparse", "1,000 boxes around 500 cars", 3, [] { return street(1000, 500, 3); }),
      maker("rotated_nms/1000_wheel", "worst case: 1,000 spokes of one wheel", 3, [] { return wheel(1000); }),
      maker("rotated_nms/10000_clustered", "10,000 boxes around 800 cars", 0,
            [] { return street(10000, 800, 4); })};
}

}  // namespace tarmac::bench
