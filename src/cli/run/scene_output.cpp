#include "cli/run/scene_output.h"

#include <fmt/format.h>

#include <cmath>

#include "base/log.h"

namespace tarmac::cli {

namespace fs = std::filesystem;

Result<SceneOutput> SceneOutput::create(Options options) {
  TARMAC_TRY(FrameOutput frames, FrameOutput::create(options.folder, "detections.jsonl", {}));
  return SceneOutput(std::move(options), std::move(frames));
}

Status SceneOutput::add_picture(const Scene3d& scene, std::size_t index) {
  TARMAC_TRY(const PictureCanvas picture, draw_scene_3d(scene));
  TARMAC_CHECK_OK(frames_.add_picture(fmt::format("{}_{:06}.png", options_.name, index), picture));
  TARMAC_CHECK_OK(add_to_video(picture));
  TARMAC_TRY(const PictureCanvas small, draw_scene_3d(scene, options_.animation_height));
  if (animation_.has_room_for(small.view())) return animation_.add(small.view());
  ++left_out_;
  return {};
}

Status SceneOutput::add_to_video(const PictureCanvas& picture) {
  const PictureView view = picture.view();
  if (!video_ && !has_no_video_) {
    auto writer = VideoWriter::create(fs::path(options_.folder) / (options_.name + ".mp4"), options_.fps,
                                      view.height, view.width);
    if (writer) {
      video_.emplace(*std::move(writer));
    } else if (writer.error().code == ErrorCode::kUnavailable) {
      log(LogLevel::kWarning,
          writer.error().str() + "; there will be no video, but pictures and an animation");
      has_no_video_ = true;
    } else {
      return std::move(writer).error();
    }
  }
  return video_ ? video_->write(view) : Status();
}

Status SceneOutput::finish_video() {
  if (!video_) return {};
  const Status finished = video_->finish();
  if (finished) videos_.push_back(video_->path().string());
  video_.reset();
  return finished;
}

Status SceneOutput::finish_animation() {
  if (animation_.frames() == 0) return {};
  if (left_out_ > 0) {
    log(LogLevel::kWarning, fmt::format("the animation holds the first {} frames only; {} more did not fit",
                                        animation_.frames(), left_out_));
  }
  TARMAC_TRY(const auto bytes, animation_.encode(static_cast<int>(std::lround(1000 / options_.fps))));
  const fs::path path = fs::path(options_.folder) / (options_.name + "_animation.png");
  TARMAC_TRY(AtomicFile file, AtomicFile::create(path));
  TARMAC_CHECK_OK(file.write(bytes));
  TARMAC_CHECK_OK(file.commit());
  animation_path_ = path.string();
  return {};
}

Status SceneOutput::finish() {
  Status status = frames_.finish();
  for (const auto step : {&SceneOutput::finish_video, &SceneOutput::finish_animation}) {
    if (auto finished = (this->*step)(); status && !finished) status = std::move(finished);
  }
  return status;
}

void SceneOutput::add_to_json(Json& json) const {
  json["lines"] = frames_.lines_path().string();
  json["pictures"] = frames_.pictures();
  json["videos"] = videos_;
  json["animation"] = animation_path_.empty() ? Json() : Json(animation_path_);
}

std::string SceneOutput::written() const {
  std::string text = frames_.lines_path().string();
  if (frames_.pictures() > 0) text += fmt::format(", {} pictures in {}", frames_.pictures(), options_.folder);
  for (const std::string& file : videos_) text += ", " + file;
  if (!animation_path_.empty()) text += ", " + animation_path_;
  return text;
}

}  // namespace tarmac::cli
