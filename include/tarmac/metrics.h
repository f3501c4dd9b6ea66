// What a running model did, counted without locks, for Prometheus and for people.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace tarmac {

/// Durations in buckets whose upper bounds grow by the cube root of 10 (rounded to two digits), from 100 µs
/// to 10 s. Adding allocates nothing and is safe from any thread.
class DurationHistogram {
 public:
  static constexpr std::size_t kBuckets = 16;
  /// Upper bound of bucket `i` in nanoseconds; one more bucket takes what is above the last.
  static std::int64_t bound_ns(std::size_t i);

  /// A negative duration counts as 0.
  void add(std::int64_t duration_ns);
  [[nodiscard]] std::uint64_t count() const;
  [[nodiscard]] std::int64_t sum_ns() const { return sum_ns_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t in_bucket(std::size_t i) const {
    return counts_[i].load(std::memory_order_relaxed);
  }

 private:
  std::array<std::atomic<std::uint64_t>, kBuckets + 1> counts_{};
  std::atomic<std::int64_t> sum_ns_{0};
};

/// Thread-safe; neither copied nor moved.
struct Metrics {
  std::atomic<std::uint64_t> runs{0};              ///< that gave a result
  std::atomic<std::uint64_t> failures{0};          ///< that ended with an error, late ones not counted
  std::atomic<std::uint64_t> deadlines_missed{0};  ///< late work, whether it was begun or not
  std::atomic<std::uint64_t> cold_shapes{0};       ///< runs with shapes that the plan does not make ready
  std::atomic<std::uint64_t> scenes{0};            ///< temporal state begun anew
  std::atomic<std::uint64_t> batches{0};           ///< that a batcher ran
  std::atomic<std::uint64_t> batched_items{0};     ///< in them
  std::atomic<std::uint64_t> rejected{0};          ///< items that a batcher had no room for
  std::atomic<std::int64_t> queued{0};             ///< items that wait in a batcher now
  std::atomic<std::int64_t> contexts{0};           ///< sessions on the model now
  DurationHistogram run_time;                      ///< of runs that gave a result
  DurationHistogram queue_time;                    ///< of items, from submission to the begin of their run
  DurationHistogram preprocess_time;               ///< of one picture

  /// Prometheus' text format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/): names
  /// begin with tarmac_, durations are in seconds, `model` becomes the label of that name. May be read while
  /// runs are counted: a histogram's buckets and count always agree, and no number ever falls from one text
  /// to the next but those of the gauges.
  [[nodiscard]] std::string prometheus(const std::string& model) const;
};

}  // namespace tarmac
