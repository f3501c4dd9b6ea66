// What came of frames at a rate, as text and JSON.
#pragma once

#include <optional>
#include <string>

#include "cli/bench/timing.h"
#include "runtime/load.h"

namespace tarmac::cli {

struct LoadReport {
  LoadTimes times;
  std::optional<Timing>
      result;  ///< due time to result; begin to result without a rate; absent when all dropped
  std::optional<Timing> start_delay;  ///< due time to begin; absent without a rate
  std::optional<Timing> run;          ///< begin to result
};

Result<LoadReport> report_of(LoadTimes times);

/// "frames" (null without a rate), "latency_ns", "start_delay_ns", "run_ns", "inferences_per_s".
Json to_json(const LoadReport& report, bool with_rate);

/// "3 of 600 (0.5 %)"
std::string missed_text(const LoadTimes& times);

/// One percentile as text, "-" where nothing was done.
std::string p50_text(const std::optional<Timing>& timing);
std::string p99_text(const std::optional<Timing>& timing);

}  // namespace tarmac::cli
