// Which frame of a steady series is to be worked on.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

namespace tarmac {

/// Frames 0 … count - 1 that are due at a rate, the first at 0. All times are from that start. Safe from
/// several threads.
class FrameClock {
 public:
  using Time = std::chrono::nanoseconds;

  FrameClock(double rate_hz, std::int64_t count, Time deadline)
      : period_ns_(1e9 / rate_hz), count_(count), deadline_(deadline) {}

  [[nodiscard]] Time due(std::int64_t frame) const;
  /// Whether a result at `time` comes too late for the frame.
  [[nodiscard]] bool late(std::int64_t frame, Time time) const { return time > due(frame) + deadline_; }
  /// The frame for a worker that is free at `now`: the newest that is due and can still meet its deadline,
  /// else the next one to come. Frames passed over are dropped. Absent when there are no more.
  std::optional<std::int64_t> take(Time now);
  [[nodiscard]] std::int64_t count() const { return count_; }
  [[nodiscard]] std::int64_t dropped() const { return dropped_; }

 private:
  double period_ns_;
  std::int64_t count_;
  Time deadline_;
  std::atomic<std::int64_t> next_{0};
  std::atomic<std::int64_t> dropped_{0};
};

}  // namespace tarmac
