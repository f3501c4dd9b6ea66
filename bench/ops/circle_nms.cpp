#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "ops/registry.h"
#include "ops/sides.h"

namespace tarmac::bench {
namespace {

constexpr float kSquaredRadius = 4;

struct Scene {
  std::vector<float> centres;
  std::vector<float> scores;
};

/// Around each of `objects` on 108 m × 108 m its share of `count` centres.
Scene street(std::size_t count, std::size_t objects) {
  std::mt19937 generator(5);
  std::uniform_real_distribution<float> place(-54, 54);
  std::normal_distribution<float> noise(0, 1);
  std::vector<float> middles(2 * objects);
  for (float& middle : middles) middle = place(generator);
  Scene scene;
  for (std::size_t i = 0; i < count; ++i) {
    const float off = std::abs(noise(generator));
    for (std::size_t axis = 0; axis < 2; ++axis)
      scene.centres.push_back(middles[2 * (i % objects) + axis] + off * noise(generator));
    scene.scores.push_back(std::exp(-off));
  }
  return scene;
}

/// The loop of CenterPoint's circle_nms.
std::vector<std::int32_t> plain_loop(const Scene& scene) {
  const std::size_t count = scene.scores.size();
  std::vector<std::int32_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t i, std::int32_t j) {
    return scene.scores[static_cast<std::size_t>(i)] > scene.scores[static_cast<std::size_t>(j)];
  });
  std::vector<float> sorted;
  for (const std::int32_t i : order) {
    sorted.push_back(scene.centres[2 * static_cast<std::size_t>(i)]);
    sorted.push_back(scene.centres[2 * static_cast<std::size_t>(i) + 1]);
  }
  std::vector<char> dead(count);
  std::vector<std::int32_t> kept;
  for (std::size_t i = 0; i < count; ++i) {
    if (dead[i] != 0) continue;
    kept.push_back(order[i]);
    for (std::size_t j = i + 1; j < count; ++j) {
      const float dx = sorted[2 * j] - sorted[2 * i];
      const float dy = sorted[2 * j + 1] - sorted[2 * i + 1];
      if (dx * dx + dy * dy <= kSquaredRadius) dead[j] = 1;
    }
  }
  return kept;
}

Case suppression(const std::string& name, std::int64_t count, std::size_t objects) {
  const Scene scene = street(static_cast<std::size_t>(count), objects);
  const ops::Operator& op = *ops::find_operator(ops::kDomain, "CircleNms");
  return {name,
          std::to_string(count) + " centres around " + std::to_string(objects) + " objects, " +
              std::to_string(plain_loop(scene).size()) + " kept, within 2 m, float32",
          {.bytes = 4.0 * 3 * static_cast<double>(count)},
          0,
          {bare_kernel(op, {{"squared_radius", std::vector<float>{kSquaredRadius}}, {"max_boxes", count}},
                       {Tensor::from({1, count, 2}, scene.centres), Tensor::from({1, count}, scene.scores),
                        Tensor(), Tensor()}),
           function("plain loop", [scene] { plain_loop(scene); })}};
}

}  // namespace

std::vector<CaseMaker> circle_nms_cases() {
  return {{"circle_nms/500", [] { return suppression("circle_nms/500", 500, 60); }},
          {"circle_nms/5000", [] { return suppression("circle_nms/5000", 5000, 600); }}};
}

}  // namespace tarmac::bench
