// Where results of frames go: a file of JSON lines, drawn pictures, videos.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/file.h"
#include "cli/output.h"
#include "cli/run/frame_sources.h"
#include "contract/video_writer.h"
#include "report/picture_canvas.h"

namespace tarmac::cli {

/// Everything lies below one folder: `lines` (one JSON object a frame), drawn frames under their own names as
/// .png where they were .png, else .jpg, drawn videos as NAME.mp4. Files appear whole or not at all.
class FrameOutput {
 public:
  /// Makes the folder. Errors: kIo; kUsage where frames would be written over what they were read from.
  static Result<FrameOutput> create(const std::filesystem::path& folder, const std::string& lines,
                                    const std::vector<FrameSource>& sources);

  Status add_line(const Json& line);
  /// A frame of `source`; those of a video come in order. Errors: kIo, kInternal.
  Status add_picture(const FrameSource& source, std::int64_t index, const PictureCanvas& picture);
  /// A picture of this name below the folder; its ending says the format. Errors: kIo, kInternal.
  Status add_picture(const std::filesystem::path& name, const PictureCanvas& picture);
  /// Ends what is open. Also when the work was interrupted: what was written so far is whole.
  Status finish();

  [[nodiscard]] const std::filesystem::path& lines_path() const { return lines_path_; }
  [[nodiscard]] const std::vector<std::string>& videos() const { return videos_; }
  [[nodiscard]] std::int64_t pictures() const { return pictures_; }

 private:
  FrameOutput(std::filesystem::path folder, std::filesystem::path lines_path, AtomicFile lines)
      : folder_(std::move(folder)), lines_path_(std::move(lines_path)), lines_(std::move(lines)) {}
  Status finish_video();
  Status begin_video(const FrameSource& source, const PictureView& first);
  /// Below the folder, with a number added where the name is taken.
  [[nodiscard]] std::filesystem::path place(std::filesystem::path name);

  std::filesystem::path folder_;
  std::filesystem::path lines_path_;
  AtomicFile lines_;
  std::set<std::filesystem::path> taken_;
  std::optional<VideoWriter> video_;
  std::filesystem::path video_source_;  ///< of video_, or for which there is none
  std::vector<std::string> videos_;
  std::int64_t pictures_ = 0;
};

}  // namespace tarmac::cli
