// The first part of Voxelize: from points to numbers of cells.
#pragma once

#include "ops/voxelize/grid.h"

namespace tarmac::ops::voxel {

/// Room beyond the last point that find_cells() wants in what it writes.
inline constexpr std::int64_t kCellSlack = 16;

/// Looks at the points [first, last) of [N, features] and writes, for those inside the grid and in their
/// order, the cell (z · size_y + y) · size_x + x and the point's number; gives how many these are. Every
/// point has at least three features.
std::int64_t find_cells(const Grid& grid, const float* points, std::int64_t features, std::int64_t first,
                        std::int64_t last, std::int32_t* cells, std::int32_t* numbers);

}  // namespace tarmac::ops::voxel
