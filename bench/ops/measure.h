// Cases run, in turns.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "metrics/latency.h"
#include "ops/case.h"

namespace tarmac::bench {

struct MeasureOptions {
  int rounds = 10;
  double seconds_per_turn =
      0.2;  ///< each side runs at least this long in each round, and at least three times
};

/// Times of each side, in the case's order. Within a round the sides take turns, so that what else the
/// machine does falls on all of them.
std::vector<LatencySummary> measure(const Case& work, const MeasureOptions& options);

}  // namespace tarmac::bench
