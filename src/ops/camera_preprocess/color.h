// From what a camera's pixels hold to what a model wants: colours, normalisation, layout.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tarmac/camera.h"
#include "tarmac/result.h"

namespace tarmac::ops::camera {

using FrameView = CameraFrame;

/// Bytes that a row of `width` pixels needs at least, in the first plane.
std::size_t row_bytes_of(PixelFormat format, int width);

/// Rows of a frame in one block of memory: the height, for NV12 the chroma's rows as well.
std::int64_t rows_of(PixelFormat format, int height);

/// kInvalidInput unless there are pixels, rows hold the width, NV12 and YUYV have the even sizes they need,
/// and a plane is below 2 GiB.
Status check_frame(const FrameView& frame);

struct ColorSpec {
  PixelFormat format = PixelFormat::kBgr;
  YuvMatrix matrix = YuvMatrix::kBt601;
  YuvRange range = YuvRange::kLimited;
  ColorOrder order = ColorOrder::kRGB;  ///< Of the result.
  std::array<double, 3> border{};       ///< Colour outside the camera's picture, in `order`, 0 to 255.
  /// (x * scale - mean[c]) / std[c] / unit; one mean and std for each channel of `order`.
  double scale = 1;
  std::vector<double> mean = {0, 0, 0};
  std::vector<double> std = {1, 1, 1};
  double unit = 1;  ///< What 1 of an integer result stands for.
};

/// For interpolated values v of a pixel (Y U V, or the frame's own channels), with v[0] at least `floor`:
/// color[c] = clamp(sum over k of matrix[c][k] v[k] + offset[c], 0, 255), result[c] = color[c] gain[c] +
/// bias[c].
struct ColorTransform {
  int channels = 3;
  float floor = 0;
  std::array<std::array<float, 3>, 3> matrix{};
  std::array<float, 3> offset{};
  std::array<float, 3> gain{};
  std::array<float, 3> bias{};
  std::array<float, 3> border{};  ///< As v.
};

/// Errors: kInvalidInput for numbers that are not finite or a gain that float32 cannot hold, std of 0, means
/// of another number than channels.
Result<ColorTransform> make_color_transform(const ColorSpec& spec);

}  // namespace tarmac::ops::camera
