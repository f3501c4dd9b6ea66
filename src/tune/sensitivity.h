// What each group costs in points of the metric, measured with one model whose groups are switched.
#pragma once

#include <cstdint>
#include <vector>

#include "base/progress.h"
#include "targets/target.h"
#include "tune/metric_samples.h"
#include "tune/twin_model.h"

namespace tarmac {

struct SensitivityOptions {
  CompileOptions compile;
  double max_drop = 0;  ///< that is allowed, a fraction of the metric
};

struct Sensitivities {
  /// By position in the list of groups that was asked for. What the metric regains when this group alone is
  /// in float and all others in INT8. That says nothing where two groups spoil the metric each by itself; so
  /// where no group alone regains half of what must be regained, the larger of this and of what the metric
  /// loses when this group alone is in INT8.
  std::vector<double> values;
  std::int64_t inferences = 0;  ///< of the toggled model
};

/// Measures `groups` (indices into parts.groups) on the held samples. The toggled model is compiled once.
Result<Sensitivities> measure_sensitivities(const TwinParts& parts, const std::vector<std::size_t>& groups,
                                            MetricSamples& samples, Target& target,
                                            const SensitivityOptions& options, Progress& progress);

}  // namespace tarmac
