// Whether a quantised model keeps enough of the metric to be used at all.
#pragma once

#include <cstdint>
#include <string>

#include "base/progress.h"
#include "contract/dataset.h"
#include "targets/target.h"

namespace tarmac {

struct GateJob {
  Target& target;  ///< both models run on it
  const Model& plain;
  const Model& quantized;
  CompileOptions compile;
  const Contract& contract;  ///< its metric; agreement with the plain model where it has none
  const Dataset& data;       ///< samples that nothing was fitted to, where there are such
  double max_drop = 0.02;    ///< of the metric, a fraction
};

struct GateResult {
  std::string metric;  ///< "top-1", "mean IoU", "mAP", "agreement"
  double plain = 0;    ///< in [0, 1]
  double quantized = 0;
  double max_drop = 0;
  std::int64_t samples = 0;
  [[nodiscard]] double drop() const { return plain - quantized; }
  [[nodiscard]] bool passed() const;
  /// "top-1 drops by 0.031 (0.95 to 0.919) on 200 samples, at most 0.02 is allowed"
  [[nodiscard]] std::string str() const;
};

/// Errors: the target's, evaluate()'s, kCancelled.
Result<GateResult> accuracy_gate(const GateJob& job, Progress& progress);

}  // namespace tarmac
