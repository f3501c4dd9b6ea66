// Frames, decoded and preprocessed ahead of the model.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "cli/run/frame_sources.h"
#include "contract/picture.h"
#include "contract/raw_frame.h"
#include "contract/video.h"
#include "tarmac/tensor.h"
#include "tarmac/tracer.h"

namespace tarmac::cli {

/// A frame ready for the model, or why there is none.
struct Frame {
  std::size_t source = 0;
  std::int64_t index = 0;
  std::optional<Error> error;
  ops::camera::FrameView view;        ///< the camera's pixels
  std::shared_ptr<const void> owner;  ///< keeps them
  Tensor input;
  std::int64_t preprocess_ns = 0;  ///< decoding is not counted
};

/// One thread reads; at most kAhead frames wait. Where three frames of a video in a row cannot be read, the
/// rest of it is given up.
class FrameReader {
 public:
  static constexpr std::size_t kAhead = 4;

  /// All are borrowed and outlive the reader; `tracer` may be null.
  FrameReader(const std::vector<FrameSource>& sources, const std::optional<RawFormat>& raw,
              const Preprocessor& preprocessor, Tracer* tracer);
  ~FrameReader();
  FrameReader(const FrameReader&) = delete;
  FrameReader& operator=(const FrameReader&) = delete;

  /// The next frame, in order; waits for it. Nothing after the last.
  std::optional<Frame> next();

 private:
  void read_all();
  [[nodiscard]] Frame read(std::size_t source, std::int64_t index);
  Status load(const FrameSource& source, Frame& frame);
  /// False once the reader is to stop.
  bool put(Frame frame);

  const std::vector<FrameSource>& sources_;
  const std::optional<RawFormat>& raw_;
  const Preprocessor& preprocessor_;
  Tracer* tracer_;
  VideoFrames video_{1};

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Frame> ready_;
  bool ended_ = false;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace tarmac::cli
