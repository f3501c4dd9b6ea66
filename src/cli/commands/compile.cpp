#include <chrono>
#include <memory>

#include "base/file.h"
#include "cli/args/model_args.h"
#include "cli/args/output_args.h"
#include "cli/args/shape_args.h"
#include "cli/args/target_args.h"
#include "cli/commands/commands.h"
#include "cli/optimize_model.h"
#include "graph/model_io.h"
#include "metrics/latency.h"
#include "plan/plan_file.h"
#include "runtime/compile.h"
#include "runtime/inputs.h"
#include "runtime/measure.h"

namespace tarmac::cli {
namespace {

constexpr const char* kAuto = "auto";

struct CompileArgs {
  std::string model;
  std::string output;
  std::vector<std::string> profiles;
  std::string contract;
  TargetArgs target;
};

/// A target that may get the plan.
struct Candidate {
  Target* target = nullptr;
  std::unique_ptr<Executable> executable;
  std::unique_ptr<Context> context;
  std::int64_t compile_ns = 0;
  std::optional<LatencySummary> latency;
  std::string failure;  ///< why it cannot have it
};

Result<std::vector<Candidate>> candidates_of(const CompileArgs& args) {
  std::vector<Candidate> candidates;
  if (args.target.name() != kAuto) {
    TARMAC_TRY(candidates.emplace_back().target, open_target(args.target.name()));
    return candidates;
  }
  for (const char* name : {"openvino", "onnxruntime"}) {
    TARMAC_TRY(Target* const target, find_target(name));
    Candidate& candidate = candidates.emplace_back();
    candidate.target = target;
    if (auto status = target->available(); !status) candidate.failure = status.error().str();
  }
  return candidates;
}

Status check_profile_names(const std::vector<PlanProfile>& profiles, const Model& model) {
  for (const PlanProfile& profile : profiles) {
    for (const auto& [name, spec] : profile) {
      const Value* input = model.graph->find(name);
      std::string names;
      for (const Value* known : model.graph->inputs()) names += (names.empty() ? "" : ", ") + known->name();
      if (input == nullptr || !input->is_input()) {
        return make_error(ErrorCode::kNotFound,
                          "the profile names input '" + name + "'; the model's inputs are " + names);
      }
      const auto& dims = input->type.shape;
      bool fits = !dims || dims->size() == spec.opt.size();
      for (std::size_t i = 0; dims && fits && i < dims->size(); ++i) {
        fits = !(*dims)[i].known() || (*(*dims)[i].size == spec.min[i] && *(*dims)[i].size == spec.max[i]);
      }
      if (!fits) {
        return make_error(ErrorCode::kInvalidInput,
                          "the profile of input '" + name + "', " + tarmac::to_string(spec.min) + " to " +
                              tarmac::to_string(spec.max) + ", does not fit its type " +
                              tarmac::to_string(input->type));
      }
    }
  }
  return {};
}

Status compile(Candidate& candidate, const Model& model, const CompileOptions& options, Progress& progress) {
  Model copy = clone_model(model);
  const auto begin = std::chrono::steady_clock::now();
  TARMAC_TRY(candidate.executable, compile_model(*candidate.target, copy, options, progress));
  candidate.compile_ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - begin).count();
  TARMAC_TRY(candidate.context, candidate.executable->create_context());
  return {};
}

Status bind_made_up_inputs(Candidate& candidate, const std::vector<PlanProfile>& profiles) {
  ShapeChoice choice;
  if (!profiles.empty()) {
    for (const auto& [name, spec] : profiles.front()) choice.shapes[name] = spec.opt;
  }
  TARMAC_TRY(const auto inputs, random_inputs(candidate.executable->inputs(), choice, 1));
  return bind_inputs(*candidate.context, inputs);
}

/// Times the candidates that work in turns, and returns the one with the lowest median.
Result<Candidate*> fastest(std::vector<Candidate>& candidates, const std::vector<PlanProfile>& profiles,
                           Run& run) {
  std::vector<Candidate*> working;
  std::vector<Context*> contexts;
  for (Candidate& candidate : candidates) {
    if (!candidate.failure.empty()) continue;
    TARMAC_CHECK_OK(bind_made_up_inputs(candidate, profiles));
    working.push_back(&candidate);
    contexts.push_back(candidate.context.get());
  }
  run.progress.start("measure", 0);
  TARMAC_TRY(const auto times, measure_interleaved(contexts, {}, run.progress));
  run.progress.finish();
  Candidate* best = nullptr;
  for (std::size_t i = 0; i < working.size(); ++i) {
    TARMAC_TRY(working[i]->latency, summarize_latency(times[i]));
    if (best == nullptr || working[i]->latency->p50_ns < best->latency->p50_ns) best = working[i];
  }
  return best;
}

void print(Output& output, const std::vector<Candidate>& candidates, const Candidate& chosen) {
  Table table({{"target"},
               {"compile", Table::Align::kRight},
               {"p50", Table::Align::kRight},
               {"p99", Table::Align::kRight},
               {""}});
  Json& list = output.json()["candidates"] = Json::array();
  for (const Candidate& candidate : candidates) {
    Json entry = {{"target", candidate.target->name()},
                  {"chosen", &candidate == &chosen},
                  {"compile_ns", candidate.compile_ns}};
    if (!candidate.failure.empty()) entry["failure"] = candidate.failure;
    if (candidate.latency) {
      entry["p50_ns"] = candidate.latency->p50_ns;
      entry["p99_ns"] = candidate.latency->p99_ns;
    }
    list.push_back(std::move(entry));
    const auto time = [&](std::int64_t ns) {
      return candidate.latency ? format_time(static_cast<double>(ns)) : "-";
    };
    table.add({candidate.target->name(), format_time(static_cast<double>(candidate.compile_ns)),
               time(candidate.latency ? candidate.latency->p50_ns : 0),
               time(candidate.latency ? candidate.latency->p99_ns : 0),
               &candidate == &chosen ? "chosen" : candidate.failure});
  }
  table.print(output);
}

std::string precision_of(const Model& model) {
  std::string precision = "fp32";
  for_each_node(*model.graph, [&](const Node& node) {
    if (node.is("DequantizeLinear") || node.is("ConvInteger") || node.is("MatMulInteger")) precision = "int8";
  });
  return precision;
}

Status compile_command(const CompileArgs& args, Run& run) {
  TARMAC_CHECK_OK(check_output_file(args.output));
  TARMAC_TRY(auto candidates, candidates_of(args));
  PlanContent content;
  for (const std::string& text : args.profiles) {
    TARMAC_TRY(content.info.profiles.emplace_back(), parse_profile(text));
  }
  if (!args.contract.empty()) {
    ContractOptions options;
    options.files_must_exist = false;
    TARMAC_TRY(const Contract contract, load_contract(args.contract, options));
    TARMAC_TRY(content.contract_text, read_file(args.contract));
    if (content.info.profiles.empty() && !contract.profiles.empty())
      content.info.profiles.push_back(contract.profiles);
  }
  TARMAC_TRY(Model model, load_onnx_model(args.model));
  TARMAC_CHECK_OK(check_profile_names(content.info.profiles, model));
  TARMAC_TRY(content.info.source_digest, model_digest(model));
  std::vector<Target*> targets;
  for (const Candidate& candidate : candidates) {
    if (candidate.failure.empty()) targets.push_back(candidate.target);
  }
  TARMAC_TRY(const OptimizeReport optimized, optimize_model(model, {}, targets, run.progress));
  run.output.json()["optimize"] = to_json(optimized);

  for (Candidate& candidate : candidates) {
    if (!candidate.failure.empty()) continue;
    if (auto status = compile(candidate, model, args.target.compile_options(), run.progress); !status) {
      if (candidates.size() == 1 || status.error().code == ErrorCode::kCancelled) return status;
      candidate.failure = status.error().str();
    }
  }
  if (std::all_of(candidates.begin(), candidates.end(),
                  [](const auto& candidate) { return !candidate.failure.empty(); })) {
    std::string reasons;
    for (const Candidate& candidate : candidates)
      reasons += "; " + candidate.target->name() + ": " + candidate.failure;
    return make_error(ErrorCode::kUnsupported, "no target compiles the model" + reasons, {}, args.model);
  }
  TARMAC_TRY(const Candidate* const chosen, fastest(candidates, content.info.profiles, run));
  print(run.output, candidates, *chosen);

  content.info.target = chosen->target->name();
  content.info.engine_version = chosen->target->version();
  content.info.providers = args.target.providers;
  content.info.allow_fallback = args.target.allow_fallback;
  content.info.cores = args.target.cores;
  content.info.precision = precision_of(model);
  content.model = &model;
  if (run.progress.cancelled()) return make_error(ErrorCode::kCancelled, "interrupted; nothing was written");
  TARMAC_CHECK_OK(write_plan(args.output, content));
  run.output.json()["target"] = content.info.target;
  run.output.json()["output"] = args.output;
  run.output.line("Plan for {} written to {}", content.info.target, args.output);
  return {};
}

}  // namespace

void add_compile(Commands& commands) {
  const auto args = std::make_shared<CompileArgs>();
  CLI::App& command =
      commands.add("compile", "Make a plan: one file with everything that running the model here needs",
                   {"tarmac compile model.onnx -o model.plan --target auto",
                    "tarmac compile model.onnx -o model.plan --target openvino --contract deploy.yaml",
                    "tarmac compile model.onnx -o model.plan --target openvino --profile "
                    "'image:1x3x96x48,4x3x96x48,8x3x96x48'"},
                   [args](Run& run) { return compile_command(*args, run); });
  command.add_option("model", args->model, "ONNX file")->type_name("MODEL")->required();
  command.add_option("-o,--output", args->output, "File for the plan")->type_name("FILE")->required();
  command
      .add_option("--profile", args->profiles,
                  "Shapes that the plan admits, 'NAME:MIN,OPT,MAX'; further inputs after ';', further "
                  "profiles by repeating it "
                  "(default: the contract's, else every shape)")
      ->type_name("PROFILE")
      ->allow_extra_args(false);
  command
      .add_option("--contract", args->contract,
                  "deploy.yaml whose preprocessing, labels and profiles go into the plan")
      ->type_name("FILE");
  args->target.add_one(command)
      ->description("Engine, or auto: measure openvino and onnxruntime here and take the faster")
      ->type_name("auto|TARGET")
      ->required();
}

}  // namespace tarmac::cli
