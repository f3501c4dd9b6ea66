// What every way to a deployed model does first.
#pragma once

#include <optional>
#include <vector>

#include "passes/pass_manager.h"
#include "targets/evaluator.h"
#include "targets/operator_support.h"
#include "targets/target.h"

namespace tarmac {

/// Options with what optimize() needs of the engines, kept alive.
class EngineOptions {
 public:
  /// `targets` shall run the result; none: every one that is available.
  EngineOptions(OptimizeOptions options, std::vector<Target*> targets);
  EngineOptions(const EngineOptions&) = delete;
  EngineOptions& operator=(const EngineOptions&) = delete;
  [[nodiscard]] const OptimizeOptions& options() const { return options_; }

 private:
  TargetSupport support_;
  std::optional<TargetEvaluator> evaluator_;
  OptimizeOptions options_;
};

/// optimize() for `targets` (none: every one that is available), with constants folded by the reference
/// engine; without an engine nothing is folded, and a warning says so.
Result<OptimizeReport> optimize_model(Model& model, OptimizeOptions options, std::vector<Target*> targets,
                                      Progress& progress);

/// Puts driving operators back after a conversion that works on their definitions (precision/convert.h): the
/// passes lift_*, so far as `options` wants them, and what cleans up after them.
Status lift_again(Model& model, OptimizeOptions options, std::vector<Target*> targets, Progress& progress);

}  // namespace tarmac
