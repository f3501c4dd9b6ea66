#include "tarmac/session.h"

#include <map>
#include <optional>

#include "graph/model_io.h"
#include "plan/cpu_features.h"
#include "plan/plan_file.h"
#include "plan/preprocessing.h"
#include "plan/tensor_spec.h"
#include "runtime/compile.h"
#include "runtime/profiles.h"
#include "targets/target.h"

namespace tarmac {

/// What sessions of one model share; not changed after open().
struct Session::Loaded {
  std::string target;
  std::string engine_version;
  std::optional<PlanInfo> plan;
  Preprocessors preprocessors;
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  std::unique_ptr<Executable> executable;
};

struct Session::State {
  std::shared_ptr<Loaded> loaded;
  std::unique_ptr<Context> context;
  std::map<std::string, Shape> shapes;  ///< of the bound inputs; kept only where a plan has profiles
};

namespace {

constexpr const char* kDefaultTarget = "openvino";

std::vector<TensorSpec> specs_of(const std::vector<TensorInfo>& infos) {
  std::vector<TensorSpec> specs;
  for (const TensorInfo& info : infos) specs.push_back(tensor_spec(info.name, info.type));
  return specs;
}

Error with_file(Error error, const std::filesystem::path& path) {
  if (error.context.empty()) error.context = path.string();
  return error;
}

/// The target and options to compile with: a plan's own, since it was accepted with nothing else.
Status settle_options(const PlanInfo& plan, const SessionOptions& wanted, std::string& target,
                      CompileOptions& options) {
  if (!wanted.target.empty() && wanted.target != plan.target) {
    return make_error(ErrorCode::kMismatch, "the plan was built for target " + plan.target +
                                                ", asked for was " + wanted.target +
                                                "; leave the target out or rebuild the plan");
  }
  if (!wanted.providers.empty() && wanted.providers != plan.providers) {
    return make_error(ErrorCode::kMismatch,
                      "the plan brings its own list of providers; leave them out or rebuild the plan");
  }
  target = plan.target;
  options.providers = plan.providers;
  options.allow_fallback = plan.allow_fallback;
  if (options.cores == 0) options.cores = plan.cores;
  return {};
}

}  // namespace

Session::Session(std::unique_ptr<State> state) : state_(std::move(state)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Result<Session> Session::open(const std::filesystem::path& path, const SessionOptions& options) {
  auto loaded = std::make_shared<Loaded>();
  loaded->target = options.target.empty() ? kDefaultTarget : options.target;
  CompileOptions compile_options{.cores = options.cores,
                                 .providers = options.providers,
                                 .allow_fallback = options.allow_fallback,
                                 .profile = options.profile};
  std::optional<Model> model;
  if (is_plan(path)) {
    TARMAC_TRY(const PlanFile plan, PlanFile::open(path));
    loaded->plan = plan.info();
    if (auto status = settle_options(plan.info(), options, loaded->target, compile_options); !status) {
      return with_file(std::move(status).error(), path);
    }
    TARMAC_TRY(loaded->preprocessors, load_preprocessors(plan));
    TARMAC_TRY(model, plan.model());
  } else {
    TARMAC_TRY(model, load_model(path));
  }
  TARMAC_TRY(Target* const target, find_target(loaded->target));
  TARMAC_CHECK_OK(target->available());
  loaded->engine_version = target->version();
  if (loaded->plan) {
    if (auto status = check_plan_fits(*loaded->plan, loaded->engine_version, cpu_features()); !status) {
      return with_file(std::move(status).error(), path);
    }
  }
  auto executable = compile_model(*target, *model, compile_options, no_progress());
  if (!executable) return with_file(std::move(executable).error(), path);
  loaded->executable = *std::move(executable);
  loaded->inputs = specs_of(loaded->executable->inputs());
  loaded->outputs = specs_of(loaded->executable->outputs());
  return create(std::move(loaded));
}

Result<Session> Session::create(std::shared_ptr<Loaded> loaded) {
  auto state = std::make_unique<State>();
  TARMAC_TRY(state->context, loaded->executable->create_context());
  state->loaded = std::move(loaded);
  return Session(std::move(state));
}

Result<Session> Session::clone_context() const { return create(state_->loaded); }

const std::vector<TensorSpec>& Session::inputs() const { return state_->loaded->inputs; }
const std::vector<TensorSpec>& Session::outputs() const { return state_->loaded->outputs; }
const std::vector<std::string>& Session::notes() const { return state_->loaded->executable->notes(); }
const std::string& Session::target() const { return state_->loaded->target; }
const std::string& Session::engine_version() const { return state_->loaded->engine_version; }
const PlanInfo* Session::plan() const { return state_->loaded->plan ? &*state_->loaded->plan : nullptr; }

Result<Tensor> Session::preprocess(const std::string& input, const std::filesystem::path& picture) const {
  const auto preprocessor = state_->loaded->preprocessors.find(input);
  if (preprocessor != state_->loaded->preprocessors.end()) return preprocessor->second.run(picture);
  return make_error(ErrorCode::kUsage,
                    "nothing says how a picture becomes input '" + input +
                        "': open a plan whose contract has preprocessing for it, or give a tensor");
}

Status Session::set_input(const std::string& name, Tensor tensor) {
  const bool has_profiles = state_->loaded->plan && !state_->loaded->plan->profiles.empty();
  if (!has_profiles) return state_->context->set_input(name, std::move(tensor));
  Shape shape = tensor.shape();
  TARMAC_CHECK_OK(check_profiles(state_->loaded->plan->profiles, {{name, shape}}));
  TARMAC_CHECK_OK(state_->context->set_input(name, std::move(tensor)));
  state_->shapes[name] = std::move(shape);
  return {};
}

Status Session::set_output(const std::string& name, Tensor tensor) {
  return state_->context->set_output(name, std::move(tensor));
}

Status Session::run() {
  if (!state_->shapes.empty())
    TARMAC_CHECK_OK(check_profiles(state_->loaded->plan->profiles, state_->shapes));
  return state_->context->run();
}

Result<Tensor> Session::output(const std::string& name) { return state_->context->output(name); }

Result<std::vector<NodeTime>> Session::profile() { return state_->context->profile(); }

}  // namespace tarmac
