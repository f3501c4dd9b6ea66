// The attributes of Voxelize, checked.
#pragma once

#include <array>

#include "ops/operator.h"

namespace tarmac::ops::voxel {

/// Axes in the order x, y, z.
struct Grid {
  std::array<float, 3> lower{};
  std::array<float, 3> step{};
  std::array<std::int32_t, 3> size{};  ///< cells; each at most 2^24, so that float32 counts them
  std::int64_t max_voxels = 0;
  std::int64_t max_points = 0;
};

/// Errors: kInvalidInput for an empty, endless or too fine grid (more than 2^31-1 cells), or limits below 1.
Result<Grid> grid_of(const Attributes& attributes);

/// How many of the points count: all, or what the optional second input says, between 0 and all.
std::int64_t valid_points(std::span<const ConstTensorView> inputs);

}  // namespace tarmac::ops::voxel
