// Runs many jobs in child processes, so that an engine that crashes or hangs costs one job, not the run.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace tarmac::conformance {

struct JobResult {
  enum class State { kDone, kCrashed, kTimedOut } state = State::kCrashed;
  std::string answer;  ///< what the job returned, or the signal's name
};

/// Calls `job(i)` for i in [0, count) in up to `processes` children, each child taking many jobs. Call before
/// this process starts threads.
std::vector<JobResult> run_isolated(std::size_t count, int processes, std::chrono::seconds timeout,
                                    const std::function<std::string(std::size_t)>& job);

}  // namespace tarmac::conformance
