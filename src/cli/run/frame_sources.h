// Folders of frames and videos, as sequences in time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "contract/preprocess.h"

namespace tarmac::cli {

/// Frames that follow each other: the frames of one folder, or a video.
struct FrameSource {
  std::filesystem::path root;                ///< what names of frames are relative to
  std::vector<std::filesystem::path> files;  ///< in order; one for a video
  bool is_video = false;
  std::int64_t frames = 0;  ///< as a video says of itself
  double fps = 0;           ///< 0: unknown

  [[nodiscard]] std::int64_t count() const {
    return is_video ? frames : static_cast<std::int64_t>(files.size());
  }
  /// "left/0001.png"; of a video its name with the frame's number.
  [[nodiscard]] std::string name_of(std::int64_t index) const;
};

/// A file stands for itself. A folder stands for the frames in it and below, each folder of them a sequence
/// of its own, or for its videos where it has no frames. Errors: kNotFound (nothing there; nothing to read),
/// kInvalidInput (a file that is neither, no video), kIo.
Result<std::vector<FrameSource>> find_frames(const std::filesystem::path& path,
                                             const Preprocessor& preprocessor);

/// Whether find_frames() would find a video.
bool holds_video(const std::filesystem::path& path);

/// Order of names in which "frame2" comes before "frame10".
bool natural_less(std::string_view a, std::string_view b);

}  // namespace tarmac::cli
