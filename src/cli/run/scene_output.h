// Where results of a 3-D detector's frames go.
#pragma once

#include <optional>
#include <string>

#include "cli/run/frame_output.h"
#include "report/picture_animation.h"
#include "report/picture_scene.h"

namespace tarmac::cli {

/// Below one folder: detections.jsonl, and of what is drawn NAME_000123.png for each frame, NAME.mp4 and
/// NAME_animation.png, in which views are `animation_height` pixels high.
class SceneOutput {
 public:
  struct Options {
    std::string folder;
    std::string name;
    double fps = 4;
    int animation_height = 128;
  };
  /// Makes the folder. Errors: kIo.
  static Result<SceneOutput> create(Options options);

  Status add_line(const Json& line) { return frames_.add_line(line); }
  /// Frames come in order. Errors: draw_scene_3d()'s, kIo, kInternal.
  Status add_picture(const Scene3d& scene, std::size_t index);
  /// Ends what is open. Also when the work was interrupted: what was written so far is whole.
  Status finish();

  /// "lines", "pictures", "videos", "animation".
  void add_to_json(Json& json) const;
  /// What was written, for people.
  [[nodiscard]] std::string written() const;

 private:
  SceneOutput(Options options, FrameOutput frames)
      : options_(std::move(options)), frames_(std::move(frames)) {}
  Status add_to_video(const PictureCanvas& picture);
  Status finish_video();
  Status finish_animation();

  Options options_;
  FrameOutput frames_;
  std::optional<VideoWriter> video_;
  bool has_no_video_ = false;
  std::vector<std::string> videos_;
  PictureAnimation animation_;
  std::string animation_path_;
  std::size_t left_out_ = 0;  ///< of the animation
};

}  // namespace tarmac::cli
