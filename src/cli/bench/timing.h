// Measured times as text and JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/output.h"
#include "metrics/latency.h"

namespace tarmac::cli {

struct Timing {
  LatencySummary summary;
  std::optional<MedianInterval> median;
  LogHistogram histogram;
  /// Median of the later half of the runs by that of the earlier half, minus 1; 0 for fewer than 20 runs.
  double drift = 0;
};

/// `times_ns` in the order of the runs; at least one. Errors: as summarize_latency().
Result<Timing> timing_of(std::span<const std::int64_t> times_ns);

/// Columns "mean", "p50", "±", "p90", "p99", "p99.9", "min", "max" and "stddev"; `cells` in the same order.
std::vector<Table::Column> timing_columns();
std::vector<std::string> timing_cells(const Timing& timing);

/// "samples", "min", "mean", "stddev", "p50", "p50_low", "p50_high", "p90", "p99", "p99.9", "max" in
/// nanoseconds, and "drift". Null for no times.
Json to_json(const std::optional<Timing>& timing);
Json to_json(const LogHistogram& histogram);

/// Warns of a median that moved or is not known well; "" when it is fine. `what` names the times.
std::string doubt(const Timing& timing, const std::string& what);

/// "mean_ms=1.234 p50_ms=…": for the line that scripts look for.
std::string brief(const Timing& timing);

/// format_time() of any number.
template <typename T>
std::string time_text(T nanoseconds) {
  return format_time(static_cast<double>(nanoseconds));
}

}  // namespace tarmac::cli
