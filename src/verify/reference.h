// Comparison with the outputs of the framework that trained the model.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/progress.h"
#include "contract/dataset.h"
#include "metrics/error_metrics.h"
#include "targets/target.h"
#include "tarmac/contract.h"

namespace tarmac {

struct ReferenceComparison {
  std::string output;
  /// Over the whole stored tensor r: max_rel = max |a - r| / max |r|.
  ErrorMetrics total;
  std::vector<ErrorMetrics> samples;  ///< each sample against its own row
  std::vector<DataItem> items;        ///< what the samples are
  std::size_t worst_sample = 0;       ///< with the largest max |a - r|; a NaN or infinity mismatch is largest
  double limit = 0;                   ///< the contract's, for total.max_rel
  [[nodiscard]] bool passed() const { return total.within(limit); }
};

/// Runs the pictures or tensors that the contract's reference lists, through the contract's preprocessing,
/// and compares with its stored outputs. Errors: kUsage (the contract has no reference), kNotFound (a file,
/// the output), kInvalidInput (stored outputs of another number or shape; says both), a run's, kCancelled.
Result<ReferenceComparison> compare_with_reference(Executable& executable, const Contract& contract,
                                                   Progress& progress);

}  // namespace tarmac
