// Timing of compiled models.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/progress.h"
#include "runtime/work.h"
#include "targets/target.h"

namespace tarmac {

struct MeasureOptions {
  /// Runs before the first measured one: at least this many and at least this long, each context.
  std::int64_t warmup_iterations = 5;
  double warmup_s = 0.2;
  /// Above 0: warm up until times have settled instead, but no longer than this. See WarmUp::settled.
  double settle_s = 0;
  /// Measured runs a context; 0: as many as fit into `duration_s`.
  std::int64_t iterations = 0;
  double duration_s = 2.0;
};

struct WarmUp {
  std::int64_t runs = 0;
  double seconds = 0;
  /// The medians of two successive windows, each of 100 ms and at least 3 runs, lay within 3 % of each other.
  /// Always false without MeasureOptions::settle_s.
  bool settled = false;
  std::int64_t first_run_ns = 0;  ///< where engines still prepare kernels
  std::int64_t last_run_ns = 0;
};

/// Runs as `options` say before anything is measured. `stop` is asked before every run. Errors: a run's,
/// kCancelled.
Result<WarmUp> warm_up(Work& work, const MeasureOptions& options, const std::function<bool()>& stop);

/// By std::chrono::steady_clock, in the order of the runs.
struct WorkTimes {
  std::vector<std::int64_t> total_ns;
  /// The part that made the inputs; empty for work that makes none.
  std::vector<std::int64_t> preprocess_ns;
};

/// Times of Work::run() for several that take turns, so that a change of the machine's speed meets all of
/// them and ratios stay fair. In each round each runs once unmeasured, since the others have emptied its
/// caches, and then for about 20 ms (at least once); who begins moves on by one a round. `duration_s` counts
/// for each. The progress advances by one a measured millisecond. Errors: a run's, kCancelled, kUsage
/// (neither iterations nor duration).
Result<std::vector<WorkTimes>> measure_interleaved(std::span<Work* const> works,
                                                   const MeasureOptions& options, Progress& progress);

/// The same for Context::run() alone. The inputs must be bound; their values do not change.
Result<std::vector<std::vector<std::int64_t>>> measure_interleaved(std::span<Context* const> contexts,
                                                                   const MeasureOptions& options,
                                                                   Progress& progress);

/// One context alone.
Result<std::vector<std::int64_t>> measure_latency(Context& context, const MeasureOptions& options,
                                                  Progress& progress);

struct Throughput {
  std::int64_t runs = 0;
  double seconds = 0;
  std::vector<std::int64_t> latency_ns;  ///< of every counted run, grouped by context
  [[nodiscard]] double runs_per_second() const { return static_cast<double>(runs) / seconds; }
};

/// Runs every work in a thread of its own, all at once, for `duration_s` or `iterations` each. What is
/// counted began after all had warmed up; the time ends with the last run. Errors: as measure_interleaved(),
/// kResourceExhausted (no thread).
Result<Throughput> measure_throughput(std::span<Work* const> works, const MeasureOptions& options,
                                      Progress& progress);
/// The same for Context::run() alone.
Result<Throughput> measure_throughput(std::span<Context* const> contexts, const MeasureOptions& options,
                                      Progress& progress);

}  // namespace tarmac
