#include "ops/box_decode_3d/operator.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/shapes.h"

namespace tarmac::ops {
namespace {

constexpr const char* kName = "BoxDecode3d";

using box_decode_kernels::Settings;
using box_decode_kernels::Style;

Error invalid(const std::string& text) {
  return make_error(ErrorCode::kInvalidInput, std::string(kName) + ": " + text);
}

/// Heads of a map: whether there are velocities.
Result<bool> check_maps(std::span<const Type> inputs) {
  TARMAC_CHECK_OK(check_rank(kName, "scores", inputs[0], 4));
  const Dim batch = dim_of(inputs[0], 0);
  const Dim height = dim_of(inputs[0], 2);
  const Dim width = dim_of(inputs[0], 3);
  constexpr std::int64_t kChannels[] = {0, 2, 1, 3, 2, 2};
  constexpr const char* kNames[] = {"scores", "regression", "height", "size", "rotation", "velocity"};
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    const bool optional = i == 5;
    if (!inputs[i].is_tensor() && optional) continue;
    if (!inputs[i].is_tensor())
      return invalid(std::string("style centerpoint needs the input '") + kNames[i] + "'");
    TARMAC_CHECK_OK(check_shape(kName, kNames[i], inputs[i], {batch, Dim::of(kChannels[i]), height, width}));
  }
  return inputs[5].is_tensor();
}

/// Heads of queries: how many columns a box has; none when that is open.
Result<Dim> check_queries(std::span<const Type> inputs) {
  TARMAC_CHECK_OK(check_rank(kName, "scores", inputs[0], 3));
  const Dim columns = dim_of(inputs[1], 2);
  TARMAC_CHECK_OK(
      check_shape(kName, "regression", inputs[1], {dim_of(inputs[0], 0), dim_of(inputs[0], 1), columns}));
  if (columns.known() && *columns.size != 8 && *columns.size != 10)
    return invalid("the input 'regression' is " + to_string(inputs[1]) +
                   ", expected 8 columns, or 10 with velocities");
  if (std::any_of(inputs.begin() + 2, inputs.end(), [](const Type& type) { return type.is_tensor(); }))
    return invalid("style bevformer takes the inputs 'scores' and 'regression' alone");
  return columns.known() ? Dim::of(*columns.size - 1) : Dim();
}

Result<std::vector<Type>> infer(const Attributes& attributes, std::span<const Type> inputs) {
  TARMAC_TRY(const Settings settings, box_decode_kernels::read_settings(attributes));
  Dim columns;
  if (settings.style == Style::kCenterPoint) {
    TARMAC_TRY(const bool velocities, check_maps(inputs));
    columns = Dim::of(velocities ? 9 : 7);
  } else {
    TARMAC_TRY(columns, check_queries(inputs));
  }
  if (const auto shape = inputs[0].static_shape()) {
    const auto count = element_count({shape->begin() + 1, shape->end()});
    if (!count || *count > std::numeric_limits<std::int32_t>::max())
      return invalid("more than 2^31-1 scores in a batch entry: " + to_string(inputs[0]));
  }
  const Dim batch = dim_of(inputs[0], 0);
  const Dim most = Dim::of(settings.max_boxes);
  return std::vector<Type>{Type::tensor(DType::kFloat32, std::vector<Dim>{batch, most, columns}),
                           Type::tensor(DType::kFloat32, std::vector<Dim>{batch, most}),
                           Type::tensor(DType::kInt32, std::vector<Dim>{batch, most}),
                           Type::tensor(DType::kInt32, std::vector<Dim>{batch})};
}

/// A list of six numbers; none when it is empty.
Result<std::optional<std::array<float, 6>>> read_range(const Attributes& attributes, const char* name) {
  const auto& values = get<std::vector<float>>(attributes, name);
  if (values.empty()) return std::optional<std::array<float, 6>>();
  if (values.size() != 6)
    return invalid(std::string(name) + " has " + std::to_string(values.size()) +
                   " values, expected x, y, z of the lower and of the upper end");
  std::array<float, 6> range{};
  std::copy(values.begin(), values.end(), range.begin());
  return std::optional(range);
}

}  // namespace

namespace box_decode_kernels {

Result<Settings> read_settings(const Attributes& attributes) {
  const auto flag = [&](const char* name) { return get<std::int64_t>(attributes, name) != 0; };
  Settings settings;
  const auto& style = get<std::string>(attributes, "style");
  if (style != "centerpoint" && style != "bevformer")
    return invalid("the style is '" + style + "', expected 'centerpoint' or 'bevformer'");
  settings.style = style == "centerpoint" ? Style::kCenterPoint : Style::kBevFormer;
  settings.max_boxes = get<std::int64_t>(attributes, "max_boxes");
  settings.score_threshold = get<float>(attributes, "score_threshold");
  if (settings.max_boxes < 0 || std::isnan(settings.score_threshold))
    return invalid("max_boxes must not be negative, score_threshold must be a number");
  settings.sigmoid = flag("sigmoid");
  settings.exp_size = flag("exp_size");
  settings.peaks_only = flag("peaks_only");
  settings.normalized = flag("normalized");
  settings.legacy_axes = flag("legacy_axes");
  settings.cos_first = flag("cos_first");
  TARMAC_TRY(const auto range, read_range(attributes, "point_cloud_range"));
  settings.range = range.value_or(settings.range);
  TARMAC_TRY(settings.post_center_range, read_range(attributes, "post_center_range"));
  const auto& voxel = get<std::vector<float>>(attributes, "voxel_size");
  const auto factor = static_cast<float>(get<std::int64_t>(attributes, "out_size_factor"));
  if (settings.style == Style::kCenterPoint) {
    if (voxel.size() < 2 || voxel.size() > 3 || !range)
      return invalid("style centerpoint needs voxel_size (x, y) and point_cloud_range");
    settings.cell_x = factor * voxel[0];
    settings.cell_y = factor * voxel[1];
  } else if (settings.peaks_only || (settings.normalized && !range)) {
    return invalid("style bevformer has no map for peaks_only, and with normalized needs point_cloud_range");
  }
  return settings;
}

}  // namespace box_decode_kernels

const Operator& box_decode_3d() {
  static const std::vector<DType> floats = {DType::kFloat32, DType::kFloat16, DType::kBFloat16};
  static const Operator op = {
      .name = kName,
      .version = 1,
      .doc =
          "The max_boxes highest scores above score_threshold become boxes (x, y, z, dx, dy, dz, yaw, vx, "
          "vy): centre "
          "in metres, dx along the heading, yaw in radians turning x towards y. Equal scores are taken in "
          "the order "
          "of the tensor, NaN and -infinity never. score = 1 / (1 + exp(-s)).\n"
          "style centerpoint (Yin et al. 2021; CenterPointBBoxCoder of mmdetection3d), cell i, j of class k: "
          "x = (j + "
          "regression[0]) * out_size_factor * voxel_size[0] + point_cloud_range[0], y likewise with i; z = "
          "height; "
          "(dx, dy, dz) = exp(size); yaw = atan2(rotation[0], rotation[1]).\n"
          "style bevformer (Li et al. 2022; NMSFreeCoder of DETR3D), query q, class k: regression = (x, y, "
          "log dx, "
          "log dy, z, log dz, sin yaw, cos yaw, vx, vy).\n"
          "Then boxes whose centre is not within post_center_range are left out, as both coders do. z is the "
          "box's middle, not its bottom. Numbers that are not finite in the other heads come out as they "
          "are.",
      .inputs = {{"scores", "centerpoint: heatmap [B, K, H, W]; bevformer: [B, Q, K]; logits, see sigmoid",
                  floats},
                 {"regression",
                  "centerpoint: [B, 2, H, W], offset x, y in cells; bevformer: [B, Q, 10], or 8 without "
                  "velocities",
                  floats},
                 {"height", "centerpoint: [B, 1, H, W], metres", floats, true},
                 {"size", "centerpoint: [B, 3, H, W], dx, dy, dz, see exp_size", floats, true},
                 {"rotation", "centerpoint: [B, 2, H, W], sine and cosine, see cos_first", floats, true},
                 {"velocity", "centerpoint: [B, 2, H, W], vx, vy; boxes have 7 columns without it", floats,
                  true}},
      // float32 whatever the inputs are: bfloat16 would place a box 50 m away to a quarter of a metre.
      .outputs = {{"boxes", "[B, M, 9], or 7 without velocities; 0 behind the last", {DType::kFloat32}},
                  {"box_scores", "[B, M], falling, then 0", {DType::kFloat32}},
                  {"labels", "[B, M]: k, then -1", {DType::kInt32}},
                  {"count", "[B]: how many there are", {DType::kInt32}}},
      .attributes =
          {{"style", "centerpoint or bevformer", std::string(), true},
           {"max_boxes", "M", std::int64_t{0}, true},
           {"score_threshold", "only scores above it count", 0.0F},
           {"sigmoid", "0: scores are probabilities already, and are taken as they are", std::int64_t{1}},
           {"exp_size", "0: sizes are in metres already", std::int64_t{1}},
           {"out_size_factor", "centerpoint: voxels in a cell of the map, each way", std::int64_t{1}},
           {"voxel_size", "centerpoint: x, y (and z) in metres", std::vector<float>{}},
           {"point_cloud_range", "lower x, y, z, upper x, y, z in metres", std::vector<float>{}},
           {"post_center_range", "lower and upper x, y, z that a centre must have; empty: any",
            std::vector<float>{}},
           {"peaks_only",
            "centerpoint: 1 leaves out scores below one of the eight around them (CenterNet's 3 x 3 maximum)",
            std::int64_t{0}},
           {"normalized",
            "bevformer: 1 if x, y, z go from 0 to 1 over point_cloud_range (before BEVFormer's head "
            "scales them)",
            std::int64_t{0}},
           {"legacy_axes",
            "1 for models of CenterPoint's own code and of mmdetection3d before 1.0 (BEVFormer): there sizes "
            "are "
            "width, length, height and yaw turns the other way from the negative y axis; comes out as above",
            std::int64_t{0}},
           {"cos_first", "centerpoint: 1 if rotation is cosine, sine (OpenPCDet)", std::int64_t{0}}},
      .infer = infer,
      .reference = box_decode_kernels::make_reference,
      .cpu = box_decode_kernels::make_cpu,
  };
  return op;
}

}  // namespace tarmac::ops
