#include "runtime/deadline_watch.h"

#include <algorithm>
#include <system_error>

#include "base/edge.h"

namespace tarmac {
namespace {

// The first repetition comes soon, for a run that had not reached the engine; an engine that cannot be
// cancelled is not asked a thousand times a second.
constexpr std::chrono::nanoseconds kFirstInterval = std::chrono::milliseconds(1);
constexpr std::chrono::nanoseconds kLastInterval = std::chrono::milliseconds(100);

}  // namespace

Result<std::shared_ptr<DeadlineWatch>> DeadlineWatch::shared() {
  static std::mutex mutex;
  static std::weak_ptr<DeadlineWatch> current;
  const std::lock_guard lock(mutex);
  if (auto watch = current.lock()) return watch;
  return at_edge([&]() -> Result<std::shared_ptr<DeadlineWatch>> {
    std::shared_ptr<DeadlineWatch> watch(new DeadlineWatch);
    current = watch;
    return watch;
  });
}

DeadlineWatch::~DeadlineWatch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

Status DeadlineWatch::start() {
  return at_edge([&]() -> Status {
    try {
      thread_ = std::thread([this] { watch(); });
      return {};
    } catch (const std::system_error& error) {
      return make_error(ErrorCode::kResourceExhausted,
                        std::string("no thread to watch deadlines: ") + error.what());
    }
  });
}

void DeadlineWatch::watch() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (first_ == nullptr) {
      wakes_at_ = Clock::time_point::max();
      wake_.wait(lock);
      continue;
    }
    DeadlineTimer& timer = *first_;
    if (Clock::now() < timer.due_) {
      wakes_at_ = timer.due_;
      wake_.wait_until(lock, wakes_at_);
      continue;
    }
    remove(timer);
    timer.passed_ = true;
    timer.cancelling_ = true;
    lock.unlock();
    timer.context_.cancel();
    lock.lock();
    timer.cancelling_ = false;
    if (timer.armed_) {
      timer.interval_ = std::clamp(2 * timer.interval_, kFirstInterval, kLastInterval);
      timer.due_ = Clock::now() + timer.interval_;
      insert(timer);
    } else {
      cancelled_.notify_all();
    }
  }
}

/// Deadlines mostly grow, so the place is near the end.
void DeadlineWatch::insert(DeadlineTimer& timer) {
  DeadlineTimer* before = last_;
  while (before != nullptr && before->due_ > timer.due_) before = before->previous_;
  timer.previous_ = before;
  timer.next_ = before != nullptr ? before->next_ : first_;
  (before != nullptr ? before->next_ : first_) = &timer;
  (timer.next_ != nullptr ? timer.next_->previous_ : last_) = &timer;
}

void DeadlineWatch::remove(DeadlineTimer& timer) {
  (timer.previous_ != nullptr ? timer.previous_->next_ : first_) = timer.next_;
  (timer.next_ != nullptr ? timer.next_->previous_ : last_) = timer.previous_;
}

DeadlineTimer::DeadlineTimer(std::shared_ptr<DeadlineWatch> watch, Context& context)
    : watch_(std::move(watch)), context_(context) {}

DeadlineTimer::~DeadlineTimer() { disarm(); }

Status DeadlineTimer::arm(DeadlineWatch::Clock::time_point deadline) {
  bool wake = false;
  {
    const std::lock_guard lock(watch_->mutex_);
    assert(!armed_);
    if (!watch_->thread_.joinable()) TARMAC_CHECK_OK(watch_->start());
    deadline_ = deadline;
    due_ = deadline;
    interval_ = {};
    passed_ = false;
    armed_ = true;
    watch_->insert(*this);
    // A watch that wakes too early sleeps on; so it is woken once a deadline, not once a run.
    wake = due_ < watch_->wakes_at_;
    if (wake) watch_->wakes_at_ = due_;
  }
  if (wake) watch_->wake_.notify_one();
  return {};
}

bool DeadlineTimer::disarm() {
  std::unique_lock lock(watch_->mutex_);
  if (!armed_) return false;
  armed_ = false;
  if (cancelling_) {
    watch_->cancelled_.wait(lock, [&] { return !cancelling_; });
  } else {
    watch_->remove(*this);
  }
  return passed_ || DeadlineWatch::Clock::now() >= deadline_;
}

}  // namespace tarmac
