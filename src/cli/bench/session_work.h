// One run of a session as what is timed: with bound inputs, or from a picture's file to the outputs.
#pragma once

#include <memory>

#include "cli/bench/frame_source.h"
#include "runtime/work.h"
#include "tarmac/session.h"
#include "tarmac/tracer.h"

namespace tarmac::cli {

/// With one frame whose values are ready, run() is Session::run() alone. Otherwise it takes the next frame:
/// pictures are preprocessed (preprocess_ns()), inputs bound, the session run, all outputs fetched.
class SessionWork final : public Work {
 public:
  /// Binds the first frame. The session records its runs itself; `tracer` (or null) gets the preprocessing.
  /// Errors: those of preprocessing and set_input().
  static Result<std::unique_ptr<SessionWork>> make(Session session, std::shared_ptr<const FrameSource> source,
                                                   std::shared_ptr<Tracer> tracer);

  Status run() override;
  [[nodiscard]] std::int64_t preprocess_ns() const override { return preprocess_ns_; }

  [[nodiscard]] Session& session() { return session_; }
  /// What is bound now.
  [[nodiscard]] const NamedTensors& inputs() const { return inputs_; }

 private:
  SessionWork(Session session, std::shared_ptr<const FrameSource> source, std::shared_ptr<Tracer> tracer)
      : session_(std::move(session)), source_(std::move(source)), tracer_(std::move(tracer)) {}
  Status take_frame();

  Session session_;
  std::shared_ptr<const FrameSource> source_;
  std::shared_ptr<Tracer> tracer_;
  NamedTensors inputs_;
  std::size_t next_ = 0;
  std::int64_t preprocess_ns_ = 0;
};

}  // namespace tarmac::cli
