// Which pass broke a model: the optimiser's steps are repeated, fewer of them, until the first bad one is
// found.
#pragma once

#include <string>
#include <vector>

#include "base/progress.h"
#include "passes/pass_manager.h"
#include "verify/equivalence.h"

namespace tarmac {

struct Culprit {
  std::string pass;             ///< empty: the model differs before any pass has run
  int round = 0;                ///< of the pass manager, from 1
  std::vector<Change> changes;  ///< what the pass changed in that step
  /// The first value that differs between the models before and after that step, and the node that computes
  /// it afterwards; empty when the step left no inner value under its name that differs.
  std::string value;
  std::string node;
  /// The change about `node`, where there is one.
  std::optional<Change> change;
};

/// Bisects over the steps of optimize(original, options), which must have given the difference: about
/// log2(steps) runs of both. Errors: those of optimize() and the engine, kCancelled.
Result<Culprit> find_culprit(const Model& original, const OptimizeOptions& options,
                             const Difference& difference, Progress& progress);

/// What a user is told: the difference, the pass, the round and the nodes that it changed. kAcceptance.
Error to_error(const Difference& difference, const Culprit& culprit);

}  // namespace tarmac
