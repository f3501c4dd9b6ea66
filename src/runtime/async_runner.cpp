#include "runtime/async_runner.h"

#include <system_error>

#include "base/edge.h"

namespace tarmac {

Error run_under_way() {
  return make_error(ErrorCode::kUsage,
                    "a run of this session is under way; wait for it, or use another context");
}

void RunEnd::tell(Status status) {
  if (promise_) {
    promise_->set_value(std::move(status));
  } else if (done_) {
    done_(std::move(status));
  }
}

AsyncRunner::~AsyncRunner() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  context_.stop();
  thread_.join();
}

Status AsyncRunner::start() {
  if (thread_.joinable()) return {};
  try {
    thread_ = std::thread([this] { loop(); });
    return {};
  } catch (const std::system_error&) {
    return make_error(ErrorCode::kResourceExhausted, "no thread left");
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  }
}

Status AsyncRunner::begin(RunEnd& end, const RunOptions& options) {
  {
    const std::lock_guard lock(mutex_);
    if (dropping_) return make_error(ErrorCode::kCancelled, "session closes");
    if (busy_) return run_under_way();
    TARMAC_CHECK_OK(start());
    busy_ = true;
    next_.emplace(Work{std::move(end), options});
  }
  wake_.notify_one();
  return {};
}

void AsyncRunner::loop() noexcept {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return next_.has_value() || stopping_; });
    if (!next_) return;
    dropping_ = stopping_;
    work_ = *std::move(next_);
    next_.reset();
    lock.unlock();
    end_run();
    lock.lock();
  }
}

void AsyncRunner::end_run() {
  Status status = dropping_ ? Status(make_error(ErrorCode::kCancelled, "session closes"))
                            : at_edge([&] { return context_.run(work_.options); });
  RunEnd end = std::move(work_.end);
  busy_ = false;  // the end may begin the next
  end.tell(std::move(status));
}

}  // namespace tarmac
