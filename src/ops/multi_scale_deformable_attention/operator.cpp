#include "ops/multi_scale_deformable_attention/operator.h"

#include "ops/multi_scale_deformable_attention/problem.h"
#include "ops/shapes.h"

namespace tarmac::ops {
namespace {

constexpr const char* kName = "MultiScaleDeformableAttention";

Error invalid(const std::string& what) {
  return make_error(ErrorCode::kInvalidInput, std::string(kName) + ": " + what);
}

/// The batch of an input divides that of `value`: each of its entries serves as many in turn.
Status check_batch(const char* input, const Dim& found, const Dim& batch) {
  if (!found.known() || !batch.known() || *found.size == *batch.size) return {};
  if (*found.size > 0 && *batch.size % *found.size == 0) return {};
  return invalid("the batch of '" + std::string(input) + "' is " + std::to_string(*found.size) +
                 ", expected a divisor of that of 'value', " + std::to_string(*batch.size));
}

Status check_reference(const msda::Options& options, const Type& reference, const Dim& levels,
                       const Dim& points) {
  TARMAC_CHECK_OK(check_rank(kName, "reference_points", reference, 4));
  const Dim count = dim_of(reference, 2);
  const Dim width = dim_of(reference, 3);
  const bool by_points = options.reference_mode == msda::ReferenceMode::kPoints;
  if (width.known() && *width.size != 2 && (*width.size != 4 || by_points)) {
    return invalid("'reference_points' is " + to_string(reference) + ", expected a last size of 2" +
                   (by_points ? std::string() : std::string(" (points) or 4 (boxes)")));
  }
  if (!count.known()) return {};
  if (by_points && (*count.size <= 0 || (points.known() && *points.size % *count.size != 0))) {
    return invalid("'reference_points' has " + std::to_string(*count.size) +
                   " points a query, expected a divisor of the " +
                   (points.known() ? std::to_string(*points.size) : "?") + " points a level");
  }
  if (!by_points && *count.size != 1 && levels.known() && *count.size != *levels.size) {
    return invalid("'reference_points' has " + std::to_string(*count.size) +
                   " references a query, expected 1 or one for each of the " + std::to_string(*levels.size) +
                   " levels");
  }
  return {};
}

Status check_scale(const Type& value, const Type& scale, const Dim& heads, const Dim& depth) {
  if (value.dtype != DType::kInt8) {
    return invalid("'value_scale' is given for a value of " + std::string(to_string(value.dtype)) +
                   ", expected int8");
  }
  if (!scale.shape || scale.shape->empty()) return {};
  TARMAC_CHECK_OK(check_rank(kName, "value_scale", scale, 1));
  const Dim count = dim_of(scale, 0);
  if (!count.known() || *count.size == 1 || !heads.known() || !depth.known()) return {};
  if (*count.size == *heads.size || *count.size == *heads.size * *depth.size) return {};
  return invalid("'value_scale' is " + to_string(scale) + ", expected 1, " + std::to_string(*heads.size) +
                 " (heads) or " + std::to_string(*heads.size * *depth.size) + " (channels) numbers");
}

Result<std::vector<Type>> infer(const Attributes& attributes, std::span<const Type> inputs) {
  TARMAC_TRY(const msda::Options options, msda::read_options(attributes));
  const Type& value = inputs[0];
  const Type& sampling = inputs[3];
  const Type& weights = inputs[4];
  TARMAC_CHECK_OK(check_rank(kName, "value", value, 4));
  TARMAC_CHECK_OK(check_rank(kName, "sampling", sampling, 6));
  TARMAC_CHECK_OK(check_rank(kName, "attention_weights", weights, 5));
  TARMAC_CHECK_OK(check_shape(kName, "spatial_shapes", inputs[1], {Dim(), Dim::of(2)}));

  const Dim batch = dim_of(value, 0);
  const Dim depth = dim_of(value, 3);
  TARMAC_TRY(const Dim queries,
             same_size(kName, "the number of queries", dim_of(sampling, 1), dim_of(weights, 1)));
  TARMAC_TRY(const Dim heads, same_size(kName, "the number of heads", dim_of(value, 2), dim_of(sampling, 2)));
  TARMAC_TRY(const Dim levels,
             same_size(kName, "the number of levels", dim_of(inputs[1], 0), dim_of(sampling, 3)));
  const Dim points = dim_of(sampling, 4);
  TARMAC_CHECK_OK(
      check_shape(kName, "sampling", sampling, {Dim(), queries, heads, levels, points, Dim::of(2)}));
  TARMAC_CHECK_OK(check_shape(kName, "attention_weights", weights, {Dim(), queries, heads, levels, points}));
  TARMAC_CHECK_OK(check_batch("sampling", dim_of(sampling, 0), batch));
  TARMAC_CHECK_OK(check_batch("attention_weights", dim_of(weights, 0), batch));
  if (levels.known() && *levels.size > msda::kMaxLevels) {
    return invalid(std::to_string(*levels.size) + " levels, at most " + std::to_string(msda::kMaxLevels) +
                   " are supported");
  }
  if (inputs[2].is_tensor()) TARMAC_CHECK_OK(check_shape(kName, "level_start_index", inputs[2], {levels}));
  if (inputs[5].is_tensor()) {
    TARMAC_CHECK_OK(check_reference(options, inputs[5], levels, points));
    TARMAC_CHECK_OK(check_shape(kName, "reference_points", inputs[5], {Dim(), queries, Dim(), Dim()}));
    TARMAC_CHECK_OK(check_batch("reference_points", dim_of(inputs[5], 0), batch));
  }
  if (inputs[6].is_tensor()) TARMAC_CHECK_OK(check_scale(value, inputs[6], heads, depth));
  if (inputs[7].is_tensor()) {
    TARMAC_CHECK_OK(check_shape(kName, "mask", inputs[7], {Dim(), queries}));
    TARMAC_CHECK_OK(check_batch("mask", dim_of(inputs[7], 0), batch));
  }

  Dim channels;
  if (heads.known() && depth.known()) {
    std::int64_t product = 0;
    if (__builtin_mul_overflow(*heads.size, *depth.size, &product))
      return invalid("heads times channels a head is more than 2^63");
    channels = Dim::of(product);
  }
  const DType dtype = value.dtype == DType::kInt8 ? DType::kFloat32 : value.dtype;
  return std::vector<Type>{Type::tensor(dtype, std::vector<Dim>{batch, queries, channels})};
}

}  // namespace

const Operator& multi_scale_deformable_attention() {
  const std::vector<DType> floats = {DType::kFloat32, DType::kFloat16, DType::kBFloat16};
  const std::vector<DType> integers = {DType::kInt32, DType::kInt64};
  static const Operator op = {
      .name = kName,
      .version = 1,
      .doc =
          "y[b, q, m·D + d] = Σ_{l, p} weight[b, q, m, l, p] · bilinear(map of level l and head m, x·W_l - "
          "0.5, "
          "y·H_l - 0.5)[d] for the sampling location (x, y), where (0, 0) is the corner of the map and (1, "
          "1) the "
          "opposite one; cells outside the map are 0 (grid_sample with bilinear, zeros, align_corners = 0). "
          "Without reference_points `sampling` holds the locations. With them it holds offsets: location = "
          "reference + offset / (W_l, H_l) for points (x, y); reference_xy + offset / P · reference_wh · 0.5 "
          "for "
          "boxes (x, y, w, h). A sample that lies a cell or more outside its map, or nowhere (NaN), is left "
          "out "
          "whatever its weight. Deformable DETR (Zhu et al. 2020); with reference_mode = points as in "
          "BEVFormer "
          "(Li et al. 2022). An input other than `value` may have a smaller batch B' that divides B, such as "
          "one "
          "entry for all cameras of a car: its entry b' serves the entries b' · B / B' and following. At "
          "most "
          "32 levels.",
      .inputs =
          {{"value",
            "[B, S, M, D]: rows of all levels, heads, channels; an int8 value is multiplied by value_scale",
            {DType::kFloat32, DType::kFloat16, DType::kBFloat16, DType::kInt8}},
           {"spatial_shapes", "[L, 2]: height and width of each level, cells, at most 2^24", integers},
           {"level_start_index",
            "[L]: row of `value` where each level begins; one after the other without it", integers, true},
           {"sampling", "[B', Q, M, L, P, 2]: (x, y), locations or offsets", floats},
           {"attention_weights", "[B', Q, M, L, P]: weights, or logits where softmax is 1", floats},
           {"reference_points",
            "[B', Q, R, 2 or 4]: R is L or 1 (levels), or a divisor of P (points); width 4 with levels "
            "only",
            floats, true},
           {"value_scale", "[], [1], [M] or [M·D]: of int8 values", {DType::kFloat32}, true},
           {"mask",
            "[B', Q]: where it is 0 nothing is computed and the output is 0",
            {DType::kBool, DType::kUint8},
            true}},
      .outputs = {{"y", "[B, Q, M·D], in the type of `value`, float32 for int8", floats}},
      .attributes =
          {{"softmax", "1: the weights are the softmax of attention_weights over all L·P points",
            std::int64_t{0}},
           {"reference_mode",
            "levels: one reference for each level, for all its points; points: point p of every level "
            "starts from reference p mod R",
            std::string("levels")}},
      .infer = infer,
      .reference = msda::make_reference,
      .cpu = msda::make_cpu,
  };
  return op;
}

}  // namespace tarmac::ops
