#include "ops/camera_preprocess/color.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace tarmac::ops::camera {
namespace {

using Row = std::array<double, 3>;

/// rgb = rows * v + offset, for v as the frame has it.
struct ToRgb {
  std::array<Row, 3> rows{};
  Row offset{};
  double floor = 0;
};

struct Luma {
  double red = 0;
  double blue = 0;
  double y_zero = 0;   ///< Y of black
  double y_span = 0;   ///< Y from black to white
  double uv_span = 0;  ///< U or V from one end to the other
};

Luma luma_of(YuvMatrix matrix, YuvRange range) {
  Luma luma = matrix == YuvMatrix::kBt709 ? Luma{0.2126, 0.0722} : Luma{0.299, 0.114};
  const bool full = range == YuvRange::kFull;
  luma.y_zero = full ? 0 : 16;
  luma.y_span = full ? 255 : 219;
  luma.uv_span = full ? 255 : 224;
  return luma;
}

ToRgb from_yuv(const Luma& luma) {
  const double green = 1 - luma.red - luma.blue;
  const double y = 255 / luma.y_span;
  const double red_v = 2 * (1 - luma.red) * 255 / luma.uv_span;
  const double blue_u = 2 * (1 - luma.blue) * 255 / luma.uv_span;
  ToRgb to;
  to.rows = {Row{y, 0, red_v}, Row{y, -blue_u * luma.blue / green, -red_v * luma.red / green},
             Row{y, blue_u, 0}};
  for (std::size_t c = 0; c < 3; ++c)
    to.offset[c] = -to.rows[c][0] * luma.y_zero - (to.rows[c][1] + to.rows[c][2]) * 128;
  to.floor = luma.y_zero;
  return to;
}

ToRgb to_rgb(const ColorSpec& spec) {
  ToRgb to;
  switch (spec.format) {
    case PixelFormat::kRgb:
      to.rows = {Row{1, 0, 0}, Row{0, 1, 0}, Row{0, 0, 1}};
      return to;
    case PixelFormat::kBgr:
      to.rows = {Row{0, 0, 1}, Row{0, 1, 0}, Row{1, 0, 0}};
      return to;
    case PixelFormat::kNv12:
    case PixelFormat::kYuyv:
      break;
  }
  return from_yuv(luma_of(spec.matrix, spec.range));
}

/// The border as the frame would hold it, not rounded.
Row border_values(const ColorSpec& spec) {
  Row rgb = spec.border;
  if (spec.order == ColorOrder::kGray) rgb = {rgb[0], rgb[0], rgb[0]};
  if (spec.order == ColorOrder::kBGR) std::swap(rgb[0], rgb[2]);
  if (spec.format == PixelFormat::kRgb) return rgb;
  if (spec.format == PixelFormat::kBgr) return {rgb[2], rgb[1], rgb[0]};
  const Luma luma = luma_of(spec.matrix, spec.range);
  const double y = luma.red * rgb[0] + (1 - luma.red - luma.blue) * rgb[1] + luma.blue * rgb[2];
  return {luma.y_zero + y * luma.y_span / 255,
          128 + (rgb[2] - y) / (2 * (1 - luma.blue)) * luma.uv_span / 255,
          128 + (rgb[0] - y) / (2 * (1 - luma.red)) * luma.uv_span / 255};
}

bool fits_float(double value) { return std::abs(value) <= double{std::numeric_limits<float>::max()}; }

}  // namespace

std::size_t row_bytes_of(PixelFormat format, int width) {
  const auto pixels = static_cast<std::size_t>(width);
  switch (format) {
    case PixelFormat::kNv12:
      return pixels;
    case PixelFormat::kYuyv:
      return 2 * pixels;
    case PixelFormat::kRgb:
    case PixelFormat::kBgr:
      break;
  }
  return 3 * pixels;
}

std::int64_t rows_of(PixelFormat format, int height) {
  return format == PixelFormat::kNv12 ? std::int64_t{height} + height / 2 : height;
}

Status check_frame(const FrameView& frame) {
  const auto wrong = [](const std::string& what) { return make_error(ErrorCode::kInvalidInput, what); };
  const bool nv12 = frame.format == PixelFormat::kNv12;
  if (frame.data == nullptr || (nv12 && frame.chroma == nullptr) || frame.height <= 0 || frame.width <= 0)
    return wrong("found a frame without pixels");
  if (frame.width % 2 != 0 && (nv12 || frame.format == PixelFormat::kYuyv)) {
    return wrong("found a frame " + std::to_string(frame.width) +
                 " pixels wide; NV12 and YUYV have an even width");
  }
  if (nv12 && frame.height % 2 != 0) {
    return wrong("found a frame " + std::to_string(frame.height) + " pixels high; NV12 has an even height");
  }
  const std::size_t needed = row_bytes_of(frame.format, frame.width);
  if (frame.row_bytes < needed || (nv12 && frame.chroma_row_bytes < needed)) {
    return wrong("found rows of " +
                 std::to_string(nv12 ? std::min(frame.row_bytes, frame.chroma_row_bytes) : frame.row_bytes) +
                 " bytes; " + std::to_string(frame.width) + " pixels need " + std::to_string(needed));
  }
  constexpr std::size_t kMaxPlane = std::numeric_limits<std::int32_t>::max();
  const std::size_t row_bytes = std::max(frame.row_bytes, nv12 ? frame.chroma_row_bytes : 0);
  if (row_bytes > kMaxPlane / static_cast<std::size_t>(frame.height))
    return wrong("found a frame of 2 GiB or more; expected less");
  return {};
}

Result<ColorTransform> make_color_transform(const ColorSpec& spec) {
  const bool gray = spec.order == ColorOrder::kGray;
  const std::size_t channels = gray ? 1 : 3;
  if (spec.mean.size() != channels || spec.std.size() != channels) {
    return make_error(ErrorCode::kInvalidInput, "found " + std::to_string(spec.mean.size()) +
                                                    " values of mean and " + std::to_string(spec.std.size()) +
                                                    " of std; expected " + std::to_string(channels) +
                                                    ", one a channel");
  }
  const ToRgb to = to_rgb(spec);
  ColorTransform made;
  made.channels = static_cast<int>(channels);
  made.floor = static_cast<float>(to.floor);
  const Row border = border_values(spec);
  for (std::size_t c = 0; c < channels; ++c) {
    // cv::COLOR_BGR2GRAY weighs with 0.299, 0.587, 0.114.
    Row mix{};
    if (gray) {
      mix = {0.299, 0.587, 0.114};
    } else {
      mix[spec.order == ColorOrder::kBGR ? 2 - c : c] = 1;
    }
    double offset = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      offset += mix[k] * to.offset[k];
      double value = 0;
      for (std::size_t from = 0; from < 3; ++from) value += mix[from] * to.rows[from][k];
      made.matrix[c][k] = static_cast<float>(value);
    }
    made.offset[c] = static_cast<float>(offset);
    const double gain = spec.scale / spec.std[c] / spec.unit;
    const double bias = -spec.mean[c] / spec.std[c] / spec.unit;
    if (!fits_float(gain) || !fits_float(bias) || !fits_float(255 * gain + bias)) {
      return make_error(ErrorCode::kInvalidInput,
                        "the normalisation gives numbers that float32 cannot hold: scale " +
                            std::to_string(spec.scale) + ", mean " + std::to_string(spec.mean[c]) + ", std " +
                            std::to_string(spec.std[c]));
    }
    made.gain[c] = static_cast<float>(gain);
    made.bias[c] = static_cast<float>(bias);
  }
  for (std::size_t k = 0; k < 3; ++k) {
    if (!(spec.border[k] >= 0 && spec.border[k] <= 255)) {
      return make_error(ErrorCode::kInvalidInput,
                        "found a border of " + std::to_string(spec.border[k]) + "; expected 0 to 255");
    }
    made.border[k] = static_cast<float>(border[k]);
  }
  return made;
}

}  // namespace tarmac::ops::camera
