#include <array>
#include <filesystem>
#include <memory>

#include "cli/args/accuracy_args.h"
#include "cli/args/data_args.h"
#include "cli/args/max_drop_args.h"
#include "cli/args/model_args.h"
#include "cli/args/output_args.h"
#include "cli/args/quantize_args.h"
#include "cli/args/target_args.h"
#include "cli/commands/commands.h"
#include "cli/compare.h"
#include "cli/optimize_model.h"
#include "cli/quantize_static_model.h"
#include "cli/rewrite_weights.h"
#include "graph/model_io.h"
#include "runtime/compile.h"
#include "verify/reference_engine.h"

namespace tarmac::cli {
namespace {

constexpr std::size_t kBatch = 1;  // the worst sample counts
constexpr std::size_t kComparedSamples = 32;
constexpr std::int64_t kMadeUpBatches = 3;

struct QuantizeArgs {
  std::string model;
  std::string output;
  std::string mode;
  CalibrationArgs calibration;
  StorageArgs storage;
  MaxDropArgs drop;
  AccuracyArgs accuracy;
  DataArgs data;
  TargetArgs target;
};

Status check_usage(const QuantizeArgs& args) {
  TARMAC_CHECK_OK(args.storage.check(args.mode, args.data.given(), args.target.name()));
  const bool sharded = !args.calibration.shard.empty();
  if (sharded && (args.mode != "static" || args.calibration.cache.empty()))
    return make_error(ErrorCode::kUsage,
                      "--shard calibrates a part of the data: it needs --mode static and --cache");
  if (sharded == !args.output.empty())
    return make_error(ErrorCode::kUsage,
                      sharded ? "--shard writes no model; leave --output out" : "--output is required");
  if (args.drop.given()) {
    TARMAC_CHECK_OK(args.drop.parsed());
    if (args.mode != "static" || sharded || !args.data.given())
      return make_error(ErrorCode::kUsage, "--max-drop measures a model: it needs --mode static and data");
  }
  std::error_code ignored;
  if (args.mode == "static" && !args.data.given() &&
      !std::filesystem::exists(args.calibration.cache, ignored)) {
    return make_error(
        ErrorCode::kUsage,
        "--mode static calibrates on real data; add --data DIR with --contract deploy.yaml, --data "
        "FILE.npz, or a --cache that is there");
  }
  return {};
}

/// How far the quantised model lies from the one it was made from, both on the target, on the same data;
/// made-up inputs where there is none.
Status compare(const Model& before, const Model& after, const OpenData* data, Target& target,
               const CompileOptions& options, Run& run) {
  Model plain = clone_model(before);
  Model rounded = clone_model(after);
  TARMAC_TRY(const auto reference, compile_model(target, plain, options, run.progress));
  TARMAC_TRY(const auto quantized, compile_model(target, rounded, options, run.progress));
  const bool ordered = data != nullptr && data->contract().sequence;
  Result<Comparison> compared = Comparison();
  run.progress.start("compare", 0);
  if (ordered) {
    TARMAC_TRY(const CalibrationSource frames, data->calibration_batches(kBatch));
    compared = compare_sequences(*reference, *quantized, data->contract().sequence->state, frames,
                                 kComparedSamples, run.progress);
  } else {
    BatchSource batches = made_up_batches(reference->inputs(), {}, kMadeUpBatches);
    if (data != nullptr) {
      TARMAC_TRY(batches, data->batches(kBatch, kComparedSamples));
    }
    compared = compare_outputs(*reference, *quantized, batches, run.progress);
  }
  run.progress.finish();
  if (!compared) return std::move(compared).error();
  const Comparison& comparison = *compared;
  run.output.line("Against the float model on {}, {} batches of {}:", target.name(),
                  comparison.empty() ? 0 : comparison.front().samples,
                  data != nullptr ? "the data" : "made-up inputs");
  print(run.output, comparison);
  run.output.json()["comparison"] = to_json(comparison);
  return {};
}

Status quantize(const QuantizeArgs& args, Run& run) {
  TARMAC_CHECK_OK(check_usage(args));
  const std::string& cache = args.calibration.cache;
  for (const std::string& file : {args.output, cache}) {
    if (!file.empty()) TARMAC_CHECK_OK(check_output_file(file));
  }
  std::vector<Target*> targets;
  if (!args.target.name().empty()) {
    TARMAC_TRY(targets.emplace_back(), open_target(args.target.name()));
  }
  TARMAC_TRY(Model model, load_onnx_model(args.model));
  std::unique_ptr<OpenData> data;
  if (args.data.given()) {
    TARMAC_TRY(data, OpenData::open(args.data, model));
  }
  TARMAC_TRY(const OptimizeReport optimized, optimize_model(model, {}, targets, run.progress));
  run.output.json()["mode"] = args.mode;
  run.output.json()["optimize"] = to_json(optimized);
  if (model.opset() < args.storage.opset(args.mode)) {
    OptimizeOptions raise;
    raise.opset = args.storage.opset(args.mode);
    TARMAC_TRY(const OptimizeReport raised, optimize_model(model, raise, targets, run.progress));
    run.output.json()["raise_opset"] = to_json(raised);
  }
  const Model before = clone_model(model);
  Target* const target = targets.empty() ? nullptr : targets.front();
  TARMAC_TRY(Target* const runs_on, target != nullptr ? Result<Target*>(target) : reference_target());
  if (args.mode == "static") {
    TARMAC_CHECK_OK(quantize_static_model(model,
                                          {args.calibration, args.accuracy, args.drop, args.storage.bits,
                                           data.get(), target, *runs_on, args.target.compile_options()},
                                          run));
    if (!args.calibration.shard.empty()) return {};
    if (args.storage.is_qoperator()) TARMAC_CHECK_OK(rewrite_format(model, run));
  } else {
    TARMAC_CHECK_OK(rewrite_weights(model,
                                    {args.storage, args.mode, data.get(), *runs_on,
                                     args.target.compile_options(), args.accuracy.allow_slower},
                                    run));
  }
  TARMAC_CHECK_OK(compare(before, model, data.get(), *runs_on, args.target.compile_options(), run));
  if (run.progress.cancelled()) return make_error(ErrorCode::kCancelled, "interrupted; nothing was written");
  TARMAC_CHECK_OK(save_model(model, args.output));
  run.output.json()["output"] = args.output;
  run.output.line("Written to {}", args.output);
  return {};
}

}  // namespace

void add_quantize(Commands& commands) {
  const auto args = std::make_shared<QuantizeArgs>();
  CLI::App& command = commands.add(
      "quantize", "Optimise a model and store it in INT8 with Q/DQ nodes that every engine runs",
      {"tarmac quantize model.onnx -o int8.onnx --mode static --contract deploy.yaml",
       "tarmac quantize model.onnx -o int8.onnx --mode static --data samples.npz",
       "tarmac quantize model.onnx -o int8.onnx --mode static --contract deploy.yaml --max-drop 1%",
       "tarmac quantize model.onnx -o small.onnx --mode weight-only",
       "tarmac quantize model.onnx -o small.onnx --mode weight-only --bits 4 --data x.npz",
       "tarmac quantize model.onnx -o int8.onnx --mode dynamic --target onnxruntime"},
      [args](Run& run) { return quantize(*args, run); });
  command.add_option("model", args->model, "ONNX file")->type_name("MODEL")->required();
  command.add_option("-o,--output", args->output, "File for the quantised model")->type_name("FILE");
  command
      .add_option("--mode", args->mode,
                  "static: weights and activations, ranges from data; dynamic: the same with ranges found in "
                  "each run, on ONNX Runtime; weight-only: activations stay float")
      ->type_name("static|dynamic|weight-only")
      ->check([](const std::string& word) {
        constexpr std::array kModes = {"static", "dynamic", "weight-only"};
        const bool known = std::find(kModes.begin(), kModes.end(), word) != kModes.end();
        return known ? "" : "expected static, dynamic or weight-only, found '" + word + "'";
      })
      ->required();
  args->storage.add(command);
  args->accuracy.add(command);
  args->calibration.add(command);
  args->data.default_samples = 500;
  args->drop.add(command);
  args->data.add(
      command, "Calibration data: a folder of pictures or .npy, .npz with an array for each input, or .npy");
  args->target.add_one(command)->description("Engine to calibrate on (default: onnxruntime)");
}

}  // namespace tarmac::cli
