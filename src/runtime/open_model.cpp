#include "runtime/open_model.h"

#include <algorithm>

#include "graph/model_io.h"
#include "plan/plan_file.h"
#include "plan/tensor_spec.h"
#include "runtime/compile.h"

namespace tarmac {
namespace {

constexpr const char* kDefaultTarget = "openvino";

Error with_file(Error error, const std::filesystem::path& path) {
  if (error.context.empty()) error.context = path.string();
  return error;
}

/// The target and options to compile with: a plan's own, since it was accepted with nothing else.
Status settle_options(const PlanInfo& plan, const OpenOptions& wanted, std::string& target,
                      CompileOptions& options) {
  if (!wanted.target.empty() && wanted.target != plan.target) {
    return make_error(ErrorCode::kMismatch, "the plan was built for target " + plan.target +
                                                ", asked for was " + wanted.target +
                                                "; leave the target out or rebuild the plan");
  }
  if (!options.providers.empty() && options.providers != plan.providers) {
    return make_error(ErrorCode::kMismatch,
                      "the plan brings its own list of providers; leave them out or rebuild the plan");
  }
  target = plan.target;
  options.providers = plan.providers;
  options.allow_fallback = plan.allow_fallback;
  if (options.cores == 0) options.cores = plan.cores;
  if (options.streams == 0) options.streams = plan.streams;
  return {};
}

std::vector<TensorInfo> tensor_infos(const std::vector<TensorSpec>& specs) {
  std::vector<TensorInfo> infos;
  for (const TensorSpec& spec : specs) infos.push_back({spec.name, type_of(spec)});
  return infos;
}

/// The target, ready to compile.
Status settle_target(const std::string& name, OpenedModel& opened) {
  if (opened.options.streams == 0) opened.options.streams = 1;
  TARMAC_TRY(opened.target, find_target(name));
  return opened.target->available();
}

Status load_engine(const PlanFile& plan, OpenedModel& opened) {
  if (!plan.engine_distrust().empty()) return make_error(ErrorCode::kUnsupported, plan.engine_distrust());
  TARMAC_TRY(const auto engine, plan.section(kEngineSection));
  TARMAC_TRY(opened.executable,
             opened.target->load_engine(engine, plan.file(), tensor_infos(plan.info().inputs),
                                        tensor_infos(plan.info().outputs), opened.options));
  opened.notes = plan.info().engine_notes;
  return {};
}

Status open_plan(const std::filesystem::path& path, const OpenOptions& wanted, OpenedModel& opened,
                 Progress& progress) {
  TARMAC_TRY(const PlanFile plan, PlanFile::open(path, wanted.required_signer));
  opened.plan = plan.info();
  std::string target;
  TARMAC_CHECK_OK(settle_options(plan.info(), wanted, target, opened.options));
  TARMAC_CHECK_OK(settle_target(target, opened));
  TARMAC_CHECK_OK(check_plan_fits(plan.info(), this_machine(opened.target->version())));
  TARMAC_TRY(opened.preprocessors, load_preprocessors(plan));
  if (const std::string text = plan.contract_text(); !text.empty()) {
    TARMAC_TRY(opened.contract, parse_plan_contract(text, path));
    TARMAC_TRY(opened.first_states, plan.first_states(*opened.contract));
  }
  const Status loaded = load_engine(plan, opened);
  if (loaded) return {};
  TARMAC_TRY(Model model, plan.model());
  TARMAC_TRY(opened.executable, compile_model(*opened.target, model, opened.options, progress));
  if (plan.info().has_engine) {
    opened.notes.push_back("the engine inside the plan was not used but built again from its model: " +
                           loaded.error().message);
  }
  return {};
}

Status open_onnx(const std::filesystem::path& path, const OpenOptions& wanted, OpenedModel& opened,
                 Progress& progress) {
  if (!wanted.required_signer.empty()) {
    return make_error(ErrorCode::kMismatch,
                      "a signature is required, and an ONNX file carries none; give a signed plan");
  }
  TARMAC_TRY(Model model, load_model(path));
  TARMAC_CHECK_OK(settle_target(wanted.target.empty() ? kDefaultTarget : wanted.target, opened));
  TARMAC_TRY(opened.executable, compile_model(*opened.target, model, opened.options, progress));
  return {};
}

}  // namespace

Result<OpenedModel> open_model(const std::filesystem::path& path, const OpenOptions& options,
                               Progress& progress) {
  OpenedModel opened;
  opened.options = options.compile;
  if (auto status = is_plan(path) ? open_plan(path, options, opened, progress)
                                  : open_onnx(path, options, opened, progress);
      !status) {
    return with_file(std::move(status).error(), path);
  }
  for (const std::string& note : opened.executable->notes()) {
    if (std::find(opened.notes.begin(), opened.notes.end(), note) == opened.notes.end())
      opened.notes.push_back(note);
  }
  return opened;
}

}  // namespace tarmac
