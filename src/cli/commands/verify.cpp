#include <memory>

#include "cli/args/data_args.h"
#include "cli/args/fraction.h"
#include "cli/args/model_args.h"
#include "cli/args/shape_args.h"
#include "cli/args/signature_args.h"
#include "cli/args/target_args.h"
#include "cli/commands/commands.h"
#include "cli/compare.h"
#include "runtime/compile.h"
#include "runtime/profiles.h"
#include "verify/reference_engine.h"

namespace tarmac::cli {
namespace {

constexpr std::size_t kBatch = 1;
constexpr std::int64_t kMadeUpBatches = 5;

struct VerifyArgs {
  std::string model;
  std::string reference;
  std::string max_error = "1%";
  std::vector<std::string> shapes;
  DataArgs data;
  TargetArgs target;
  SignatureArgs signature;
};

Result<ShapeChoice> choose_shapes(const VerifyArgs& args, const LoadedModel& loaded) {
  ShapeChoice choice;
  for (const std::string& text : args.shapes) {
    TARMAC_TRY(auto named, parse_named_shape(text));
    choice.shapes.insert(std::move(named));
  }
  if (loaded.plan && !loaded.plan->profiles.empty()) {
    for (const auto& [name, spec] : loaded.plan->profiles.front().shapes)
      choice.shapes.emplace(name, spec.opt);
  }
  return choice;
}

/// The batches, or an error at the first that the plan does not admit: an engine by itself might run it.
BatchSource admitted(BatchSource batches, std::vector<PlanProfile> profiles) {
  return [batches = std::move(batches),
          profiles = std::move(profiles)]() mutable -> Result<std::optional<NamedTensors>> {
    TARMAC_TRY(auto batch, batches());
    if (!batch) return batch;
    std::map<std::string, Shape> shapes;
    for (const auto& [name, tensor] : *batch) shapes.emplace(name, tensor.shape());
    TARMAC_CHECK_OK(check_profiles(profiles, shapes));
    return batch;
  };
}

Status verify(const VerifyArgs& args, Run& run) {
  TARMAC_TRY(const double limit, parse_fraction("--max-error", args.max_error));
  TARMAC_TRY(LoadedModel loaded,
             load_model_or_plan(args.model, args.target.name(), args.target.compile_options(),
                                args.signature.required_signer));
  TARMAC_TRY(const Model reference_model, load_onnx_model(args.reference));
  std::unique_ptr<OpenData> data;
  if (args.data.given()) {
    TARMAC_TRY(data, OpenData::open(args.data, reference_model));
  }
  TARMAC_TRY(const auto reference, compile_reference(reference_model, run.progress));
  TARMAC_TRY(const auto executable,
             compile_model(*loaded.target, loaded.model, loaded.options, run.progress));
  const std::int64_t made_up = args.data.samples > 0 ? args.data.samples : kMadeUpBatches;
  TARMAC_TRY(const ShapeChoice shapes, choose_shapes(args, loaded));
  BatchSource batches = made_up_batches(reference->inputs(), shapes, made_up);
  if (data) {
    TARMAC_TRY(batches, data->batches(kBatch));
  }
  if (loaded.plan) batches = admitted(std::move(batches), loaded.plan->profiles);
  run.progress.start("verify", data ? data->batch_count(kBatch) : static_cast<std::uint64_t>(made_up));
  TARMAC_TRY(const Comparison comparison, compare_outputs(*reference, *executable, batches, run.progress));
  run.progress.finish();

  const bool passed = within(comparison, limit);
  run.output.json()["outputs"] = to_json(comparison);
  run.output.json()["model"] = args.model;
  run.output.json()["reference"] = args.reference;
  run.output.json()["target"] = loaded.target->name();
  run.output.json()["data"] = data ? Json(data->path()) : Json("made up");
  run.output.json()["max_error"] = limit;
  run.output.json()["passed"] = passed;
  run.output.line("{} on {} against {} on {} batches of {}", args.model, loaded.target->version(),
                  args.reference, comparison.empty() ? 0 : comparison.front().samples,
                  data ? data->path() : "made-up inputs");
  print(run.output, comparison);
  if (passed) {
    run.output.line("Agrees: every error is at most {:g} % of its output's range", 100 * limit);
    return {};
  }
  const auto worst = std::max_element(comparison.begin(), comparison.end(), [](const auto& a, const auto& b) {
    return severity(a.metrics) < severity(b.metrics);
  });
  return make_error(ErrorCode::kAcceptance,
                    fmt::format("an output differs by more than {:g} % of its range; look at the table, or "
                                "allow more with --max-error",
                                100 * limit),
                    worst->output, args.model);
}

}  // namespace

void add_verify(Commands& commands) {
  const auto args = std::make_shared<VerifyArgs>();
  CLI::App& command =
      commands.add("verify", "Compare a model or plan with the model that it was made from",
                   {"tarmac verify optimized.onnx --reference model.onnx",
                    "tarmac verify model.plan --reference model.onnx --data pictures/ --contract deploy.yaml "
                    "--max-error 5%",
                    "tarmac verify int8.onnx --reference model.onnx --data samples.npz --json"},
                   [args](Run& run) { return verify(*args, run); });
  command.add_option("model", args->model, "ONNX file or plan to verify")
      ->type_name("MODEL|PLAN")
      ->required();
  command
      .add_option("--reference", args->reference,
                  "ONNX file with the right results; runs on ONNX Runtime without rewriting")
      ->type_name("MODEL")
      ->required();
  command
      .add_option("--max-error", args->max_error,
                  "Largest error of an output, as a share of its range (default: 1%)")
      ->type_name("SHARE");
  command
      .add_option("--shape", args->shapes,
                  "Shape of an input, for made-up data; repeat it for further inputs")
      ->type_name("NAME:SHAPE")
      ->allow_extra_args(false);
  args->data.add(command, "Data to compare on (default: five made-up samples)");
  args->target.add_one(command);
  args->signature.add(command);
}

}  // namespace tarmac::cli
