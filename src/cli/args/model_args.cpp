#include "cli/args/model_args.h"

#include "cli/args/target_args.h"
#include "graph/model_io.h"
#include "plan/cpu_features.h"

namespace tarmac::cli {

Result<Model> load_onnx_model(const std::filesystem::path& path) {
  if (!is_plan(path)) return load_model(path);
  return make_error(ErrorCode::kInvalidInput,
                    "expected an ONNX model, found a plan; give the model that it was made from", {},
                    path.string());
}

Result<LoadedModel> load_model_or_plan(const std::filesystem::path& path, const std::string& target,
                                       const CompileOptions& options) {
  LoadedModel loaded;
  loaded.options = options;
  if (!is_plan(path)) {
    TARMAC_TRY(loaded.target, open_target(target.empty() ? "openvino" : target));
    TARMAC_TRY(loaded.model, load_model(path));
    return loaded;
  }
  TARMAC_TRY(const PlanFile plan, PlanFile::open(path));
  const PlanInfo& info = plan.info();
  if (!target.empty() && target != info.target) {
    return make_error(ErrorCode::kMismatch,
                      "the plan was built for target " + info.target + ", asked for was " + target +
                          "; leave the target out or rebuild the plan",
                      {}, path.string());
  }
  TARMAC_TRY(loaded.target, open_target(info.target));
  if (auto status = check_plan_fits(info, loaded.target->version(), cpu_features()); !status) {
    status.error().context = path.string();
    return std::move(status).error();
  }
  TARMAC_TRY(loaded.model, plan.model());
  loaded.options.providers = info.providers;
  loaded.options.allow_fallback = info.allow_fallback;
  if (loaded.options.cores == 0) loaded.options.cores = info.cores;
  loaded.plan = info;
  return loaded;
}

}  // namespace tarmac::cli
