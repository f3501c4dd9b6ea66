#include <cstring>
#include <memory>
#include <random>

#include "ops/registry.h"
#include "ops/sides.h"

namespace tarmac::bench {
namespace {

constexpr std::int64_t kPillars = 12000;
constexpr std::int64_t kChannels = 64;
constexpr std::int64_t kHeight = 496;
constexpr std::int64_t kWidth = 432;

/// Distinct cells in random order, as pillars come.
Tensor random_cells() {
  std::vector<std::int64_t> cells(kHeight * kWidth);
  for (std::size_t i = 0; i < cells.size(); ++i) cells[i] = static_cast<std::int64_t>(i);
  std::shuffle(cells.begin(), cells.end(), std::mt19937(7));
  Tensor coordinates = value_of(Tensor::allocate(DType::kInt32, {kPillars, 4}));
  const auto rows = coordinates.mutable_data<std::int32_t>();
  for (std::size_t v = 0; v < kPillars; ++v) {
    rows[4 * v] = rows[4 * v + 1] = 0;
    rows[4 * v + 2] = static_cast<std::int32_t>(cells[v] / kWidth);
    rows[4 * v + 3] = static_cast<std::int32_t>(cells[v] % kWidth);
  }
  return coordinates;
}

void plain_loop(const float* features, const std::int32_t* coordinates, float* map) {
  std::memset(map, 0, sizeof(float) * kChannels * kHeight * kWidth);
  for (std::int64_t v = 0; v < kPillars; ++v) {
    const std::int64_t cell = coordinates[4 * v + 2] * kWidth + coordinates[4 * v + 3];
    for (std::int64_t c = 0; c < kChannels; ++c)
      map[c * kHeight * kWidth + cell] = features[v * kChannels + c];
  }
}

Case kitti() {
  const Tensor features = random_floats({kPillars, kChannels}, -1, 1, 1);
  const Tensor coordinates = random_cells();
  const auto map = std::make_shared<std::vector<float>>(kChannels * kHeight * kWidth);
  const ops::Operator& op = *ops::find_operator(ops::kDomain, "PillarScatter");
  return {"pillar_scatter/kitti",
          "12,000 pillars of 64 channels into 496×432 cells, float32",
          {.bytes = 4.0 * kChannels * (kHeight * kWidth + kPillars)},
          0,
          {bare_kernel(op, {{"height", kHeight}, {"width", kWidth}}, {features, coordinates, Tensor()}),
           function("plain loop", [=] {
             plain_loop(features.data<float>().data(), coordinates.data<std::int32_t>().data(), map->data());
           })}};
}

}  // namespace

std::vector<CaseMaker> pillar_scatter_cases() { return {{"pillar_scatter/kitti", kitti}}; }

}  // namespace tarmac::bench
