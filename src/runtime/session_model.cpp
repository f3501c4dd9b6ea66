#include "runtime/session_model.h"

#include <algorithm>

#include "plan/tensor_spec.h"

namespace tarmac {
namespace {

std::vector<TensorSpec> specs_of(const std::vector<TensorInfo>& infos) {
  std::vector<TensorSpec> specs;
  for (const TensorInfo& info : infos) specs.push_back(tensor_spec(info.name, info.type));
  return specs;
}

Status settle_state(const SessionOptions& options, SessionModel& model) {
  if (!options.state.empty()) {
    model.state = options.state;
    TARMAC_TRY(model.first_values, read_first_values(model.state));
  } else if (const auto& contract = model.opened.contract; contract && contract->sequence) {
    model.state = contract->sequence->state;
    model.first_values = model.opened.first_states;
  }
  return {};
}

}  // namespace

bool SessionModel::is_state_input(const std::string& name) const {
  return std::any_of(state.begin(), state.end(), [&](const StateSpec& spec) { return spec.input == name; });
}

Result<std::shared_ptr<SessionModel>> open_session_model(const std::filesystem::path& path,
                                                         const SessionOptions& options) {
  const OpenOptions open_options{.target = options.target,
                                 .compile = {.cores = options.cores,
                                             .streams = options.streams,
                                             .providers = options.providers,
                                             .allow_fallback = options.allow_fallback,
                                             .profile = options.profile},
                                 .required_signer = options.required_signer};
  auto model = std::make_shared<SessionModel>();
  TARMAC_TRY(model->opened, open_model(path, open_options, no_progress()));
  const Executable& executable = *model->opened.executable;
  model->target = model->opened.target->name();
  model->engine_version = model->opened.target->version();
  TARMAC_CHECK_OK(settle_state(options, *model));
  model->inputs = specs_of(executable.inputs());
  std::erase_if(model->inputs, [&](const TensorSpec& spec) { return model->is_state_input(spec.name); });
  model->outputs = specs_of(executable.outputs());
  if (model->opened.plan) model->profiles = model->opened.plan->profiles;
  model->has_open_shapes =
      std::any_of(executable.inputs().begin(), executable.inputs().end(),
                  [](const TensorInfo& info) { return !info.type.static_shape().has_value(); });
  model->strict = options.strict;
  model->metrics = options.metrics ? options.metrics : std::make_shared<Metrics>();
  model->tracer = options.tracer;
  return model;
}

}  // namespace tarmac
