// Files that hold one frame of a camera, as it lay in memory.
#pragma once

#include <filesystem>
#include <memory>

#include "ops/camera_preprocess/color.h"
#include "tarmac/contract.h"

namespace tarmac {

/// A frame and what keeps its bytes alive.
struct RawFrame {
  ops::camera::FrameView view;
  std::shared_ptr<const void> owner;
};

/// The frame that `bytes` hold, borrowed. kInvalidInput unless they are exactly as many as the format has:
/// row_bytes for each row, for NV12 with half as many rows of U V after those of Y.
Result<ops::camera::FrameView> view_raw_frame(const RawFormat& format, std::span<const std::byte> bytes);

/// view_raw_frame() of a file; errors carry its path as context, also kNotFound and kIo.
Result<RawFrame> read_raw_frame(const RawFormat& format, const std::filesystem::path& path);

/// Whether the name ends as a frame's does: .nv12 .yuyv .yuv .raw, in any case.
bool has_frame_extension(const std::filesystem::path& path);

}  // namespace tarmac
