#include "cli/bench/session_work.h"

#include <chrono>

namespace tarmac::cli {

Result<std::unique_ptr<SessionWork>> SessionWork::make(Session session,
                                                       std::shared_ptr<const FrameSource> source,
                                                       std::shared_ptr<Tracer> tracer) {
  std::unique_ptr<SessionWork> work(
      new SessionWork(std::move(session), std::move(source), std::move(tracer)));
  TARMAC_CHECK_OK(work->take_frame());
  work->preprocess_ns_ = 0;
  return work;
}

Status SessionWork::take_frame() {
  const auto begin = std::chrono::steady_clock::now();
  if (source_->preprocesses()) {
    const Span span(tracer_.get(), "preprocess", next_ + 1);
    TARMAC_CHECK_OK(source_->preprocess(next_, inputs_));
    preprocess_ns_ = (std::chrono::steady_clock::now() - begin).count();
  }
  source_->take_ready(next_, inputs_);
  ++next_;
  for (const auto& [name, tensor] : inputs_) TARMAC_CHECK_OK(session_.set_input(name, tensor));
  return {};
}

Status SessionWork::run() {
  if (!source_->preprocesses() && source_->frames() == 1) return session_.run();
  TARMAC_CHECK_OK(take_frame());
  TARMAC_CHECK_OK(session_.run());
  for (const TensorSpec& output : session_.outputs()) {
    TARMAC_TRY(const Tensor fetched, session_.output(output.name));
  }
  return {};
}

}  // namespace tarmac::cli
