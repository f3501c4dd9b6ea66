#include "contract/video.h"

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <opencv2/core.hpp>

#include "contract/video_library.h"

namespace tarmac {
namespace {

namespace fs = std::filesystem;

// Threads that ask in turn overtake each other by less than this.
constexpr std::size_t kKept = 4;
constexpr std::int64_t kMostFrames = 10'000'000;

using Capture = std::shared_ptr<cv::VideoCapture>;

/// Exceptions of OpenCV and of a missing library do not leave this file.
template <typename Use>
auto guarded(const fs::path& path, const Use& use) -> decltype(use()) {
  try {
    return use();
  } catch (const std::bad_alloc&) {
    return make_error(ErrorCode::kResourceExhausted, "not enough memory to decode the video", {},
                      path.string());
  } catch (const cv::Exception& error) {
    return make_error(ErrorCode::kInvalidInput, std::string("the video cannot be decoded: ") + error.what(),
                      {}, path.string());
  } catch (const std::exception& error) {
    return make_error(ErrorCode::kUnavailable, error.what(), {}, path.string());
  }
}

Result<Capture> open_capture(const fs::path& path) {
  std::error_code failed;
  // A name that is no file could be an address or a pattern to the decoder.
  if (!fs::is_regular_file(path, failed))
    return make_error(ErrorCode::kNotFound, "there is no such file", {}, path.string());
  Capture capture = open_video_with_opencv(fs::absolute(path).string());
  if (!capture->isOpened()) {
    return make_error(ErrorCode::kInvalidInput,
                      "this is no video that FFmpeg reads, or its beginning is damaged", {}, path.string());
  }
  const double pixels = capture->get(cv::CAP_PROP_FRAME_WIDTH) * capture->get(cv::CAP_PROP_FRAME_HEIGHT);
  if (!(pixels >= 1) || pixels > static_cast<double>(kMaxPicturePixels))
    return make_error(ErrorCode::kInvalidInput, "its frames have no size, or too many pixels", {},
                      path.string());
  capture->set(cv::CAP_PROP_ORIENTATION_AUTO, 0);
  return capture;
}

}  // namespace

bool has_video_extension(const fs::path& path) {
  return has_extension(path, {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"});
}

Result<std::vector<fs::path>> list_videos(const fs::path& path) {
  std::error_code failed;
  if (!fs::is_directory(path, failed)) return std::vector<fs::path>{path};
  std::vector<fs::path> videos;
  for (fs::recursive_directory_iterator entry(path, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    std::error_code ignored;
    if (entry->is_regular_file(ignored) && has_video_extension(entry->path()))
      videos.push_back(entry->path());
  }
  if (failed)
    return make_error(ErrorCode::kIo, "cannot list the folder: " + failed.message(), {}, path.string());
  if (videos.empty()) {
    return make_error(ErrorCode::kNotFound,
                      "found no videos; expected .mp4, .m4v, .mov, .mkv, .webm, .avi, .mpg or .mpeg", {},
                      path.string());
  }
  std::sort(videos.begin(), videos.end());
  return videos;
}

class VideoFrames::Decoder {
 public:
  explicit Decoder(std::int64_t stride) : stride_(std::max<std::int64_t>(stride, 1)) {}

  Result<Sha256Digest> digest(const fs::path& path) {
    const std::lock_guard lock(mutex_);
    const auto found = digests_.find(path);
    if (found != digests_.end()) return found->second;
    TARMAC_TRY(const Sha256Digest made, sha256_file(path));
    digests_[path] = made;
    return made;
  }

  Result<Picture> frame(const fs::path& path, std::int64_t index) {
    const std::lock_guard lock(mutex_);
    if (path != path_) {
      path_ = path;
      capture_.reset();
      kept_.clear();
      end_ = kMostFrames;
    }
    for (const auto& [number, picture] : kept_) {
      if (number == index) return picture;
    }
    if (capture_ == nullptr || next_ > index) {
      if (index >= end_) return ends_early(index);
      TARMAC_TRY(capture_, open_capture(path));
      next_ = 0;
    }
    while (next_ <= index) {
      if (!capture_->grab()) {
        end_ = std::min(end_, next_);
        return ends_early(index);
      }
      const std::int64_t number = next_++;
      const bool near = number + static_cast<std::int64_t>(kKept) * stride_ > index;
      if (number == index) TARMAC_CHECK_OK(keep(number));
      // One passed over that another thread is about to ask for; it will see for itself if that fails.
      if (number < index && near && number % stride_ == 0) static_cast<void>(keep(number));
    }
    return kept_.back().second;
  }

 private:
  Status keep(std::int64_t number) {
    auto pixels = std::make_shared<cv::Mat>();
    if (!capture_->retrieve(*pixels) || pixels->type() != CV_8UC3) {
      return make_error(ErrorCode::kInvalidInput, "frame " + std::to_string(number) + " cannot be decoded",
                        {}, path_.string());
    }
    const PictureView view{pixels->data, pixels->rows, pixels->cols, pixels->step[0]};
    if (kept_.size() == kKept) kept_.pop_front();
    kept_.emplace_back(number, Picture{view, std::move(pixels)});
    return {};
  }

  [[nodiscard]] Error ends_early(std::int64_t index) const {
    return make_error(ErrorCode::kInvalidInput,
                      "frame " + std::to_string(index) +
                          " cannot be read: the video ends or is damaged after " + std::to_string(end_) +
                          " frames",
                      {}, path_.string());
  }

  std::mutex mutex_;
  std::map<fs::path, Sha256Digest> digests_;
  std::int64_t stride_;
  fs::path path_;
  Capture capture_;
  std::int64_t next_ = 0;  ///< the frame that grab() comes to
  std::int64_t end_ = kMostFrames;
  std::deque<std::pair<std::int64_t, Picture>> kept_;
};

VideoFrames::VideoFrames(std::int64_t stride) : decoder_(std::make_unique<Decoder>(stride)) {}
VideoFrames::~VideoFrames() = default;

Result<VideoFacts> VideoFrames::facts(const fs::path& path) {
  return guarded(path, [&]() -> Result<VideoFacts> {
    TARMAC_TRY(const Capture capture, open_capture(path));
    VideoFacts facts;
    const double fps = capture->get(cv::CAP_PROP_FPS);
    constexpr double kMostFps = 10'000;
    if (fps > 0 && fps <= kMostFps) facts.fps = fps;
    const double said = capture->get(cv::CAP_PROP_FRAME_COUNT);
    if (said >= 1 && said <= static_cast<double>(kMostFrames)) {
      facts.frames = static_cast<std::int64_t>(said);
    } else {
      while (facts.frames < kMostFrames && capture->grab()) ++facts.frames;
    }
    return facts;
  });
}

Result<std::int64_t> VideoFrames::count(const fs::path& path) {
  TARMAC_TRY(const VideoFacts found, facts(path));
  return found.frames;
}

Result<Sha256Digest> VideoFrames::digest(const fs::path& path) { return decoder_->digest(path); }

Result<Picture> VideoFrames::frame(const fs::path& path, std::int64_t index) {
  return guarded(path, [&] { return decoder_->frame(path, index); });
}

}  // namespace tarmac
