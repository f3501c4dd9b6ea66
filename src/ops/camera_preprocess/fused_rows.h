// The inner loops of fuse_frames(): one row at a time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ops/camera_preprocess/camera_map.h"
#include "ops/camera_preprocess/color.h"
#include "tarmac/tensor.h"

namespace tarmac::ops::camera {

/// A row of the map and where its results go, one plane of `width` float32 for each channel.
struct RowJob {
  const FrameView* frame = nullptr;
  const ColorTransform* color = nullptr;
  const std::int32_t* x = nullptr;
  const std::int32_t* ys = nullptr;  ///< Null: all have `y`.
  std::int32_t y = 0;
  const BlockKind* kinds = nullptr;
  int width = 0;
  float* to[3] = {};
};

/// The row's results, float32. Vectorised.
void sample_row(const RowJob& job);

/// CameraMap::kBlock values of each of the frame's three channels, neighbours outside the picture being
/// color.border.
void sample_mixed(const FrameView& frame, const ColorTransform& color, const std::int32_t* x,
                  const std::int32_t* ys, std::int32_t y, float (&values)[3][CameraMap::kBlock]);

/// A row of float32 planes as the output wants it. `planes`: where the results go, one place a channel for
/// NCHW, the first one alone for NHWC. `rounded`: scratch memory for 3 × width elements; used by NHWC.
struct StoreJob {
  DType dtype = DType::kFloat32;
  Layout layout = Layout::kNCHW;
  int channels = 0;
  int width = 0;
  int zero_point = 0;
  const float* from[3] = {};
  std::byte* planes[3] = {};
  std::byte* rounded = nullptr;
};
void store_row(const StoreJob& job);

}  // namespace tarmac::ops::camera
