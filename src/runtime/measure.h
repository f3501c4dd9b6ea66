// Timing of compiled models.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/progress.h"
#include "targets/target.h"

namespace tarmac {

struct MeasureOptions {
  /// Runs before the first measured one: at least this many and at least this long, each context.
  std::int64_t warmup_iterations = 5;
  double warmup_s = 0.2;
  /// Measured runs a context; 0: as many as fit into `duration_s`.
  std::int64_t iterations = 0;
  double duration_s = 2.0;
};

/// Times of Context::run() alone, by std::chrono::steady_clock, in nanoseconds, in the order in which they
/// ran. The inputs must be bound; their values do not change. Errors: a run's, kCancelled, kUsage (neither
/// iterations nor duration).
Result<std::vector<std::int64_t>> measure_latency(Context& context, const MeasureOptions& options,
                                                  Progress& progress);

/// As measure_latency() for several contexts that take turns, so that a change of the machine's speed meets
/// all of them and ratios stay fair. In each round every context runs once unmeasured, since the others have
/// emptied its caches, and then for about 20 ms (at least once); who begins moves on by one a round.
/// `duration_s` counts for each context.
Result<std::vector<std::vector<std::int64_t>>> measure_interleaved(std::span<Context* const> contexts,
                                                                   const MeasureOptions& options,
                                                                   Progress& progress);

struct Throughput {
  std::int64_t runs = 0;
  double seconds = 0;
  std::vector<std::int64_t> latency_ns;  ///< of every counted run, grouped by context
  [[nodiscard]] double runs_per_second() const { return static_cast<double>(runs) / seconds; }
};

/// Runs every context in a thread of its own, all at once, for `duration_s` or `iterations` each. What is
/// counted began after all had warmed up; the time ends with the last run. Errors: as measure_latency().
Result<Throughput> measure_throughput(std::span<Context* const> contexts, const MeasureOptions& options,
                                      Progress& progress);

}  // namespace tarmac
