#include "ops/deform_conv2d/operator.h"

#include <algorithm>
#include <limits>

#include "ops/shapes.h"

namespace tarmac::ops {
namespace {

using deform::Settings;

constexpr const char* kName = "DeformConv2d";
/// No attribute needs more; products of sizes stay far from overflow.
constexpr std::int64_t kLargestAttribute = 1 << 20;

Error bad_shape(const std::string& what) {
  return make_error(ErrorCode::kInvalidInput, std::string(kName) + ": " + what);
}

Status check_map(const Type& x) {
  const Dim height = dim_of(x, 2);
  const Dim width = dim_of(x, 3);
  for (const Dim& dim : {height, width}) {
    if (dim.known() && *dim.size > deform::kLongestAxis) {
      return bad_shape("the input 'X' is " + to_string(x) + ", expected axes of at most " +
                       std::to_string(deform::kLongestAxis) + " elements");
    }
  }
  if (height.known() && width.known() &&
      *height.size * *width.size >= std::numeric_limits<std::int32_t>::max())
    return bad_shape("the input 'X' is " + to_string(x) + ", expected maps of less than 2^31 elements");
  return {};
}

/// `whole` / `parts`; unknown when `whole` is.
Result<Dim> divided(const char* what, const Dim& whole, std::int64_t parts, const char* attribute) {
  if (!whole.known()) return Dim();
  if (*whole.size % parts != 0) {
    return bad_shape("'" + std::string(what) + "' has " + std::to_string(*whole.size) +
                     " channels, expected a " + "multiple of " + attribute + " = " + std::to_string(parts));
  }
  return Dim::of(*whole.size / parts);
}

/// Positions along an axis, as for any convolution.
Result<Dim> convolved(const char* axis, const Dim& size, const Dim& kernel, std::int64_t pads,
                      std::int64_t stride, std::int64_t dilation) {
  if (!size.known() || !kernel.known()) return Dim();
  if (*kernel.size > kLargestAttribute)
    return bad_shape("W has a kernel of " + std::to_string(*kernel.size) + " elements");
  const std::int64_t room = *size.size + pads - (dilation * (*kernel.size - 1) + 1);
  if (room < 0) {
    return bad_shape("the kernel reaches over more than the padded " + std::string(axis) + " of X, " +
                     std::to_string(*size.size + pads));
  }
  return Dim::of(room / stride + 1);
}

Result<std::vector<Type>> infer(const Attributes& attributes, std::span<const Type> inputs) {
  TARMAC_TRY(const Settings s, deform::read_settings(attributes));
  const Type& x = inputs[deform::kX];
  const Type& w = inputs[deform::kW];
  const Type& offset = inputs[deform::kOffset];
  const Type& mask = inputs[deform::kMask];
  TARMAC_CHECK_OK(check_rank(kName, "X", x, 4));
  TARMAC_CHECK_OK(check_map(x));
  TARMAC_TRY(const Dim group_channels, divided("X", dim_of(x, 1), s.groups, "group"));
  TARMAC_CHECK_OK(divided("X", dim_of(x, 1), s.offset_groups, "offset_group"));
  TARMAC_CHECK_OK(divided("W", dim_of(w, 0), s.groups, "group"));
  std::vector<Dim> kernel = {dim_of(w, 0), group_channels, Dim(), Dim()};
  for (std::size_t i = 0; i < s.kernel_shape.size(); ++i) kernel[2 + i] = Dim::of(s.kernel_shape[i]);
  TARMAC_CHECK_OK(check_shape(kName, "W", w, kernel));
  if (w.shape) kernel = *w.shape;
  for (std::size_t axis = 2; axis < 4; ++axis) {
    if (kernel[axis].known() && *kernel[axis].size < 1)
      return bad_shape("the input 'W' is " + to_string(w) + ", expected a kernel of at least one element");
  }

  TARMAC_TRY(const Dim height, convolved("height", dim_of(x, 2), kernel[2], s.pad_top + s.pad_bottom,
                                         s.stride_y, s.dilation_y));
  TARMAC_TRY(const Dim width,
             convolved("width", dim_of(x, 3), kernel[3], s.pad_left + s.pad_right, s.stride_x, s.dilation_x));
  const auto maps = [&](std::int64_t numbers) {
    const bool known = kernel[2].known() && kernel[3].known();
    return known ? Dim::of(numbers * s.offset_groups * *kernel[2].size * *kernel[3].size) : Dim();
  };
  TARMAC_CHECK_OK(check_shape(kName, "offset", offset, {dim_of(x, 0), maps(2), height, width}));
  TARMAC_TRY(Dim batch, same_size(kName, "the batch", dim_of(x, 0), dim_of(offset, 0)));
  TARMAC_TRY(Dim out_height, same_size(kName, "the output's height", height, dim_of(offset, 2)));
  TARMAC_TRY(Dim out_width, same_size(kName, "the output's width", width, dim_of(offset, 3)));
  if (mask.is_tensor()) {
    TARMAC_CHECK_OK(check_shape(kName, "mask", mask, {batch, maps(1), out_height, out_width}));
    TARMAC_TRY(batch, same_size(kName, "the batch", batch, dim_of(mask, 0)));
    TARMAC_TRY(out_height, same_size(kName, "the output's height", out_height, dim_of(mask, 2)));
    TARMAC_TRY(out_width, same_size(kName, "the output's width", out_width, dim_of(mask, 3)));
  }
  Dim out_channels = dim_of(w, 0);
  const Type& bias = inputs[deform::kBias];
  if (bias.is_tensor()) {
    TARMAC_CHECK_OK(check_shape(kName, "B", bias, {out_channels}));
    TARMAC_TRY(out_channels,
               same_size(kName, "the number of output channels", out_channels, dim_of(bias, 0)));
  }
  return std::vector<Type>{Type::tensor(x.dtype, {{batch, out_channels, out_height, out_width}})};
}

/// An attribute of `count` numbers in [least, kLargestAttribute]; all `fallback` when it is empty.
Result<std::vector<std::int64_t>> read_list(const Attributes& attributes, const char* name, std::size_t count,
                                            std::int64_t least, std::int64_t fallback) {
  auto values = get<std::vector<std::int64_t>>(attributes, name);
  if (values.empty()) values.assign(count, fallback);
  const bool fits =
      values.size() == count && std::all_of(values.begin(), values.end(), [&](std::int64_t value) {
        return value >= least && value <= kLargestAttribute;
      });
  if (fits) return values;
  return make_error(ErrorCode::kInvalidModel, std::string(kName) + ": the attribute '" + name + "' is " +
                                                  to_string(values) + ", expected " + std::to_string(count) +
                                                  " numbers from " + std::to_string(least) + " to " +
                                                  std::to_string(kLargestAttribute));
}

}  // namespace

Result<Settings> deform::read_settings(const Attributes& attributes) {
  Settings s;
  TARMAC_TRY(const auto strides, read_list(attributes, "strides", 2, 1, 1));
  TARMAC_TRY(const auto dilations, read_list(attributes, "dilations", 2, 1, 1));
  TARMAC_TRY(const auto pads, read_list(attributes, "pads", 4, 0, 0));
  s.stride_y = strides[0];
  s.stride_x = strides[1];
  s.dilation_y = dilations[0];
  s.dilation_x = dilations[1];
  s.pad_top = pads[0];
  s.pad_left = pads[1];
  s.pad_bottom = pads[2];
  s.pad_right = pads[3];
  if (!get<std::vector<std::int64_t>>(attributes, "kernel_shape").empty()) {
    TARMAC_TRY(s.kernel_shape, read_list(attributes, "kernel_shape", 2, 1, 1));
  }
  s.groups = get<std::int64_t>(attributes, "group");
  s.offset_groups = get<std::int64_t>(attributes, "offset_group");
  for (const std::int64_t groups : {s.groups, s.offset_groups}) {
    if (groups >= 1 && groups <= kLargestAttribute) continue;
    return make_error(ErrorCode::kInvalidModel,
                      std::string(kName) + ": group and offset_group are " + std::to_string(s.groups) +
                          " and " + std::to_string(s.offset_groups) + ", expected numbers from 1 to " +
                          std::to_string(kLargestAttribute));
  }
  return s;
}

deform::Geometry deform::geometry_of(const Settings& settings, const ConstTensorView& x,
                                     const ConstTensorView& w, const TensorView& y) {
  return {.batch = x.dim(0),
          .channels = x.dim(1),
          .height = x.dim(2),
          .width = x.dim(3),
          .out_channels = w.dim(0),
          .out_height = y.dim(2),
          .out_width = y.dim(3),
          .kernel_height = w.dim(2),
          .kernel_width = w.dim(3),
          .group_channels = x.dim(1) / settings.groups,
          .group_out_channels = w.dim(0) / settings.groups,
          .offset_group_channels = x.dim(1) / settings.offset_groups};
}

const Operator& deform_conv2d() {
  static const std::vector<DType> floats = {DType::kFloat32, DType::kFloat16, DType::kBFloat16};
  static const Operator op = {
      .name = kName,
      .version = 1,
      .doc =
          "y[n, o, i, j] = B[o] + sum over c, k, l of W[o, c, k, l] m X[n, c] at (i sh - top + k dh + dy, "
          "j sw - left + l dw + dx), where (dy, dx) are offset[n, 2 t] and offset[n, 2 t + 1] at (i, j), m "
          "is "
          "mask[n, t] there or 1, and t = (g kH + k) kW + l for the channel's offset group g. Values between "
          "elements are interpolated linearly; neighbours outside the map count 0, and so does a coordinate "
          "that "
          "is not finite. Computed in float32; inputs may differ in type, so that offsets need not be "
          "rounded to 16 bits. ONNX DeformConv-22; deformable convolution v1 (Dai et al. "
          "2017) and "
          "v2 (Zhu et al. 2019), torchvision deform_conv2d, mmcv ModulatedDeformConv2d.",
      .inputs = {{"X", "[N, C, H, W]", floats},
                 {"W", "[O, C / group, kH, kW]", floats},
                 {"offset", "[N, offset_group kH kW 2, Ho, Wo]: y before x, in elements", floats},
                 {"B", "[O]; 0 without it", floats, true},
                 {"mask", "[N, offset_group kH kW, Ho, Wo]; 1 without it", floats, true}},
      .outputs = {{"y", "[N, O, Ho, Wo], Ho = (H + top + bottom - dh (kH - 1) - 1) / sh + 1 rounded down",
                   floats}},
      .attributes = {{"dilations", "dh, dw; 1 where empty", std::vector<std::int64_t>{}},
                     {"group", "C and O fall into so many groups that do not see each other",
                      std::int64_t{1}},
                     {"kernel_shape", "kH, kW; W's where empty", std::vector<std::int64_t>{}},
                     {"offset_group", "C falls into so many groups with offsets of their own",
                      std::int64_t{1}},
                     {"pads", "top, left, bottom, right; 0 where empty", std::vector<std::int64_t>{}},
                     {"strides", "sh, sw; 1 where empty", std::vector<std::int64_t>{}}},
      .infer = infer,
      .reference = deform::make_reference,
      .cpu = deform::make_cpu,
  };
  return op;
}

}  // namespace tarmac::ops
