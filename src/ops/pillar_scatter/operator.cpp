#include "ops/pillar_scatter/operator.h"

#include "ops/shapes.h"

namespace tarmac::ops {
namespace {

Result<std::vector<Type>> infer(const Attributes& attributes, std::span<const Type> inputs) {
  TARMAC_CHECK_OK(check_rank("PillarScatter", "features", inputs[0], 2));
  TARMAC_CHECK_OK(check_shape("PillarScatter", "coordinates", inputs[1], {dim_of(inputs[0], 0), Dim::of(4)}));
  if (inputs[2].is_tensor()) TARMAC_CHECK_OK(check_shape("PillarScatter", "count", inputs[2], {Dim::of(1)}));
  std::vector<Dim> shape = {Dim::of(get<std::int64_t>(attributes, "batch")), dim_of(inputs[0], 1),
                            Dim::of(get<std::int64_t>(attributes, "height")),
                            Dim::of(get<std::int64_t>(attributes, "width"))};
  for (const Dim& dim : shape) {
    if (dim.known() && *dim.size < 0)
      return make_error(ErrorCode::kInvalidInput,
                        "PillarScatter: batch, height and width must not be negative");
  }
  return std::vector<Type>{Type::tensor(inputs[0].dtype, std::move(shape))};
}

}  // namespace

const Operator& pillar_scatter() {
  static const Operator op = {
      .name = "PillarScatter",
      .version = 1,
      .doc =
          "y[b, c, i, j] = features[v, c] for the pillar v < count with coordinates[v] = (b, z, i, j), 0 "
          "where there is none; z is not looked at. Rows outside the map (padding: negative coordinates) "
          "are left out; of several in one cell the last counts. PointPillars (Lang et al. 2019), "
          "mmdetection3d PointPillarsScatter.",
      .inputs =
          {{"features", "[V, C]", {DType::kFloat32, DType::kFloat16, DType::kBFloat16}},
           {"coordinates", "[V, 4]: batch, z, y, x in cells", {DType::kInt32, DType::kInt64}},
           {"count", "[1]: rows that are pillars; all without it", {DType::kInt32, DType::kInt64}, true}},
      .outputs = {{"y", "[B, C, H, W]", {DType::kFloat32, DType::kFloat16, DType::kBFloat16}}},
      .attributes = {{"batch", "B", std::int64_t{1}},
                     {"height", "H, cells", std::int64_t{0}, true},
                     {"width", "W, cells", std::int64_t{0}, true}},
      .infer = infer,
      .reference = pillar::make_reference,
      .cpu = pillar::make_cpu,
  };
  return op;
}

}  // namespace tarmac::ops
