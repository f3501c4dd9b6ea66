#include "cli/run/frame_reader.h"

#include <chrono>

namespace tarmac::cli {
namespace {

constexpr int kGiveUpAfter = 3;

ops::camera::FrameView frame_of(const PictureView& picture) {
  return {PixelFormat::kBgr, picture.height, picture.width, picture.data, picture.row_bytes};
}

}  // namespace

FrameReader::FrameReader(const std::vector<FrameSource>& sources, const std::optional<RawFormat>& raw,
                         const Preprocessor& preprocessor, Tracer* tracer)
    : sources_(sources), raw_(raw), preprocessor_(preprocessor), tracer_(tracer) {
  thread_ = std::thread([this] { read_all(); });
}

FrameReader::~FrameReader() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::optional<Frame> FrameReader::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !ready_.empty() || ended_; });
  if (ready_.empty()) return std::nullopt;
  Frame frame = std::move(ready_.front());
  ready_.pop_front();
  lock.unlock();
  changed_.notify_all();
  return frame;
}

bool FrameReader::put(Frame frame) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return ready_.size() < kAhead || stop_; });
  if (stop_) return false;
  ready_.push_back(std::move(frame));
  lock.unlock();
  changed_.notify_all();
  return true;
}

void FrameReader::read_all() {
  const auto read_source = [&](std::size_t source) {
    int lost = 0;
    for (std::int64_t index = 0; index < sources_[source].count(); ++index) {
      Frame frame = read(source, index);
      lost = frame.error ? lost + 1 : 0;
      if (!put(std::move(frame))) return false;
      if (sources_[source].is_video && lost == kGiveUpAfter) break;
    }
    return true;
  };
  for (std::size_t source = 0; source < sources_.size(); ++source) {
    if (!read_source(source)) break;
  }
  const std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

Frame FrameReader::read(std::size_t source, std::int64_t index) {
  Frame frame;
  frame.source = source;
  frame.index = index;
  // This is a thread's top: nothing else would catch what is thrown for want of memory.
  try {
    if (auto loaded = load(sources_[source], frame); !loaded) frame.error = std::move(loaded).error();
  } catch (const std::exception& exception) {
    frame.error = make_error(ErrorCode::kResourceExhausted,
                             std::string("not enough memory for the frame: ") + exception.what());
  }
  return frame;
}

Status FrameReader::load(const FrameSource& source, Frame& frame) {
  {
    const Span span(tracer_, "decode", static_cast<std::uint64_t>(frame.index));
    if (source.is_video) {
      TARMAC_TRY(Picture picture, video_.frame(source.files.front(), frame.index));
      frame.view = frame_of(picture.view);
      frame.owner = std::move(picture.owner);
    } else if (const auto& file = source.files[static_cast<std::size_t>(frame.index)]; raw_) {
      TARMAC_TRY(RawFrame read, read_raw_frame(*raw_, file));
      frame.view = read.view;
      frame.owner = std::move(read.owner);
    } else {
      TARMAC_TRY(Picture picture, read_picture(file));
      frame.view = frame_of(picture.view);
      frame.owner = std::move(picture.owner);
    }
  }
  const Span span(tracer_, "preprocess", static_cast<std::uint64_t>(frame.index));
  const auto begin = std::chrono::steady_clock::now();
  auto input = preprocessor_.run(frame.view);
  if (!input) {
    const auto& file = source.files[source.is_video ? 0 : static_cast<std::size_t>(frame.index)];
    input.error().context = file.string();
    return std::move(input).error();
  }
  frame.input = *std::move(input);
  frame.preprocess_ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - begin).count();
  return {};
}

}  // namespace tarmac::cli
