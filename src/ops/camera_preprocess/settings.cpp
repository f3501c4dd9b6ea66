#include "ops/camera_preprocess/settings.h"

#include <algorithm>
#include <array>
#include <string>

namespace tarmac::ops::camera {
namespace {

constexpr std::int64_t kMaxSide = 32768;

Error wrong(const std::string& what) {
  return make_error(ErrorCode::kInvalidInput, "CameraPreprocess: " + what);
}

template <typename T>
struct Word {
  std::string_view word;
  T value;
};

template <typename T, std::size_t N>
Result<T> choose(const Attributes& attributes, const char* name, const Word<T> (&words)[N]) {
  const auto& found = get<std::string>(attributes, name);
  std::string allowed;
  for (const Word<T>& candidate : words) {
    if (candidate.word == found) return candidate.value;
    allowed += (allowed.empty() ? "" : ", ") + std::string(candidate.word);
  }
  return wrong(std::string(name) + " is '" + found + "'; expected one of " + allowed);
}

Result<int> side(const Attributes& attributes, const char* name) {
  const auto found = get<std::int64_t>(attributes, name);
  if (found >= 1 && found <= kMaxSide) return static_cast<int>(found);
  return wrong(std::string(name) + " is " + std::to_string(found) + "; expected 1 to 32768");
}

/// Two whole numbers, height or y first; `otherwise` when the list is empty.
Result<std::array<int, 2>> pair(const Attributes& attributes, const char* name, std::int64_t min,
                                std::array<int, 2> otherwise) {
  const auto& found = get<std::vector<std::int64_t>>(attributes, name);
  if (found.empty()) return otherwise;
  const auto fits = [&](std::int64_t number) { return number >= min && number <= kMaxSide; };
  if (found.size() != 2 || !std::all_of(found.begin(), found.end(), fits)) {
    return wrong(std::string(name) + " must hold two numbers from " + std::to_string(min) + " to 32768");
  }
  return std::array{static_cast<int>(found[0]), static_cast<int>(found[1])};
}

Intrinsics intrinsics_at(const std::vector<float>& values, std::size_t camera) {
  const float* at = values.data() + 4 * camera;
  return {at[0], at[1], at[2], at[3]};
}

Result<std::vector<std::optional<Lens>>> read_lenses(const Attributes& attributes) {
  static constexpr Word<std::optional<LensModel>> kModels[] = {
      {"none", std::nullopt},
      {"radial_tangential", LensModel::kRadialTangential},
      {"fisheye", LensModel::kFisheye}};
  TARMAC_TRY(const auto model, choose(attributes, "distortion_model", kModels));
  const auto& intrinsics = get<std::vector<float>>(attributes, "intrinsics");
  const auto& undistorted = get<std::vector<float>>(attributes, "undistorted_intrinsics");
  const auto& distortion = get<std::vector<float>>(attributes, "distortion");
  if (!model) {
    if (intrinsics.empty() && undistorted.empty() && distortion.empty())
      return std::vector<std::optional<Lens>>(1);
    return wrong("intrinsics and distortion belong to a distortion_model; set it or leave them out");
  }
  const std::size_t cameras = intrinsics.size() / 4;
  if (cameras == 0 || intrinsics.size() % 4 != 0)
    return wrong("intrinsics must hold fx, fy, cx, cy for each camera");
  if (!undistorted.empty() && undistorted.size() != intrinsics.size())
    return wrong("undistorted_intrinsics must hold as many numbers as intrinsics");
  const std::size_t each = distortion.size() / cameras;
  const bool fisheye = model == LensModel::kFisheye;
  const bool known = fisheye ? each == 4 : each == 4 || each == 5 || each == 8;
  if (!known || distortion.size() % cameras != 0) {
    return wrong(std::string("distortion must hold ") + (fisheye ? "4" : "4, 5 or 8") +
                 " numbers for each camera; found " + std::to_string(distortion.size()) + " for " +
                 std::to_string(cameras));
  }
  std::vector<std::optional<Lens>> lenses;
  for (std::size_t i = 0; i < cameras; ++i) {
    Lens lens{*model,
              intrinsics_at(intrinsics, i),
              intrinsics_at(undistorted.empty() ? intrinsics : undistorted, i),
              {}};
    std::copy_n(distortion.begin() + static_cast<std::ptrdiff_t>(i * each), each, lens.coefficients.begin());
    TARMAC_CHECK_OK(check_lens(lens));
    lenses.emplace_back(lens);
  }
  return lenses;
}

Status read_maps(const Attributes& attributes, Settings& settings) {
  TARMAC_TRY(settings.source_height, side(attributes, "source_height"));
  TARMAC_TRY(settings.source_width, side(attributes, "source_width"));
  TARMAC_TRY(const auto output, pair(attributes, "output_size", 1, {0, 0}));
  if (output[0] == 0) return wrong("output_size must hold height and width");
  TARMAC_TRY(const auto resized, pair(attributes, "resize", 1, output));
  TARMAC_TRY(const auto crop, pair(attributes, "crop", 0, {0, 0}));
  if (crop[0] + output[0] > resized[0] || crop[1] + output[1] > resized[1]) {
    return wrong("the crop at " + std::to_string(crop[0]) + ", " + std::to_string(crop[1]) + " of " +
                 std::to_string(output[0]) + " x " + std::to_string(output[1]) + " reaches outside " +
                 std::to_string(resized[0]) + " x " + std::to_string(resized[1]));
  }
  const auto axis = [&](int from, std::size_t i) {
    const std::array steps{resize_step(from, resized[i]), crop_step(resized[i], crop[i])};
    return axis_positions(steps, output[i]);
  };
  MapSpec map{settings.source_height, settings.source_width, axis(settings.source_height, 0),
              axis(settings.source_width, 1), std::nullopt};
  TARMAC_TRY(const auto lenses, read_lenses(attributes));
  for (const auto& lens : lenses) {
    map.lens = lens;
    settings.maps.push_back(map);
  }
  return {};
}

Status read_color(const Attributes& attributes, ColorSpec& color) {
  static constexpr Word<PixelFormat> kFormats[] = {{"nv12", PixelFormat::kNv12},
                                                   {"yuyv", PixelFormat::kYuyv},
                                                   {"rgb", PixelFormat::kRgb},
                                                   {"bgr", PixelFormat::kBgr}};
  static constexpr Word<YuvMatrix> kMatrices[] = {{"bt601", YuvMatrix::kBt601}, {"bt709", YuvMatrix::kBt709}};
  static constexpr Word<YuvRange> kRanges[] = {{"limited", YuvRange::kLimited}, {"full", YuvRange::kFull}};
  static constexpr Word<ColorOrder> kOrders[] = {
      {"RGB", ColorOrder::kRGB}, {"BGR", ColorOrder::kBGR}, {"GRAY", ColorOrder::kGray}};
  TARMAC_TRY(color.format, choose(attributes, "format", kFormats));
  TARMAC_TRY(color.matrix, choose(attributes, "yuv_matrix", kMatrices));
  TARMAC_TRY(color.range, choose(attributes, "yuv_range", kRanges));
  TARMAC_TRY(color.order, choose(attributes, "color", kOrders));
  const std::size_t channels = color.order == ColorOrder::kGray ? 1 : 3;
  const auto list = [&](const char* name, double otherwise, std::vector<double>& to) {
    const auto& found = get<std::vector<float>>(attributes, name);
    to.assign(found.begin(), found.end());
    if (to.empty()) to.assign(channels, otherwise);
  };
  list("mean", 0, color.mean);
  list("std", 1, color.std);
  color.scale = get<float>(attributes, "scale");
  color.unit = get<float>(attributes, "output_scale");
  std::vector<double> border;
  list("border", 0, border);
  if (border.size() != channels)
    return wrong("border must hold " + std::to_string(channels) + " numbers, one a channel");
  std::copy(border.begin(), border.end(), color.border.begin());
  TARMAC_CHECK_OK(make_color_transform(color));
  return {};
}

}  // namespace

Result<Settings> read_settings(const Attributes& attributes) {
  static constexpr Word<DType> kDtypes[] = {{"float32", DType::kFloat32},
                                            {"float16", DType::kFloat16},
                                            {"int8", DType::kInt8},
                                            {"uint8", DType::kUint8}};
  static constexpr Word<Layout> kLayouts[] = {{"NCHW", Layout::kNCHW}, {"NHWC", Layout::kNHWC}};
  Settings settings;
  TARMAC_CHECK_OK(read_color(attributes, settings.color));
  TARMAC_CHECK_OK(read_maps(attributes, settings));
  TARMAC_TRY(settings.dtype, choose(attributes, "dtype", kDtypes));
  TARMAC_TRY(settings.layout, choose(attributes, "layout", kLayouts));
  const bool whole = settings.dtype == DType::kInt8 || settings.dtype == DType::kUint8;
  if (!whole && (settings.color.unit != 1 || get<std::int64_t>(attributes, "zero_point") != 0))
    return wrong("output_scale and zero_point belong to int8 and uint8");
  const auto zero_point = get<std::int64_t>(attributes, "zero_point");
  if (zero_point < -128 || zero_point > 255) return wrong("zero_point must be from -128 to 255");
  settings.zero_point = static_cast<int>(zero_point);
  return settings;
}

Status read_frames(const Settings& settings, const ConstTensorView& frames, std::span<FrameView> views) {
  const PixelFormat format = settings.color.format;
  const auto rows = static_cast<std::size_t>(rows_of(format, settings.source_height));
  const auto row_bytes = static_cast<std::size_t>(frames.dim(2)) *
                         static_cast<std::size_t>(frames.rank() > 3 ? frames.dim(3) : 1);
  const auto* const bytes = frames.as<std::uint8_t>();
  for (std::size_t i = 0; i < views.size(); ++i) {
    FrameView& frame = views[i];
    frame = {format,
             settings.source_height,
             settings.source_width,
             bytes + i * rows * row_bytes,
             row_bytes,
             nullptr,
             row_bytes};
    frame.chroma = frame.data + static_cast<std::size_t>(settings.source_height) * row_bytes;
    TARMAC_CHECK_OK(check_frame(frame));
  }
  return {};
}

}  // namespace tarmac::ops::camera
