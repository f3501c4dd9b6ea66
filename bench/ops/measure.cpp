#include "ops/measure.h"

#include "ops/sides.h"

namespace tarmac::bench {
namespace {

constexpr int kFewestRuns = 3;

void take_turn(const Side& side, double seconds, std::vector<std::int64_t>& times) {
  const auto enough = static_cast<std::int64_t>(seconds * 1e9);
  std::int64_t spent = 0;
  side.run();  // the others have been in the caches
  for (int runs = 0; runs < kFewestRuns || spent < enough; ++runs) {
    times.push_back(side.run());
    spent += times.back();
  }
}

}  // namespace

std::vector<LatencySummary> measure(const Case& work, const MeasureOptions& options) {
  std::vector<std::vector<std::int64_t>> times(work.sides.size());
  for (int round = 0; round < options.rounds; ++round) {
    for (std::size_t i = 0; i < work.sides.size(); ++i)
      take_turn(work.sides[i], options.seconds_per_turn, times[i]);
  }
  std::vector<LatencySummary> summaries;
  for (const auto& samples : times) summaries.push_back(value_of(summarize_latency(samples)));
  return summaries;
}

}  // namespace tarmac::bench
