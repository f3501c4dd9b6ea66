// One pass from camera frames to a model's input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "ops/camera_preprocess/camera_map.h"
#include "ops/camera_preprocess/color.h"
#include "ops/parallel.h"
#include "tarmac/tensor.h"

namespace tarmac::ops::camera {

/// Where results go. Element (camera n, channel c, row y, column x) is at n * frame_stride + y * row_stride
/// and then, NCHW, + c * plane_stride + x, or, NHWC, + x * channels + c; all in elements.
struct FusedOutput {
  DType dtype = DType::kFloat32;  ///< float32, float16, int8, uint8
  Layout layout = Layout::kNCHW;
  std::byte* data = nullptr;  ///< Aligned for the dtype.
  std::int64_t frame_stride = 0;
  std::int64_t plane_stride = 0;
  std::int64_t row_stride = 0;
  int zero_point = 0;  ///< Added to an integer result after rounding half to even; then it saturates.

  /// Dense, for `channels` of height × width.
  static FusedOutput dense(DType dtype, Layout layout, std::byte* data, int channels, int height, int width);
};

/// For every pixel of the map: the frame's values interpolated bilinearly at its position (a U V pair counts
/// for each of its 2 × 2 or 2 × 1 pixels, as in OpenCV's conversions; neighbours outside the picture have the
/// border's colour), then the color transform. Values are float32 throughout and rounded once, to the dtype.
/// `maps` has one entry, or one for each frame. Allocates nothing once scratch memory is warm. Errors
/// (kInvalidInput, before anything is written): check_frame(), frames of another size than their map's.
Status fuse_frames(std::span<const FrameView> frames, std::span<const CameraMap> maps,
                   const ColorTransform& color, const FusedOutput& output, Parallel& parallel);

}  // namespace tarmac::ops::camera
