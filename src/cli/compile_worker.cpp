#include "cli/compile_worker.h"

#include <algorithm>
#include <chrono>
#include <list>
#include <new>

#include "base/child_process.h"
#include "base/file.h"
#include "cli/args/model_args.h"
#include "cli/compile_variants.h"
#include "cli/optimize_model.h"
#include "cli/worker_channel.h"
#include "deploy/plan_details.h"
#include "graph/model_io.h"
#include "passes/infer_shapes.h"
#include "plan/plan_file.h"
#include "precision/quantize.h"
#include "runtime/inputs.h"
#include "targets/common/cores.h"

namespace tarmac::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kStateFile = "state.json";

std::vector<TensorInfo> inputs_of(const Model& model) {
  std::vector<TensorInfo> infos;
  for (const Value* input : model.graph->inputs()) {
    if (input->initializer() == nullptr) infos.push_back({input->name(), input->type});
  }
  return infos;
}

bool open_batch(const Model& model, const std::string& input) {
  const Value* value = model.graph->find(input);
  return value != nullptr && value->type.shape && !value->type.shape->empty() &&
         !value->type.shape->front().known();
}

/// What candidates of one batch are measured with.
struct Measured {
  std::int64_t batch = 0;
  std::shared_ptr<const std::vector<MeasuredShape>> shapes;
  std::shared_ptr<const std::vector<MeasuredShape>> largest;
};

/// A candidate before its cores are laid out.
struct Contender {
  Target* target = nullptr;
  std::string precision;
  const Model* model = nullptr;
  bool eligible = true;
  std::string failure;
};

class Worker {
 public:
  Worker(const CompileArgs& args, Run& run, WorkerChannel& channel, WorkerState state)
      : args_(args), run_(run), channel_(channel), state_(std::move(state)), folder_(args.worker) {}

  Status run() {
    TARMAC_CHECK_OK(load());
    TARMAC_CHECK_OK(prepare());
    if (args_.wants("int8")) {
      channel_.active("int8");
      TARMAC_CHECK_OK(quantize());
      channel_.active("");
    }
    TARMAC_CHECK_OK(list_candidates());
    ChooseOptions options;
    options.objective = args_.wanted_objective();
    TARMAC_TRY(options.workspace_bytes, args_.workspace_bytes());
    options.watch = [this](const std::string& group) { channel_.active(group); };
    const auto begin = Clock::now();
    const auto elapsed_s = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
    // The second forecast is the first that knows how long compiling takes here.
    std::vector<double> forecasts;
    options.forecast = [&](double left_s) {
      forecasts.push_back(elapsed_s() + left_s);
      channel_.forecast(left_s);
    };
    const auto chosen = choose_target(candidates_, options, run_.progress);
    const double forecast_s =
        forecasts.empty() ? 0 : forecasts[std::min<std::size_t>(1, forecasts.size() - 1)];
    const ChoiceFacts facts{options.objective, chosen ? *chosen : candidates_.size(), options.workspace_bytes,
                            forecast_s, elapsed_s()};
    const std::string tried = tried_json(candidates_, facts);
    if (!chosen) {
      run_.output.json()["tried"] = Json::parse(tried);
      return chosen.error();
    }
    return write(candidates_[*chosen], options, tried);
  }

 private:
  Status load() {
    TARMAC_TRY(source_, load_onnx_model(args_.model));
    if (!args_.data.contract.empty()) {
      ContractOptions options;
      options.files_must_exist = false;
      TARMAC_TRY(contract_, load_contract(args_.data.contract, options));
      TARMAC_TRY(contract_text_, read_file(args_.data.contract));
    }
    TARMAC_TRY(ProfileRequest request, args_.profile_request());
    if (args_.batches.size() == 1) {
      TARMAC_TRY(request.ranges.emplace_back(), batch_profile(*source_, args_.batches.front()));
    }
    if (request.ranges.empty() && args_.batches.empty() && contract_ && !contract_->profiles.empty())
      request.ranges.push_back(contract_->profiles);
    TARMAC_TRY(profiles_, make_profiles(request, *source_));
    precision_ = precision_of(*source_);
    if (!args_.wants("int8")) return {};
    if (precision_ == "int8") {
      return make_error(ErrorCode::kUsage, "the model is quantised already; leave --precision out", {},
                        args_.model);
    }
    TARMAC_TRY(data_, OpenData::open(args_.data, *source_));
    return {};
  }

  /// Which targets there are, and the model optimised for them.
  Status prepare() {
    TARMAC_TRY(targets_, args_.targets());
    for (Target* target : targets_) {
      if (target->available().ok()) available_.push_back(target);
    }
    optimized_ = clone_model(*source_);
    // Calibration and evaluation feed what batches the data leaves.
    const bool keep_batch = args_.wants("int8") || args_.batches.size() > 1;
    for (const auto& [name, shape] : settled_shapes(profiles_, keep_batch))
      TARMAC_CHECK_OK(fix_input_shape(*optimized_, name, shape));
    OptimizeOptions options;
    if (args_.wants("int8") && optimized_->opset() < kOpsetForChannels) options.opset = kOpsetForChannels;
    TARMAC_TRY(const OptimizeReport done, optimize_model(*optimized_, options, available_, run_.progress));
    run_.output.json()["optimize"] = to_json(done);
    return {};
  }

  Status quantize() {
    if (const auto crash = state_.failed.find("int8"); crash != state_.failed.end()) {
      for (const Target* target : available_) int8_.by_target[target->name()].failure = crash->second;
      return {};
    }
    TARMAC_TRY(int8_, make_int8({args_, *source_, *optimized_, available_, *data_, folder_}, run_));
    return {};
  }

  Status list_candidates() {
    if (args_.batches.size() < 2) return list_candidates(profiles_, 0);
    for (const std::int64_t batch : args_.batches) {
      TARMAC_TRY(ShapeRanges ranges, batch_profile(*source_, batch));
      TARMAC_TRY(const auto profiles, make_profiles({{std::move(ranges)}, {}}, *source_));
      TARMAC_CHECK_OK(list_candidates(profiles, batch));
    }
    return {};
  }

  Status list_candidates(const std::vector<PlanProfile>& profiles, std::int64_t batch) {
    const InputShapes settled = settled_shapes(profiles, false);
    TARMAC_TRY(const Model* const plain, fixed(*optimized_, settled));
    Measured measured{batch, {}, {}};
    TARMAC_TRY(measured.shapes, measured_shapes(*plain, profiles, &ProfileSpec::opt));
    TARMAC_TRY(measured.largest, measured_shapes(*plain, profiles, &ProfileSpec::max));
    for (Target* target : targets_) {
      add({target, precision_, plain, args_.precisions.empty() || args_.wants("fp32"), {}}, measured);
    }
    for (Target* target : targets_) {
      const auto variant = int8_.by_target.find(target->name());
      if (variant == int8_.by_target.end()) continue;
      Contender one{target, "int8", nullptr, true, variant->second.failure};
      if (variant->second.model) {
        TARMAC_TRY(one.model, fixed(*variant->second.model, settled));
      }
      add(std::move(one), measured);
    }
    return {};
  }

  /// In every layout; in one where it fails anyhow.
  void add(Contender one, const Measured& measured) {
    CompileOptions compile = args_.target.compile_options();
    compile.streams = std::max(1, args_.streams);
    compile.saveable = !args_.no_engine;
    const auto crash = state_.failed.find(candidate_group(*one.target, one.precision));
    if (crash != state_.failed.end()) one.failure = crash->second;
    if (auto status = one.target->available(); !status) one.failure = status.error().str();
    std::vector<CoreLayout> list = {{compile.cores, compile.streams}};
    if (args_.chooses_layout() && one.failure.empty()) {
      const int cores = args_.target.cores > 0 ? args_.target.cores : available_cores();
      list = core_layouts(cores, args_.wanted_objective());
      for (CoreLayout& layout : list) {
        if (layout.cores == cores) layout.cores = args_.target.cores;  // 0: all, wherever the plan runs
      }
    }
    for (const CoreLayout& layout : list) {
      TargetCandidate& added = candidates_.emplace_back();
      added.target = one.target;
      added.precision = one.precision;
      added.batch = measured.batch;
      added.model = one.model;
      added.compile = compile;
      added.compile.cores = layout.cores;
      added.compile.streams = layout.streams;
      added.shapes = measured.shapes;
      added.largest = measured.largest;
      added.eligible = one.eligible;
      added.failure = one.failure;
    }
  }

  Result<const Model*> fixed(const Model& model, const InputShapes& settled) {
    Model copy = clone_model(model);
    for (const auto& [name, shape] : settled) TARMAC_CHECK_OK(fix_input_shape(copy, name, shape));
    models_.push_back(std::move(copy));
    return &models_.back();
  }

  /// The inputs that each profile names, of made-up values or the data's first sample.
  Result<std::shared_ptr<const std::vector<MeasuredShape>>> measured_shapes(
      const Model& model, const std::vector<PlanProfile>& profiles, Shape ProfileSpec::*which) {
    const std::vector<TensorInfo> inputs = inputs_of(model);
    const auto ranges = index_ranges(model);
    auto list = std::make_shared<std::vector<MeasuredShape>>();
    for (const PlanProfile& profile : profiles.empty() ? std::vector<PlanProfile>(1) : profiles) {
      MeasuredShape& one = list->emplace_back();
      ShapeChoice choice;
      for (const auto& [name, range] : profile.shapes) {
        choice.shapes[name] = range.*which;
        if (open_batch(*source_, name)) one.samples = std::max(one.samples, (range.*which).front());
      }
      TARMAC_TRY(one.inputs, random_inputs(inputs, choice, 1, ranges));
      if (data_ == nullptr || data_->samples() == 0) continue;
      TARMAC_TRY(const auto sample, data_->dataset().load(0));
      for (auto& [name, tensor] : one.inputs) {
        const auto real = sample.find(name);
        if (real != sample.end() && real->second.shape() == tensor.shape() &&
            real->second.dtype() == tensor.dtype())
          tensor = real->second;
      }
    }
    return std::shared_ptr<const std::vector<MeasuredShape>>(std::move(list));
  }

  Status write(const TargetCandidate& chosen, const ChooseOptions& options, const std::string& tried) {
    PlanContent content;
    content.contract_text = contract_text_;
    content.contract_folder = std::filesystem::path(args_.data.contract).parent_path();
    content.model = chosen.model;
    PlanInfo& info = content.info;
    info.profiles = profiles_;
    if (chosen.batch > 0) {
      TARMAC_TRY(ShapeRanges ranges, batch_profile(*source_, chosen.batch));
      TARMAC_TRY(info.profiles, make_profiles({{std::move(ranges)}, {}}, *source_));
    }
    info.target = chosen.target->name();
    info.engine_version = chosen.target->version();
    info.providers = chosen.compile.providers;
    info.allow_fallback = chosen.compile.allow_fallback;
    info.cores = chosen.compile.cores;
    info.streams = chosen.compile.streams;
    info.workspace_bytes = options.workspace_bytes;
    info.source_digest = state_.source_digest;
    info.precision = chosen.precision;
    info.precision_json = precision_json(*chosen.model, int8_.nodes, info.target, chosen.precision);
    info.tried_json = tried;
    if (const auto variant = int8_.by_target.find(info.target);
        chosen.precision == "int8" && variant != int8_.by_target.end() && !variant->second.gate.is_null())
      info.acceptance_json = variant->second.gate.dump();
    info.data_digest = state_.data_digest;
    if (!args_.no_engine) TARMAC_CHECK_OK(take_engine(chosen, content));
    for (const std::string& note : chosen.executable->notes()) run_.output.json()["notes"].push_back(note);
    if (run_.progress.cancelled())
      return make_error(ErrorCode::kCancelled, "interrupted; nothing was written");
    return write_plan(folder_ / kWorkerPlan, content);
  }

  /// Engines without a form of their own compile when the plan is opened.
  Status take_engine(const TargetCandidate& chosen, PlanContent& content) {
    channel_.active(chosen.group());
    auto engine = chosen.executable->save_engine();
    channel_.active("");
    if (engine) {
      content.engine = *std::move(engine);
      content.info.engine_notes = chosen.executable->notes();
      return {};
    }
    if (engine.error().code == ErrorCode::kUnsupported) return {};
    return std::move(engine).error();
  }

  const CompileArgs& args_;
  Run& run_;
  WorkerChannel& channel_;
  const WorkerState state_;
  const std::filesystem::path folder_;
  std::optional<Model> source_;
  std::optional<Contract> contract_;
  std::string contract_text_;
  std::vector<PlanProfile> profiles_;
  std::string precision_;  // of the model as it is
  std::unique_ptr<OpenData> data_;
  std::vector<Target*> targets_;
  std::vector<Target*> available_;
  std::optional<Model> optimized_;
  Int8Variants int8_;
  std::list<Model> models_;
  std::vector<TargetCandidate> candidates_;
};

Status work(const CompileArgs& args, Run& run, WorkerChannel& channel) {
  // What no layer may let through would leave the parent without a word.
  try {
    TARMAC_TRY(const WorkerState state, WorkerState::load(args.worker));
    limit_memory(state.memory_limit_bytes);
    return Worker(args, run, channel, state).run();
  } catch (const std::bad_alloc&) {
    return make_error(ErrorCode::kResourceExhausted, "out of memory");
  } catch (const std::exception& exception) {
    return make_error(ErrorCode::kInternal,
                      std::string("unexpected: ") + exception.what() + "; please report this");
  }
}

}  // namespace

Status WorkerState::save(const std::filesystem::path& folder) const {
  const Json json = {{"source_digest", source_digest},
                     {"data_digest", data_digest},
                     {"memory_limit_bytes", memory_limit_bytes},
                     {"failed", failed}};
  return write_file(folder / kStateFile, json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

Result<WorkerState> WorkerState::load(const std::filesystem::path& folder) {
  TARMAC_TRY(const std::string text, read_file(folder / kStateFile));
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object())
    return make_error(ErrorCode::kUsage, "--worker is for this program's own use; leave it out");
  WorkerState state;
  state.source_digest = json.value("source_digest", "");
  state.data_digest = json.value("data_digest", "");
  state.memory_limit_bytes = json.value("memory_limit_bytes", std::uint64_t{0});
  state.failed = json.value("failed", std::map<std::string, std::string>());
  return state;
}

Status compile_worker(const CompileArgs& args) {
  ignore_closed_pipes();
  WorkerChannel channel(kParentDescriptor);
  set_log_sink([&](LogLevel level, const std::string& message) { channel.log(level, message); });
  Output output("compile", true);
  output.json()["notes"] = Json::array();
  Run own{output, channel};
  const Status status = work(args, own, channel);
  channel.result(output.json(), status);
  set_log_sink({});
  return {};
}

}  // namespace tarmac::cli
