// Pictures into a video file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "contract/picture.h"

namespace tarmac {

/// Writes to a temporary name beside the file, which finish() renames. Destroyed before that, it leaves
/// nothing.
class VideoWriter {
 public:
  /// An .mp4 with H.264, or MPEG-4 part 2 where FFmpeg has no H.264 encoder. Errors: kUnavailable (OpenCV's
  /// video library, an encoder), kIo.
  static Result<VideoWriter> create(const std::filesystem::path& path, double fps, int height, int width);

  VideoWriter(VideoWriter&&) noexcept;
  VideoWriter& operator=(VideoWriter&&) noexcept;
  ~VideoWriter();

  /// Errors: kInvalidInput (another size than the first frame's), kIo.
  Status write(const PictureView& frame);
  /// Errors: kIo where the file does not hold all frames: the encoder keeps a full disk to itself.
  Status finish();
  [[nodiscard]] const std::filesystem::path& path() const;

 private:
  struct State;
  explicit VideoWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tarmac
