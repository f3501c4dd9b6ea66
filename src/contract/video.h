// Frames of video files, decoded one after another with OpenCV (FFmpeg), in memory that does not grow.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "base/sha256.h"
#include "contract/picture.h"

namespace tarmac {

/// Whether the name ends as a video's does: .mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg, in any case.
bool has_video_extension(const std::filesystem::path& path);

/// The file itself, or all videos below a folder in the order of their paths. Errors: kNotFound when there is
/// none.
Result<std::vector<std::filesystem::path>> list_videos(const std::filesystem::path& path);

struct VideoFacts {
  std::int64_t frames = 0;  ///< as the file says, or counted where it does not say
  double fps = 0;           ///< 0: it does not say
};

/// Frames as they are stored: a rotation that the file asks for is not applied. Thread-safe; made for frames
/// that are asked for in rising order, one file after another: going back begins the file anew.
class VideoFrames {
 public:
  /// Frames at multiples of `stride` are those that will be asked for.
  explicit VideoFrames(std::int64_t stride);
  ~VideoFrames();

  /// Errors: kInvalidInput (no video, too large pictures), kUnavailable without OpenCV's video library.
  Result<VideoFacts> facts(const std::filesystem::path& path);
  /// facts().frames.
  Result<std::int64_t> count(const std::filesystem::path& path);
  /// Frame `index` from 0. Errors: kInvalidInput where the file ends earlier or is damaged (says at which
  /// frame).
  Result<Picture> frame(const std::filesystem::path& path, std::int64_t index);
  /// SHA-256 of the file, which is read once.
  Result<Sha256Digest> digest(const std::filesystem::path& path);

 private:
  class Decoder;
  std::unique_ptr<Decoder> decoder_;
};

}  // namespace tarmac
