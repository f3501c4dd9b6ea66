#include "ops/bev_pool/operator.h"

#include <limits>

#include "ops/shapes.h"

namespace tarmac::ops {
namespace {

constexpr const char* kName = "BevPool";
constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();

Error invalid(const std::string& what) {
  return make_error(ErrorCode::kInvalidInput, std::string(kName) + ": " + what);
}

/// depth [..., D, H, W] belongs to feat [..., H, W, C].
Status check_depth(const Type& depth, const Type& feat) {
  if (depth.dtype != DType::kUndefined && feat.dtype != DType::kUndefined && depth.dtype != feat.dtype)
    return invalid("'depth' is " + to_string(depth) + " and 'feat' " + to_string(feat) +
                   ", expected the same dtype");
  if (!depth.shape || !feat.shape) return {};
  const std::size_t rank = feat.shape->size();
  if (rank < 4 || depth.shape->size() != rank)
    return invalid("'depth' is " + to_string(depth) + " and 'feat' " + to_string(feat) +
                   ", expected [N, D, H, W] and [N, H, W, C]; N may be several axes");
  std::vector<Dim> expected(feat.shape->begin(), feat.shape->end() - 1);
  expected.insert(expected.end() - 2, Dim());
  return check_shape(kName, "depth", depth, expected);
}

Result<std::vector<Type>> infer(const Attributes& attributes, std::span<const Type> inputs) {
  const Type& depth = inputs[0];
  const Type& feat = inputs[1];
  if (feat.shape && feat.shape->size() < 2)
    return invalid("'feat' is " + to_string(feat) + ", expected at least rows and channels");
  if (depth.is_tensor()) TARMAC_CHECK_OK(check_depth(depth, feat));

  TARMAC_CHECK_OK(check_rank(kName, "ranks_bev", inputs[4], 1));
  const Dim points = dim_of(inputs[4], 0);
  if (points.known() && *points.size > kMost) return invalid("more than 2147483647 points");
  if (inputs[2].is_tensor()) TARMAC_CHECK_OK(check_shape(kName, "ranks_depth", inputs[2], {points}));
  if (inputs[3].is_tensor()) TARMAC_CHECK_OK(check_shape(kName, "ranks_feat", inputs[3], {points}));
  if (inputs[5].is_tensor()) {
    TARMAC_CHECK_OK(check_rank(kName, "interval_starts", inputs[5], 1));
    const Dim intervals = dim_of(inputs[5], 0);
    if (intervals.known() && *intervals.size > kMost) return invalid("more than 2147483647 intervals");
    if (inputs[6].is_tensor())
      TARMAC_CHECK_OK(check_shape(kName, "interval_lengths", inputs[6], {intervals}));
  }

  Shape grid;
  for (const char* name : {"batch", "z", "height", "width"}) {
    grid.push_back(get<std::int64_t>(attributes, name));
    if (grid.back() < 0 || grid.back() > kMost)
      return invalid(std::string(name) + " is " + std::to_string(grid.back()) + ", expected 0 to 2147483647");
  }
  const auto cells = element_count(grid);
  if (!cells || *cells > kMost)
    return invalid("a grid of " + to_string(grid) + " has more than 2147483647 cells");

  std::vector<Dim> shape = {Dim::of(grid[0]), Dim::of(grid[1]), Dim::of(grid[2]), Dim::of(grid[3])};
  const Dim channels = feat.shape ? feat.shape->back() : Dim();
  const auto& layout = get<std::string>(attributes, "layout");
  if (layout != "BCZHW" && layout != "BZHWC")
    return invalid("layout is '" + layout + "', expected BCZHW or BZHWC");
  shape.insert(layout == "BCZHW" ? shape.begin() + 1 : shape.end(), channels);
  return std::vector<Type>{Type::tensor(feat.dtype, std::move(shape))};
}

}  // namespace

const Operator& bev_pool() {
  static const std::vector<DType> kFloats = {DType::kFloat32, DType::kFloat16, DType::kBFloat16};
  static const std::vector<DType> kIntegers = {DType::kInt32, DType::kInt64};
  static const Operator op = {
      .name = "BevPool",
      .version = 1,
      .doc =
          "y[cell] = sum of depth[ranks_depth[p]] * feat[ranks_feat[p]] over the points p of the cell; 0 "
          "for cells without points. Depth and feat are addressed as rows: flat over all axes of depth, "
          "over all but the last of feat. Interval i holds the points interval_starts[i] up to "
          "interval_starts[i] + interval_lengths[i], all of the cell ranks_bev[interval_starts[i]]; "
          "points of no interval are left out, intervals of one cell add up, and intervals that ascend by "
          "cell are the fast form. Without intervals point p belongs to the cell ranks_bev[p], in any "
          "order. Without depth (lift-splat's index-add of ready products) it counts as 1; without "
          "ranks_feat point p has row p. Cell = ((b * Z + z) * H + y) * W + x. Sums are in float32. "
          "Values out of range are an error. BEVPoolV2 of BEVDet (Huang et al. 2022), bev_pool of "
          "BEVFusion, voxel pooling of Lift, Splat, Shoot (Philion and Fidler 2020).",
      .inputs = {{"depth", "[N, D, H', W']: weight of each depth bin; N may be several axes", kFloats, true},
                 {"feat", "[N, H', W', C]; without depth any [..., C]", kFloats},
                 {"ranks_depth", "[P]: element of depth", kIntegers, true},
                 {"ranks_feat", "[P]: row of feat", kIntegers, true},
                 {"ranks_bev", "[P]: cell", kIntegers},
                 {"interval_starts", "[I]: first point", kIntegers, true},
                 {"interval_lengths", "[I]: number of points", kIntegers, true}},
      .outputs = {{"y", "[B, C, Z, H, W], or [B, Z, H, W, C] as BEVDet's kernel writes it", kFloats}},
      .attributes = {{"batch", "B", std::int64_t{1}},
                     {"z", "Z, cells", std::int64_t{1}},
                     {"height", "H, cells", std::int64_t{0}, true},
                     {"width", "W, cells", std::int64_t{0}, true},
                     {"layout", "of y: BCZHW or BZHWC", std::string("BCZHW")}},
      .infer = infer,
      .reference = bev::make_reference,
      .cpu = bev::make_cpu,
  };
  return op;
}

}  // namespace tarmac::ops
