// Pixels whose neighbours may lie outside the picture, one by one.
#include "ops/camera_preprocess/fused_rows.h"

namespace tarmac::ops::camera {
namespace {

using Values = std::array<float, 3>;

template <PixelFormat kFormat>
Values pixel(const FrameView& frame, int x, int y) {
  const auto column = static_cast<std::size_t>(x);
  const std::uint8_t* row = frame.data + static_cast<std::size_t>(y) * frame.row_bytes;
  if constexpr (kFormat == PixelFormat::kNv12) {
    const std::uint8_t* chroma =
        frame.chroma + static_cast<std::size_t>(y / 2) * frame.chroma_row_bytes + column / 2 * 2;
    return {float(row[column]), float(chroma[0]), float(chroma[1])};
  } else if constexpr (kFormat == PixelFormat::kYuyv) {
    const std::uint8_t* pair = row + column / 2 * 4;
    return {float(row[2 * column]), float(pair[1]), float(pair[3])};
  } else {
    return {float(row[3 * column]), float(row[3 * column + 1]), float(row[3 * column + 2])};
  }
}

template <PixelFormat kFormat>
Values neighbour(const FrameView& frame, const Values& border, int x, int y) {
  if (x < 0 || x >= frame.width || y < 0 || y >= frame.height) return border;
  return pixel<kFormat>(frame, x, y);
}

template <PixelFormat kFormat>
void sample(const FrameView& frame, const Values& border, const std::int32_t* x, const std::int32_t* ys,
            std::int32_t y, float (&values)[3][CameraMap::kBlock]) {
  constexpr std::int32_t kMask = (1 << CameraMap::kFractionBits) - 1;
  constexpr float kUnit = 1.0F / (1 << CameraMap::kFractionBits);
  for (int i = 0; i < CameraMap::kBlock; ++i) {
    const std::int32_t place_y = ys != nullptr ? ys[i] : y;
    const int x0 = x[i] >> CameraMap::kFractionBits;
    const int y0 = place_y >> CameraMap::kFractionBits;
    const float fx = float(x[i] & kMask) * kUnit;
    const float fy = float(place_y & kMask) * kUnit;
    const Values corners[4] = {
        neighbour<kFormat>(frame, border, x0, y0), neighbour<kFormat>(frame, border, x0 + 1, y0),
        neighbour<kFormat>(frame, border, x0, y0 + 1), neighbour<kFormat>(frame, border, x0 + 1, y0 + 1)};
    for (std::size_t c = 0; c < 3; ++c) {
      const float top = corners[0][c] + fx * (corners[1][c] - corners[0][c]);
      const float bottom = corners[2][c] + fx * (corners[3][c] - corners[2][c]);
      values[c][i] = top + fy * (bottom - top);
    }
  }
}

}  // namespace

void sample_mixed(const FrameView& frame, const ColorTransform& color, const std::int32_t* x,
                  const std::int32_t* ys, std::int32_t y, float (&values)[3][CameraMap::kBlock]) {
  switch (frame.format) {
    case PixelFormat::kNv12:
      return sample<PixelFormat::kNv12>(frame, color.border, x, ys, y, values);
    case PixelFormat::kYuyv:
      return sample<PixelFormat::kYuyv>(frame, color.border, x, ys, y, values);
    case PixelFormat::kRgb:
    case PixelFormat::kBgr:
      return sample<PixelFormat::kBgr>(frame, color.border, x, ys, y, values);
  }
}

}  // namespace tarmac::ops::camera
