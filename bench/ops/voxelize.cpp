#include <cmath>
#include <cstring>
#include <memory>
#include <numbers>
#include <random>

#include "ops/registry.h"
#include "ops/sides.h"

namespace tarmac::bench {
namespace {

constexpr std::int64_t kPoints = 200'000;

struct Sizes {
  std::vector<float> voxel;
  std::vector<float> range;
  std::int64_t max_voxels;
  std::int64_t max_points;
  std::int64_t features;
  float turn;  ///< part of a full turn that the lidar sees
};

/// Ten sweeps of a lidar with 32 beams that sees `turn` of a full turn around ahead: the ground, or what
/// stands before it.
Tensor sweeps(std::int64_t features, float turn) {
  constexpr std::int64_t kBeams = 32;
  std::mt19937 generator(3);
  std::uniform_real_distribution<float> draw(0, 1);
  Tensor points = value_of(Tensor::allocate(DType::kFloat32, {kPoints, features}));
  const auto rows = points.mutable_data<float>();
  for (std::int64_t p = 0; p < kPoints; ++p) {
    const float azimuth =
        (static_cast<float>(p / kBeams % 625) / 625 - 0.5F) * turn * 2 * std::numbers::pi_v<float>;
    const float elevation = (-30 + static_cast<float>(p % kBeams) * 1.3F) * std::numbers::pi_v<float> / 180;
    const float ground = elevation < 0 ? -1.8F / std::sin(elevation) : 100;
    const float range = std::min(ground, 4 + 80 * draw(generator)) + 0.1F * draw(generator);
    float* row = rows.data() + p * features;
    row[0] = range * std::cos(elevation) * std::cos(azimuth);
    row[1] = range * std::cos(elevation) * std::sin(azimuth);
    row[2] = range * std::sin(elevation);
    for (std::int64_t f = 3; f < features; ++f) row[f] = draw(generator);
  }
  return points;
}

/// mmcv's algorithm on one core: a table with a voxel for each cell of the grid, kept between runs and
/// cleared where it was used.
class PlainLoop {
 public:
  explicit PlainLoop(const Sizes& sizes) : sizes_(sizes) {
    std::size_t cells = 1;
    for (std::size_t k = 0; k < 3; ++k) {
      grid_[k] = static_cast<int>(std::round((sizes.range[k + 3] - sizes.range[k]) / sizes.voxel[k]));
      cells *= static_cast<std::size_t>(grid_[k]);
    }
    table_.assign(cells, -1);
    const auto rows = static_cast<std::size_t>(sizes.max_voxels);
    voxels_.resize(rows * static_cast<std::size_t>(sizes.max_points * sizes.features));
    coordinates_.resize(rows * 4);
    num_points_.resize(rows);
  }

  void run(const float* points) {
    std::fill(voxels_.begin(), voxels_.end(), 0.0F);
    std::fill(coordinates_.begin(), coordinates_.end(), -1);
    std::fill(num_points_.begin(), num_points_.end(), 0);
    const std::int64_t features = sizes_.features;
    int count = 0;
    for (std::int64_t p = 0; p < kPoints; ++p) {
      const float* point = points + p * features;
      int cell[3];
      if (!find_cell(point, cell)) continue;
      int& voxel = table_[index(cell[2], cell[1], cell[0])];
      if (voxel < 0) {
        if (count >= sizes_.max_voxels) continue;
        voxel = count++;
        int* row = &coordinates_[4 * static_cast<std::size_t>(voxel)];
        row[0] = 0;
        for (int k = 0; k < 3; ++k) row[3 - k] = cell[k];
      }
      int& used = num_points_[static_cast<std::size_t>(voxel)];
      if (used >= sizes_.max_points) continue;
      float* to = &voxels_[static_cast<std::size_t>((voxel * sizes_.max_points + used) * features)];
      for (std::int64_t f = 0; f < features; ++f) to[f] = point[f];
      ++used;
    }
    for (int v = 0; v < count; ++v) {
      const int* row = &coordinates_[4 * static_cast<std::size_t>(v)];
      table_[index(row[1], row[2], row[3])] = -1;
    }
  }

 private:
  bool find_cell(const float* point, int* cell) const {
    for (std::size_t k = 0; k < 3; ++k) {
      const float position = std::floor((point[k] - sizes_.range[k]) / sizes_.voxel[k]);
      if (!(position >= 0 && position < static_cast<float>(grid_[k]))) return false;
      cell[k] = static_cast<int>(position);
    }
    return true;
  }
  [[nodiscard]] std::size_t index(int z, int y, int x) const {
    return (static_cast<std::size_t>(z) * static_cast<std::size_t>(grid_[1]) + static_cast<std::size_t>(y)) *
               static_cast<std::size_t>(grid_[0]) +
           static_cast<std::size_t>(x);
  }

  Sizes sizes_;
  int grid_[3] = {};
  std::vector<int> table_;
  std::vector<float> voxels_;
  std::vector<int> coordinates_;
  std::vector<int> num_points_;
};

Case make(const std::string& name, const Sizes& sizes) {
  const Tensor points = sweeps(sizes.features, sizes.turn);
  const ops::Attributes attributes = {{"voxel_size", sizes.voxel},
                                      {"point_cloud_range", sizes.range},
                                      {"max_voxels", sizes.max_voxels},
                                      {"max_points", sizes.max_points}};
  const auto plain = std::make_shared<PlainLoop>(sizes);
  const auto row = static_cast<double>(sizes.max_points * sizes.features + 5);
  return {name,
          "200,000 points of " + std::to_string(sizes.features) + " numbers into " +
              std::to_string(sizes.max_voxels) + " voxels of " + std::to_string(sizes.max_points) + " points",
          {.bytes = 4.0 * (static_cast<double>(kPoints * sizes.features) +
                           row * static_cast<double>(sizes.max_voxels)),
           .flops = 6.0 * kPoints,
           .gathers = 3.0 * kPoints},
          3,
          {bare_kernel(*ops::find_operator(ops::kDomain, "Voxelize"), attributes, {points, Tensor()}),
           function("plain loop", [=] { plain->run(points.data<float>().data()); })}};
}

CaseMaker maker(const std::string& name, const Sizes& sizes) {
  return {"voxelize/" + name, [=] { return make("voxelize/" + name, sizes); }};
}

}  // namespace

std::vector<CaseMaker> voxelize_cases() {
  return {
      maker("kitti_pillars", {{0.16F, 0.16F, 4}, {0, -39.68F, -3, 69.12F, 39.68F, 1}, 16000, 32, 4, 0.25F}),
      maker("nuscenes_pillars", {{0.2F, 0.2F, 8}, {-51.2F, -51.2F, -5, 51.2F, 51.2F, 3}, 30000, 20, 5, 1}),
      maker("nuscenes_voxels", {{0.1F, 0.1F, 0.2F}, {-51.2F, -51.2F, -5, 51.2F, 51.2F, 3}, 60000, 10, 5, 1})};
}

}  // namespace tarmac::bench
