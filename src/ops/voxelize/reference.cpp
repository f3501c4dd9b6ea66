#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "ops/voxelize/grid.h"
#include "ops/voxelize/operator.h"

namespace tarmac::ops::voxel {
namespace {

class Reference final : public Kernel {
 public:
  explicit Reference(const Grid& grid) : grid_(grid) {}

  Status run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
             Parallel& /*parallel*/) const override {
    const std::int64_t features = inputs[0].dim(1);
    const auto* points = inputs[0].as<float>();
    auto* voxels = outputs[0].as<float>();
    auto* coordinates = outputs[1].as<std::int32_t>();
    auto* num_points = outputs[2].as<std::int32_t>();
    std::fill_n(voxels, outputs[0].count(), 0.0F);
    std::fill_n(coordinates, outputs[1].count(), -1);
    std::fill_n(num_points, outputs[2].count(), 0);
    std::unordered_map<std::int64_t, std::int64_t> voxel_of;
    std::int64_t found = 0;
    const std::int64_t count = valid_points(inputs);
    for (std::int64_t p = 0; p < count; ++p) {
      const float* point = points + p * features;
      std::int32_t cell[3];
      if (!find_cell(point, cell)) continue;
      const std::int64_t key = (std::int64_t{cell[2]} * grid_.size[1] + cell[1]) * grid_.size[0] + cell[0];
      const auto [entry, is_new] = voxel_of.try_emplace(key, found);
      if (is_new) ++found;
      const std::int64_t v = entry->second;
      if (v >= grid_.max_voxels) continue;
      if (is_new) {
        coordinates[4 * v] = 0;
        for (std::int64_t axis = 0; axis < 3; ++axis) coordinates[4 * v + 3 - axis] = cell[axis];
      }
      if (num_points[v] >= grid_.max_points) continue;
      std::copy_n(point, features, voxels + (v * grid_.max_points + num_points[v]) * features);
      ++num_points[v];
    }
    *outputs[3].as<std::int32_t>() = static_cast<std::int32_t>(std::min(found, grid_.max_voxels));
    return {};
  }

 private:
  bool find_cell(const float* point, std::int32_t* cell) const {
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const float position = std::floor((point[axis] - grid_.lower[axis]) / grid_.step[axis]);
      if (!(position >= 0 && position < static_cast<float>(grid_.size[axis]))) return false;
      cell[axis] = static_cast<std::int32_t>(position);
    }
    return true;
  }

  Grid grid_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_reference(const Attributes& attributes) {
  TARMAC_TRY(const Grid grid, grid_of(attributes));
  return std::unique_ptr<Kernel>(std::make_unique<Reference>(grid));
}

}  // namespace tarmac::ops::voxel
