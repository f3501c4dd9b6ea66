// Whether optimising keeps what a model computes, by running both forms.
#pragma once

#include <map>
#include <string>

#include "passes/pass_manager.h"
#include "targets/target.h"

namespace tarmac::test {

using Tensors = std::map<std::string, Tensor>;

struct CheckResult {
  /// "" when all is well; "skipped" when the model itself does not run here, or the engine computes
  /// it otherwise than ONNX Runtime; else what kind of failure:
  /// "optimize" (an error; but "skipped" for kUnsupported where an opset is asked for), "invalid", "run"
  /// (only the original runs), "differs".
  std::string kind;
  std::string what;
  std::map<std::string, std::size_t> changes;  ///< by pass
  [[nodiscard]] bool failed() const { return !kind.empty() && kind != "skipped"; }
};

struct CheckOptions {
  OptimizeOptions optimize;
  /// The engine to run on, with its own rewriting off where that can be.
  std::string target = "onnxruntime";
  /// Passes use what every engine here runs; false: what `target` runs, a vendor's operators among it.
  bool for_all_targets = false;
};

/// Runs `model` on `inputs` as it is and after optimize(), and compares the outputs. What a change of the
/// inputs in their last digits does to the original's outputs is allowed on top of the tolerance: badly
/// conditioned graphs magnify rounding.
CheckResult check_optimized(const Model& model, const Tensors& inputs, const CheckOptions& options = {});

/// Runs once. Errors: the engine's.
Result<Tensors> run_model(const Model& model, const Tensors& inputs, const std::string& target);

}  // namespace tarmac::test
