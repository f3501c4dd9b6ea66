#include "deploy/optimize_model.h"

#include "base/log.h"
#include "verify/reference_engine.h"

namespace tarmac {

EngineOptions::EngineOptions(OptimizeOptions options, std::vector<Target*> targets)
    : support_(targets.empty() ? available_targets() : std::move(targets)), options_(std::move(options)) {
  options_.support = &support_;
  const auto engine = reference_target();
  if (engine) {
    evaluator_.emplace(**engine);
    options_.evaluator = &*evaluator_;
  } else {
    log(LogLevel::kWarning, "constants are not folded: " + engine.error().str());
  }
}

Result<OptimizeReport> optimize_model(Model& model, OptimizeOptions options, std::vector<Target*> targets,
                                      Progress& progress) {
  options.progress = &progress;
  return optimize(model, EngineOptions(std::move(options), std::move(targets)).options());
}

Status lift_again(Model& model, OptimizeOptions options, std::vector<Target*> targets, Progress& progress) {
  std::set<std::string> wanted;
  for (const Pass& pass : all_passes()) {
    const std::string name = pass.name;
    if (name.starts_with("lift_") && (options.only.empty() || options.only.contains(name)))
      wanted.insert(name);
  }
  if (wanted.empty()) return {};
  wanted.insert({"infer_shapes", "fold_constants", "eliminate_no_ops", "merge_casts", "merge_reshapes",
                 "eliminate_common_subexpressions", "eliminate_dead_code"});
  options.only = std::move(wanted);
  options.opset.reset();
  options.trace.clear();
  TARMAC_TRY(const OptimizeReport done,
             optimize_model(model, std::move(options), std::move(targets), progress));
  (void)done;
  return {};
}

}  // namespace tarmac
