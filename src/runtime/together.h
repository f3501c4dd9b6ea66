// Threads that begin at the same moment.
#pragma once

#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <functional>

#include "base/progress.h"
#include "tarmac/result.h"

namespace tarmac {

/// What the threads of run_together() share.
class Together {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Together(std::size_t threads);

  /// Waits until every thread is here, and says when that was. Each calls it once, whatever went wrong
  /// before.
  Clock::time_point wait();
  /// Asks all to end soon.
  void stop() { stop_ = true; }
  [[nodiscard]] bool stopped() const { return stop_.load(std::memory_order_relaxed); }
  /// Milliseconds since all were there; 0 before.
  [[nodiscard]] std::uint64_t milliseconds() const;

 private:
  friend Status run_together(std::size_t, const std::function<void(std::size_t, Together&)>&, Progress&);
  struct NoteTime {
    std::atomic<Clock::rep>* at;
    void operator()() noexcept { *at = Clock::now().time_since_epoch().count(); }
  };

  std::atomic<bool> stop_{false};
  std::atomic<Clock::rep> begin_{0};
  std::barrier<NoteTime> start_;
};

/// Calls body(0 … threads - 1), each in a thread of its own, and waits for all. The progress advances by one
/// a millisecond from the moment that all were there. Errors: kCancelled, kResourceExhausted (no thread).
Status run_together(std::size_t threads, const std::function<void(std::size_t, Together&)>& body,
                    Progress& progress);

}  // namespace tarmac
