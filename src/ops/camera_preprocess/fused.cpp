#include "ops/camera_preprocess/fused.h"

#include <algorithm>
#include <string>

#include "ops/camera_preprocess/fused_rows.h"
#include "ops/kernel.h"

namespace tarmac::ops::camera {
namespace {

constexpr std::int64_t kRowsAtOnce = 8;  // some twenty microseconds of work

std::size_t bytes_of(DType dtype) { return static_cast<std::size_t>(bit_width(dtype)) / 8; }

/// Scratch memory of a thread: one row as float32, and once more as the result's elements.
struct RowMemory {
  float* values = nullptr;
  std::byte* rounded = nullptr;
};

RowMemory row_memory(int width) {
  const std::size_t bytes = 3 * sizeof(float) * static_cast<std::size_t>(width);
  std::byte* memory = scratch(2 * bytes);
  return {reinterpret_cast<float*>(memory), memory + bytes};
}

class Pass {
 public:
  Pass(std::span<const FrameView> frames, std::span<const CameraMap> maps, const ColorTransform& color,
       const FusedOutput& output)
      : frames_(frames), maps_(maps), color_(color), output_(output) {}

  void row(std::size_t camera, int y) const {
    const CameraMap& map = maps_.size() == 1 ? maps_.front() : maps_[camera];
    RowJob job{&frames_[camera], &color_, map.x(y), map.ys(y), map.y(y), map.kinds(y), map.width(), {}};
    std::byte* const to = output_.data + bytes_of(output_.dtype) * offset(camera, y);
    const bool direct =
        output_.dtype == DType::kFloat32 && (output_.layout == Layout::kNCHW || color_.channels == 1);
    if (direct) {
      for (int c = 0; c < 3; ++c)
        job.to[c] = reinterpret_cast<float*>(to) + std::min(c, color_.channels - 1) * output_.plane_stride;
      sample_row(job);
      return;
    }
    const RowMemory memory = row_memory(map.width());
    StoreJob store{output_.dtype, output_.layout, color_.channels, map.width(), output_.zero_point, {}, {},
                   memory.rounded};
    for (int c = 0; c < 3; ++c) {
      store.from[c] = job.to[c] = memory.values + std::ptrdiff_t{c} * map.width();
      store.planes[c] =
          to + (output_.layout == Layout::kNCHW
                    ? bytes_of(output_.dtype) * static_cast<std::size_t>(c * output_.plane_stride)
                    : 0);
    }
    sample_row(job);
    store_row(store);
  }

 private:
  [[nodiscard]] std::size_t offset(std::size_t camera, int y) const {
    return camera * static_cast<std::size_t>(output_.frame_stride) +
           static_cast<std::size_t>(y) * static_cast<std::size_t>(output_.row_stride);
  }

  std::span<const FrameView> frames_;
  std::span<const CameraMap> maps_;
  const ColorTransform& color_;
  const FusedOutput& output_;
};

Status check(std::span<const FrameView> frames, std::span<const CameraMap> maps) {
  if (maps.size() != 1 && maps.size() != frames.size()) {
    return make_error(ErrorCode::kInvalidInput, "found " + std::to_string(maps.size()) + " maps for " +
                                                    std::to_string(frames.size()) +
                                                    " frames; expected one, or one a frame");
  }
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const FrameView& frame = frames[i];
    const CameraMap& map = maps.size() == 1 ? maps.front() : maps[i];
    TARMAC_CHECK_OK(check_frame(frame));
    if (frame.height != map.source_height() || frame.width != map.source_width() ||
        map.height() != maps.front().height() || map.width() != maps.front().width()) {
      return make_error(ErrorCode::kInvalidInput,
                        "found a frame " + std::to_string(frame.height) + " high and " +
                            std::to_string(frame.width) + " wide; its map is for " +
                            std::to_string(map.source_height()) + " x " + std::to_string(map.source_width()));
    }
  }
  return {};
}

}  // namespace

FusedOutput FusedOutput::dense(DType dtype, Layout layout, std::byte* data, int channels, int height,
                               int width) {
  const std::int64_t plane = std::int64_t{height} * width;
  const bool nchw = layout == Layout::kNCHW;
  return {dtype, layout,
          data,  channels * plane,
          plane, nchw ? std::int64_t{width} : std::int64_t{width} * channels,
          0};
}

Status fuse_frames(std::span<const FrameView> frames, std::span<const CameraMap> maps,
                   const ColorTransform& color, const FusedOutput& output, Parallel& parallel) {
  TARMAC_CHECK_OK(check(frames, maps));
  if (frames.empty()) return {};
  const Pass pass(frames, maps, color, output);
  const std::int64_t height = maps.front().height();
  parallel.for_ranges(static_cast<std::int64_t>(frames.size()) * height, kRowsAtOnce,
                      [&](std::int64_t begin, std::int64_t end) {
                        for (std::int64_t row = begin; row < end; ++row)
                          pass.row(static_cast<std::size_t>(row / height), static_cast<int>(row % height));
                      });
  return {};
}

}  // namespace tarmac::ops::camera
