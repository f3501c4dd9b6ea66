// Stops runs whose result has become useless.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "targets/target.h"
#include "tarmac/result.h"

namespace tarmac {

class DeadlineTimer;

/// The thread that cancels late runs, one for all sessions of the process. It begins with the first deadline
/// and ends with the last owner.
class DeadlineWatch {
 public:
  using Clock = std::chrono::steady_clock;

  /// Errors: kResourceExhausted.
  static Result<std::shared_ptr<DeadlineWatch>> shared();
  ~DeadlineWatch();
  DeadlineWatch(const DeadlineWatch&) = delete;
  DeadlineWatch& operator=(const DeadlineWatch&) = delete;

 private:
  friend class DeadlineTimer;
  DeadlineWatch() = default;
  Status start();
  void watch();
  void insert(DeadlineTimer& timer);
  void remove(DeadlineTimer& timer);

  std::mutex mutex_;  // held for a few instructions, never while a context is called
  std::condition_variable wake_;
  std::condition_variable cancelled_;
  DeadlineTimer* first_ = nullptr;  // of a list in the order of `due_`
  DeadlineTimer* last_ = nullptr;
  Clock::time_point wakes_at_ = Clock::time_point::max();
  bool stopping_ = false;
  std::thread thread_;
};

/// The deadline of one context's runs. Used by one thread at a time; neither copied nor moved, since the
/// watch points to it. arm() and disarm() allocate nothing, and wake the watch only where it would sleep too
/// long.
///
///   TARMAC_CHECK_OK(timer.arm(deadline));
///   Status status = context.run();
///   if (timer.disarm()) return late;
class DeadlineTimer {
 public:
  /// `context` must outlive it.
  DeadlineTimer(std::shared_ptr<DeadlineWatch> watch, Context& context);
  ~DeadlineTimer();
  DeadlineTimer(const DeadlineTimer&) = delete;
  DeadlineTimer& operator=(const DeadlineTimer&) = delete;

  /// From `deadline` on Context::cancel() is called, first at once and then at growing intervals, since
  /// it does nothing before the engine has begun. Errors: kResourceExhausted (the thread could not start).
  Status arm(DeadlineWatch::Clock::time_point deadline);
  /// Ends that, and says whether the deadline has passed. cancel() is not called after it has returned.
  bool disarm();

 private:
  friend class DeadlineWatch;

  std::shared_ptr<DeadlineWatch> watch_;
  Context& context_;
  DeadlineWatch::Clock::time_point deadline_;
  // Guarded by the watch's mutex.
  DeadlineWatch::Clock::time_point due_;
  std::chrono::nanoseconds interval_{0};
  DeadlineTimer* previous_ = nullptr;
  DeadlineTimer* next_ = nullptr;
  bool armed_ = false;
  bool cancelling_ = false;
  bool passed_ = false;
};

}  // namespace tarmac
