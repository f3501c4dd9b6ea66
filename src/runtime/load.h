// Frames that come at a rate, and several models at once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/progress.h"
#include "runtime/measure.h"
#include "runtime/work.h"

namespace tarmac {

/// One model's work. With a rate, frame k is due k / rate seconds after the start, whether earlier ones are
/// done or not (an open loop): a slow frame makes those behind it late, and that is counted, where a closed
/// loop would just ask later (coordinated omission).
struct Load {
  std::vector<Work*> workers;  ///< a thread each; the next free one takes the next frame
  double rate_hz = 0;          ///< 0: each worker begins anew when it is done
  double deadline_s = 0;       ///< from a frame's due time to its result; 0: one period
};

/// Frames are not queued: a free worker takes the newest that is due and drops those before it, and a frame
/// whose deadline has passed is dropped as well. Every frame is in exactly one of done and dropped.
struct LoadTimes {
  std::int64_t due = 0;
  std::int64_t dropped = 0;                  ///< never begun
  std::int64_t late = 0;                     ///< done, but after the deadline
  std::vector<std::int64_t> latency_ns;      ///< due time to result, of what was done
  std::vector<std::int64_t> start_delay_ns;  ///< due time to begin (jitter), the thread's waking included
  std::vector<std::int64_t> run_ns;          ///< begin to result; without a rate all that there is
  double seconds = 0;  ///< from the start to the last result, or to when a next frame would be due

  [[nodiscard]] std::int64_t done() const { return static_cast<std::int64_t>(run_ns.size()); }
  /// Frames without a result in time.
  [[nodiscard]] std::int64_t missed() const { return late + dropped; }
  [[nodiscard]] double runs_per_second() const { return static_cast<double>(done()) / seconds; }
};

/// Runs all loads at once; first frames are due when all have warmed up. A load with a rate has as many
/// frames as are due within `duration_s`, or `iterations`. Errors: as measure_throughput(); kUsage (a load
/// without workers, a rate or deadline that is negative or not finite, above 100,000 frames a second).
Result<std::vector<LoadTimes>> measure_loads(std::span<const Load> loads, const MeasureOptions& options,
                                             Progress& progress);

}  // namespace tarmac
