#include "cli/args/model_args.h"

#include "cli/args/target_args.h"
#include "graph/model_io.h"

namespace tarmac::cli {

Result<Model> load_onnx_model(const std::filesystem::path& path) {
  if (!is_plan(path)) return load_model(path);
  return make_error(ErrorCode::kInvalidInput,
                    "expected an ONNX model, found a plan; give the model that it was made from", {},
                    path.string());
}

Result<LoadedModel> load_model_or_plan(const std::filesystem::path& path, const std::string& target,
                                       const CompileOptions& options,
                                       const std::filesystem::path& required_signer) {
  LoadedModel loaded;
  loaded.options = options;
  if (!is_plan(path)) {
    if (!required_signer.empty()) {
      return make_error(ErrorCode::kMismatch,
                        "a signature is required, and an ONNX file carries none; give a signed plan", {},
                        path.string());
    }
    TARMAC_TRY(loaded.target, open_target(target.empty() ? "openvino" : target));
    TARMAC_TRY(loaded.model, load_model(path));
    return loaded;
  }
  TARMAC_TRY(const PlanFile plan, PlanFile::open(path, required_signer));
  const PlanInfo& info = plan.info();
  if (!target.empty() && target != info.target) {
    return make_error(ErrorCode::kMismatch,
                      "the plan was built for target " + info.target + ", asked for was " + target +
                          "; leave the target out or rebuild the plan",
                      {}, path.string());
  }
  TARMAC_TRY(loaded.target, open_target(info.target));
  if (auto status = check_plan_fits(info, this_machine(loaded.target->version())); !status) {
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
