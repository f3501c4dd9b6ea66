// How long models take beside each other.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/progress.h"
#include "targets/target.h"

namespace tarmac {

/// Median time of a run of each, in nanoseconds, all with the same inputs and by turns for `seconds` each.
/// Errors: the target's, kCancelled.
Result<std::vector<double>> median_latencies(std::span<Executable* const> models,
                                             const std::map<std::string, Tensor>& inputs, double seconds,
                                             Progress& progress);

}  // namespace tarmac
