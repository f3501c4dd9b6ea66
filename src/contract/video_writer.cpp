#include "contract/video_writer.h"

#include <opencv2/core.hpp>

#include "contract/video.h"
#include "contract/video_library.h"

namespace tarmac {
namespace {

namespace fs = std::filesystem;

/// Exceptions of OpenCV and of a missing library do not leave this file.
template <typename Use>
Status guarded(const fs::path& path, const Use& use) {
  try {
    return use();
  } catch (const std::bad_alloc&) {
    return make_error(ErrorCode::kResourceExhausted, "not enough memory to encode the video", {},
                      path.string());
  } catch (const cv::Exception& error) {
    return make_error(ErrorCode::kIo, std::string("the video cannot be written: ") + error.what(), {},
                      path.string());
  } catch (const std::exception& error) {
    return make_error(ErrorCode::kUnavailable, error.what(), {}, path.string());
  }
}

/// cv::VideoWriter::fourcc(), which lies in the library that is loaded late.
int four_cc(const char* name) { return name[0] | name[1] << 8 | name[2] << 16 | name[3] << 24; }

}  // namespace

struct VideoWriter::State {
  fs::path path;
  fs::path temporary;
  std::shared_ptr<cv::VideoWriter> writer;
  int height = 0;
  int width = 0;
  std::int64_t frames = 0;

  ~State() {
    if (temporary.empty()) return;
    if (writer != nullptr) static_cast<void>(guarded(path, [&] { return (writer->release(), Status()); }));
    std::error_code ignored;
    fs::remove(temporary, ignored);
  }
};

VideoWriter::VideoWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
VideoWriter::VideoWriter(VideoWriter&&) noexcept = default;
VideoWriter& VideoWriter::operator=(VideoWriter&&) noexcept = default;
VideoWriter::~VideoWriter() = default;

const fs::path& VideoWriter::path() const { return state_->path; }

Result<VideoWriter> VideoWriter::create(const fs::path& path, double fps, int height, int width) {
  auto state = std::make_unique<State>();
  state->path = path;
  // Its extension tells FFmpeg the container.
  state->temporary = path;
  state->temporary.replace_filename("." + path.stem().string() + ".partial" + path.extension().string());
  state->height = height;
  state->width = width;
  TARMAC_CHECK_OK(guarded(path, [&]() -> Status {
    for (const char* codec : {"avc1", "mp4v"}) {
      state->writer = open_video_writer_with_opencv(fs::absolute(state->temporary).string(), four_cc(codec),
                                                    fps, cv::Size(width, height));
      if (state->writer->isOpened()) return {};
    }
    return make_error(ErrorCode::kUnavailable, "FFmpeg cannot write a video of this form here", {},
                      path.string());
  }));
  return VideoWriter(std::move(state));
}

Status VideoWriter::write(const PictureView& frame) {
  if (frame.height != state_->height || frame.width != state_->width) {
    return make_error(ErrorCode::kInvalidInput,
                      "found a frame of " + std::to_string(frame.height) + " x " +
                          std::to_string(frame.width) + " in a video of " + std::to_string(state_->height) +
                          " x " + std::to_string(state_->width),
                      {}, state_->path.string());
  }
  return guarded(state_->path, [&]() -> Status {
    // The encoder takes a matrix that it could write to, and does not.
    state_->writer->write(
        cv::Mat(frame.height, frame.width, CV_8UC3, const_cast<std::uint8_t*>(frame.data), frame.row_bytes));
    ++state_->frames;
    return {};
  });
}

Status VideoWriter::finish() {
  TARMAC_CHECK_OK(guarded(state_->path, [&] { return (state_->writer->release(), Status()); }));
  const auto written = VideoFrames(1).count(state_->temporary);
  if (!written || *written < state_->frames) {
    return make_error(ErrorCode::kIo,
                      "the video holds " + std::to_string(written ? *written : 0) + " of " +
                          std::to_string(state_->frames) + " frames; is the disk full?",
                      {}, state_->path.string());
  }
  std::error_code failed;
  fs::rename(state_->temporary, state_->path, failed);
  if (failed)
    return make_error(ErrorCode::kIo, "cannot rename: " + failed.message(), {}, state_->path.string());
  state_->temporary.clear();
  return {};
}

}  // namespace tarmac
