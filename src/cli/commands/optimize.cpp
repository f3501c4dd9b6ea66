#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "cli/args/model_args.h"
#include "cli/args/output_args.h"
#include "cli/args/shape_args.h"
#include "cli/args/target_args.h"
#include "cli/commands/commands.h"
#include "cli/optimize_model.h"
#include "cli/optimize_precision.h"
#include "cli/suggest.h"
#include "cli/verify_optimized.h"
#include "graph/model_io.h"
#include "passes/convert_opset.h"
#include "passes/infer_shapes.h"
#include "targets/tensorrt/emit.h"

namespace tarmac::cli {
namespace {

struct OptimizeArgs {
  std::string model;
  std::string output;
  std::vector<std::string> skip;
  std::vector<std::string> only;
  std::vector<std::string> shapes;
  std::vector<std::string> targets;
  std::int64_t opset = 0;
  std::string trace;
  std::optional<std::int64_t> heads;
  std::optional<std::int64_t> hidden;
  bool verify = false;
  VerifyOptimizedArgs verifying;
  PrecisionArgs precision;
  bool list_passes = false;
};

void list_passes(Output& output) {
  Table table({{"pass"}, {"what it does"}});
  output.json()["passes"] = Json::array();
  for (const Pass& pass : all_passes()) {
    table.add({pass.name, pass.summary});
    output.json()["passes"].push_back({{"pass", pass.name}, {"summary", pass.summary}});
  }
  table.print(output);
}

Status check_pass_names(const std::vector<std::string>& names) {
  std::vector<std::string> known;
  for (const Pass& pass : all_passes()) known.emplace_back(pass.name);
  for (const std::string& name : names) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    return make_error(ErrorCode::kUsage, fmt::format("there is no pass '{}'; the passes are {}{}", name,
                                                     fmt::join(known, ", "), did_you_mean(name, known)));
  }
  return {};
}

Status emit_for_tensorrt(Model& model, Output& output) {
  TARMAC_TRY(const auto changes, tensorrt::emit(model));
  std::map<std::string, std::vector<std::string>> nodes;
  for (const Change& change : changes) nodes[change.pass].push_back(change.node);
  output.json()["tensorrt"] = nodes;
  for (const auto& [what, names] : nodes)
    output.line("For TensorRT: {} at {} nodes", what, format_count(static_cast<std::int64_t>(names.size())));
  return {};
}

Status optimize_command(const OptimizeArgs& args, Run& run) {
  if (args.list_passes) {
    list_passes(run.output);
    return {};
  }
  if (args.model.empty())
    return make_error(ErrorCode::kUsage, "which model? Give an ONNX file: tarmac optimize MODEL -o OUT");
  if (args.output.empty())
    return make_error(ErrorCode::kUsage, "-o is missing: say where the optimised model goes, -o OUT.onnx");
  TARMAC_CHECK_OK(args.verifying.check(args.verify, args.precision.takes_data()));
  TARMAC_CHECK_OK(args.precision.check());
  TARMAC_CHECK_OK(check_pass_names(args.skip));
  TARMAC_CHECK_OK(check_pass_names(args.only));
  TARMAC_CHECK_OK(check_output_file(args.output));
  if (!args.trace.empty()) TARMAC_CHECK_OK(make_output_folder(args.trace));

  std::vector<Target*> targets;
  for (const std::string& name : args.targets) {
    // TensorRT's rules are tables; the other engines are asked.
    TARMAC_TRY(targets.emplace_back(), name == "tensorrt" ? named_target(name) : open_target(name));
  }

  TARMAC_TRY(Model model, load_onnx_model(args.model));
  // Copies share the weights' bytes.
  const Model original = args.verify ? clone_model(model) : Model();
  for (const std::string& text : args.shapes) {
    TARMAC_TRY(const auto named, parse_open_shape(text));
    TARMAC_CHECK_OK(fix_input_shape(model, named.first, named.second));
  }
  const Model before = args.verify ? clone_model(model) : Model();
  OptimizeOptions options;
  options.skip = {args.skip.begin(), args.skip.end()};
  options.only = {args.only.begin(), args.only.end()};
  options.trace = args.trace;
  if (args.opset != 0) options.opset = args.opset;
  options.heads = args.heads;
  options.hidden_size = args.hidden;
  TARMAC_TRY(const OptimizeReport report, optimize_model(model, options, targets, run.progress));
  run.output.json() = to_json(report);
  print(run.output, report);
  if (std::find(args.targets.begin(), args.targets.end(), "tensorrt") != args.targets.end())
    TARMAC_CHECK_OK(emit_for_tensorrt(model, run.output));
  if (args.verify)
    TARMAC_CHECK_OK(verify_optimized({original, before, model}, options, targets, args.verifying, run));
  // Its own proof: the comparison above is for rewrites that change rounding only.
  TARMAC_CHECK_OK(convert_precision(model, args.precision, args.verifying.data, targets, run));
  if (!args.precision.type.empty()) TARMAC_CHECK_OK(lift_again(model, options, targets, run.progress));
  if (run.progress.cancelled()) return make_error(ErrorCode::kCancelled, "interrupted; nothing was written");
  TARMAC_CHECK_OK(save_model(model, args.output));
  run.output.json()["output"] = args.output;
  run.output.line("Written to {}", args.output);
  return {};
}

}  // namespace

void add_optimize(Commands& commands) {
  const auto args = std::make_shared<OptimizeArgs>();
  CLI::App& command = commands.add(
      "optimize", "Fold, fuse and clean up a model without changing what it computes",
      {"tarmac optimize model.onnx -o optimized.onnx --verify",
       "tarmac optimize model.onnx -o optimized.onnx --verify --contract deploy.yaml --samples 50",
       "tarmac optimize model.onnx -o fixed.onnx --fix-shape image:1x3x224x224",
       "tarmac optimize model.onnx -o out.onnx --opset 17 --target onnxruntime",
       "tarmac optimize model.onnx -o tensorrt.onnx --target tensorrt",
       "tarmac optimize model.onnx -o half.onnx --precision fp16 --contract deploy.yaml --keep-io",
       "tarmac optimize model.onnx -o out.onnx --skip fuse_conv_bn --trace trace/",
       "tarmac optimize --list-passes"},
      [args](Run& run) { return optimize_command(*args, run); });
  command.add_option("model", args->model, "ONNX file")->type_name("MODEL");
  command.add_option("-o,--output", args->output, "File for the optimised model")->type_name("FILE");
  command.add_option("--skip", args->skip, "Passes to leave out")
      ->type_name("PASS[,PASS]")
      ->delimiter(',')
      ->allow_extra_args(false);
  command.add_option("--only", args->only, "Run only these passes")
      ->type_name("PASS[,PASS]")
      ->delimiter(',')
      ->allow_extra_args(false);
  command
      .add_option(
          "--fix-shape", args->shapes,
          "Give an input a fixed shape, with ? for sizes left open (1x3x?x?); repeat it for further inputs")
      ->type_name("NAME:SHAPE")
      ->allow_extra_args(false);
  command
      .add_option(
          "--target", args->targets,
          "Engines that shall run the result: it uses operators that each of them has (default: every "
          "engine that is here)")
      ->type_name("TARGET[,TARGET]")
      ->delimiter(',')
      ->allow_extra_args(false);
  command
      .add_option("--opset", args->opset,
                  "Opset of the result, higher or lower (default: the model's, or a newer one that a fusion "
                  "needs and the targets run)")
      ->type_name("N")
      ->check(CLI::Range(kOldestOpset, newest_opset()));
  command.add_option("--trace", args->trace, "Folder for the graph as text before and after each pass")
      ->type_name("DIR");
  command.add_option("--heads", args->heads, "Number of attention heads, where the graph does not tell it")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--hidden", args->hidden,
                  "Width of the hidden state, all heads together, where the graph does not tell it")
      ->check(CLI::PositiveNumber);
  command.add_flag("--verify", args->verify,
                   "Compare the result with the original on ONNX Runtime before it is written, and name the "
                   "pass that makes it differ");
  args->verifying.add(command);
  args->precision.add(command);
  command.add_flag("--list-passes", args->list_passes, "List the passes and exit");
}

}  // namespace tarmac::cli
