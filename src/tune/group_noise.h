// How much noise INT8 adds in each group, all groups in one pass.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/progress.h"
#include "contract/batch_reader.h"
#include "targets/target.h"
#include "tune/twin_model.h"

namespace tarmac {

/// Sums over all samples and elements of a group's output y, and of y_q that its quantised form makes of the
/// same float input.
struct GroupNoise {
  double signal = 0;  ///< Σ y²
  double noise = 0;   ///< Σ (y − y_q)²

  /// 10·log10(signal/noise); infinite without noise, −infinite where a sum is NaN.
  [[nodiscard]] double snr_db() const;
};

/// Runs NoiseModel once a batch. In the order of parts.groups. Errors: kInvalidInput without batches, the
/// target's, kCancelled.
Result<std::vector<GroupNoise>> measure_noise(const TwinParts& parts, Target& target,
                                              const CompileOptions& options, std::span<const Batch> batches,
                                              Progress& progress);

}  // namespace tarmac
