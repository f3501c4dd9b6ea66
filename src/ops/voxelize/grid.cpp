#include "ops/voxelize/grid.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/integers.h"

namespace tarmac::ops::voxel {
namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
constexpr float kMostOnAxis = 1 << 24;

Error invalid(const std::string& what) { return make_error(ErrorCode::kInvalidInput, "Voxelize: " + what); }

}  // namespace

Result<Grid> grid_of(const Attributes& attributes) {
  const auto& step = get<std::vector<float>>(attributes, "voxel_size");
  const auto& range = get<std::vector<float>>(attributes, "point_cloud_range");
  if (step.size() != 3)
    return invalid("voxel_size has " + std::to_string(step.size()) + " values, expected x, y, z");
  if (range.size() != 6) {
    return invalid("point_cloud_range has " + std::to_string(range.size()) +
                   " values, expected lower x, y, z, then upper x, y, z");
  }
  Grid grid;
  std::int64_t cells = 1;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const float lower = range[axis];
    const float upper = range[axis + 3];
    const float count = std::round((upper - lower) / step[axis]);
    if (!std::isfinite(lower) || !std::isfinite(upper) || !(step[axis] > 0) ||
        !(count >= 1 && count <= kMostOnAxis)) {
      return invalid("axis " + std::to_string(axis) + " goes from " + std::to_string(lower) + " to " +
                     std::to_string(upper) + " by " + std::to_string(step[axis]) +
                     ", expected 1 to 16777216 cells");
    }
    grid.lower[axis] = lower;
    grid.step[axis] = step[axis];
    grid.size[axis] = static_cast<std::int32_t>(count);
    if (grid.size[axis] > kMost / cells)
      return invalid("the grid has more than 2147483647 cells; take larger voxels or a smaller range");
    cells *= grid.size[axis];
  }
  grid.max_voxels = get<std::int64_t>(attributes, "max_voxels");
  grid.max_points = get<std::int64_t>(attributes, "max_points");
  for (const std::int64_t most : {grid.max_voxels, grid.max_points}) {
    if (most < 1 || most > kMost)
      return invalid("max_voxels is " + std::to_string(grid.max_voxels) + " and max_points " +
                     std::to_string(grid.max_points) + ", expected 1 to 2147483647");
  }
  return grid;
}

std::int64_t valid_points(std::span<const ConstTensorView> inputs) {
  const std::int64_t all = inputs[0].dim(0);
  if (inputs.size() < 2 || !inputs[1].present()) return all;
  return std::clamp<std::int64_t>(integer_at(inputs[1], 0), 0, all);
}

}  // namespace tarmac::ops::voxel
