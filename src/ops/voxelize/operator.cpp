#include "ops/voxelize/operator.h"

#include <limits>

#include "ops/shapes.h"
#include "ops/voxelize/grid.h"

namespace tarmac::ops {
namespace {

constexpr const char* kName = "Voxelize";
constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();

Result<std::vector<Type>> infer(const Attributes& attributes, std::span<const Type> inputs) {
  TARMAC_TRY(const voxel::Grid grid, voxel::grid_of(attributes));
  TARMAC_CHECK_OK(check_rank(kName, "points", inputs[0], 2));
  if (inputs[1].is_tensor()) TARMAC_CHECK_OK(check_shape(kName, "count", inputs[1], {Dim::of(1)}));
  const Dim points = dim_of(inputs[0], 0);
  const Dim features = dim_of(inputs[0], 1);
  if (features.known() && *features.size < 3) {
    return make_error(ErrorCode::kInvalidInput, "Voxelize: the input 'points' is " + to_string(inputs[0]) +
                                                    ", expected at least x, y and z");
  }
  if (points.known() && *points.size > kMost)
    return make_error(ErrorCode::kInvalidInput, "Voxelize: more than 2147483647 points");
  const auto elements = element_count({grid.max_voxels, grid.max_points, features.size.value_or(3)});
  if (!elements || *elements > kMost) {
    return make_error(ErrorCode::kInvalidInput,
                      "Voxelize: " + std::to_string(grid.max_voxels) + " voxels of " +
                          std::to_string(grid.max_points) +
                          " points have more than 2147483647 numbers; lower max_voxels or max_points");
  }
  const Dim voxels = Dim::of(grid.max_voxels);
  return std::vector<Type>{
      Type::tensor(DType::kFloat32, std::vector<Dim>{voxels, Dim::of(grid.max_points), features}),
      Type::tensor(DType::kInt32, std::vector<Dim>{voxels, Dim::of(4)}),
      Type::tensor(DType::kInt32, std::vector<Dim>{voxels}),
      Type::tensor(DType::kInt32, std::vector<Dim>{Dim::of(1)})};
}

}  // namespace

const Operator& voxelize() {
  static const Operator op = {
      .name = kName,
      .version = 1,
      .doc =
          "Points sorted into the cells of a grid: cell = floor((p - lower) / voxel_size) in float32 "
          "along x, y and z, with round((upper - lower) / voxel_size) cells; points outside, and those "
          "with infinity or NaN, are left out. A voxel is a cell with points. Voxels are in the order of "
          "their first points, the points of a voxel in their own order; voxels above max_voxels and "
          "points of one voxel above max_points are dropped. What is unused is 0, in coordinates -1. Hard "
          "voxelisation of VoxelNet (Zhou and Tuzel 2018) and PointPillars (Lang et al. 2019), mmcv's "
          "Voxelization (deterministic), spconv's PointToVoxel.",
      .inputs =
          {{"points", "[N, F]: x, y, z in metres, then anything", {DType::kFloat32}},
           {"count", "[1]: rows that are points; all without it", {DType::kInt32, DType::kInt64}, true}},
      .outputs = {{"voxels", "[V, P, F]: the points of each voxel", {DType::kFloat32}},
                  {"coordinates", "[V, 4]: batch (0), z, y, x in cells", {DType::kInt32}},
                  {"num_points", "[V]", {DType::kInt32}},
                  {"voxel_count", "[1]: rows that are voxels", {DType::kInt32}}},
      .attributes = {{"voxel_size", "metres along x, y, z", std::vector<float>(), true},
                     {"point_cloud_range", "metres: lower x, y, z, upper x, y, z", std::vector<float>(),
                      true},
                     {"max_voxels", "V", std::int64_t{1}, true},
                     {"max_points", "P", std::int64_t{1}, true}},
      .infer = infer,
      .reference = voxel::make_reference,
      .cpu = voxel::make_cpu,
  };
  return op;
}

}  // namespace tarmac::ops
