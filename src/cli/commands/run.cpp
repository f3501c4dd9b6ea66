#include <memory>

#include "cli/args/input_files.h"
#include "cli/args/output_args.h"
#include "cli/args/target_args.h"
#include "cli/commands/commands.h"
#include "cli/tensor_summary.h"
#include "metrics/classification.h"
#include "tarmac/session.h"
#include "tensor/io.h"

namespace tarmac::cli {
namespace {

struct RunArgs {
  std::string model;
  TargetArgs target;
  std::vector<std::string> inputs;
  std::string contract;
  std::string output_dir;
};

/// What the contract, given or inside the plan, says about inputs and outputs.
struct Meaning {
  Preprocessors preprocessors;
  std::vector<std::string> labels;
  std::string scores_output;  ///< empty: the only output
};

Result<Meaning> find_meaning(const RunArgs& args, const Session& session) {
  Meaning meaning;
  if (const PlanInfo* plan = session.plan(); plan != nullptr) {
    if (!args.contract.empty()) {
      return make_error(ErrorCode::kUsage, "the plan carries its own preprocessing; leave --contract out", {},
                        args.model);
    }
    meaning.labels = plan->labels;
    TARMAC_TRY(const PlanFile file, PlanFile::open(args.model));
    TARMAC_TRY(meaning.preprocessors, load_preprocessors(file));
    return meaning;
  }
  if (args.contract.empty()) return meaning;
  // The data that a contract names need not be here to run a model.
  ContractOptions options;
  options.files_must_exist = false;
  TARMAC_TRY(const Contract contract, load_contract(args.contract, options));
  TARMAC_TRY(meaning.preprocessors, make_preprocessors(contract));
  meaning.labels = contract.labels;
  if (contract.evaluation) meaning.scores_output = contract.evaluation->output;
  return meaning;
}

/// The file that an output is written to: "a/b" becomes "a_b.npy".
std::string output_file_name(std::string name) {
  std::replace(name.begin(), name.end(), '/', '_');
  return name + ".npy";
}

bool is_scores(const Meaning& meaning, const Session& session, const std::string& output,
               const Tensor& tensor) {
  if (meaning.labels.empty()) return false;
  if (meaning.scores_output.empty() ? session.outputs().size() != 1 : meaning.scores_output != output)
    return false;
  const auto classes = static_cast<std::int64_t>(meaning.labels.size());
  return tensor.shape().size() >= 1 && tensor.shape().size() <= 2 && tensor.shape().back() == classes;
}

struct TopLabel {
  std::int64_t index = -1;
  std::string label;
  double probability = 0;  ///< softmax of the scores
};

Result<std::vector<TopLabel>> top_labels(const Meaning& meaning, const Tensor& scores) {
  TARMAC_TRY(const auto indices, argmax_rows(scores));
  TARMAC_TRY(const auto probabilities, softmax_rows(scores));
  std::vector<TopLabel> labels;
  for (std::size_t row = 0; row < indices.size(); ++row) {
    if (indices[row] < 0) {
      labels.push_back({-1, "none (NaN)", 0});
      continue;
    }
    const auto index = static_cast<std::size_t>(indices[row]);
    labels.push_back({indices[row], meaning.labels[index], probabilities[row][index]});
  }
  return labels;
}

Status bind(const RunInputs& files, const Meaning& meaning, Session& session, Json& json) {
  json["inputs"] = Json::object();
  for (const TensorSpec& input : session.inputs()) {
    const auto& file = files.files.at(input.name);
    TARMAC_TRY(Tensor tensor, read_input(input, file, meaning.preprocessors));
    const TensorSummary summary = summarize(tensor);
    warn_of_bad_values(summary, tensor, fmt::format("input '{}' ({})", input.name, file.string()));
    json["inputs"][input.name] = describe_json(tensor, summary);
    json["inputs"][input.name]["file"] = file.string();
    if (auto status = session.set_input(input.name, std::move(tensor)); !status) {
      if (status.error().context.empty()) status.error().context = file.string();
      return status;
    }
  }
  return {};
}

Status read_outputs(const RunInputs& files, const Meaning& meaning, const std::filesystem::path& folder,
                    Session& session, Table& table, Json& json) {
  json["outputs"] = Json::object();
  for (const TensorSpec& output : session.outputs()) {
    TARMAC_TRY(const Tensor tensor, session.output(output.name));
    const TensorSummary summary = summarize(tensor);
    warn_of_bad_values(
        summary, tensor,
        fmt::format("output '{}'{}", output.name, files.name.empty() ? "" : " of " + files.name));
    Json& entry = json["outputs"][output.name] = describe_json(tensor, summary);
    if (!folder.empty()) {
      const auto file = folder / output_file_name(output.name);
      TARMAC_CHECK_OK(write_npy(file, tensor));
      entry["file"] = file.string();
    }
    std::string top;
    if (is_scores(meaning, session, output.name, tensor)) {
      TARMAC_TRY(const auto labels, top_labels(meaning, tensor));
      entry["top1"] = Json::array();
      for (const TopLabel& label : labels) {
        entry["top1"].push_back(
            {{"index", label.index}, {"label", label.label}, {"probability", label.probability}});
        top += fmt::format("{}{} ({:.1f} %)", top.empty() ? "" : ", ", label.label, 100 * label.probability);
      }
    }
    table.add({files.name, output.name,
               fmt::format("{}{}", tarmac::to_string(tensor.dtype()), tarmac::to_string(tensor.shape())),
               fmt::format("{:.6g}", summary.min), fmt::format("{:.6g}", summary.max),
               fmt::format("{:.6g}", summary.mean), top});
  }
  return {};
}

/// Two outputs whose names differ in '/' and '_' only would overwrite each other.
Status check_output_names(const Session& session) {
  std::map<std::string, std::string> files;
  for (const TensorSpec& output : session.outputs()) {
    const auto [other, is_new] = files.emplace(output_file_name(output.name), output.name);
    if (!is_new) {
      return make_error(ErrorCode::kUnsupported, "outputs '" + other->second + "' and '" + output.name +
                                                     "' would both be written as " + other->first +
                                                     "; rename one of them");
    }
  }
  return {};
}

Status run_model(const RunArgs& args, Run& run) {
  if (!args.target.name().empty()) TARMAC_CHECK_OK(open_target(args.target.name()));
  TARMAC_TRY(Session session, Session::open(args.model, {.target = args.target.name(),
                                                         .cores = args.target.cores,
                                                         .providers = args.target.providers,
                                                         .allow_fallback = args.target.allow_fallback}));
  TARMAC_TRY(const Meaning meaning, find_meaning(args, session));
  TARMAC_TRY(const auto runs, plan_runs(args.inputs, session.inputs()));
  if (!args.output_dir.empty()) {
    TARMAC_CHECK_OK(check_output_names(session));
    TARMAC_CHECK_OK(make_output_folder(args.output_dir));
  }

  Json& json = run.output.json();
  json = {{"model", args.model},
          {"target", session.target()},
          {"engine_version", session.engine_version()},
          {"notes", session.notes()},
          {"runs", Json::array()}};
  Table table({{"run"},
               {"output"},
               {"type"},
               {"min", Table::Align::kRight},
               {"max", Table::Align::kRight},
               {"mean", Table::Align::kRight},
               {meaning.labels.empty() ? "" : "top 1"}});
  run.progress.start("run", runs.size());
  for (const RunInputs& files : runs) {
    if (run.progress.cancelled()) return make_error(ErrorCode::kCancelled, "interrupted");
    Json entry = {{"name", files.name}};
    TARMAC_CHECK_OK(bind(files, meaning, session, entry));
    TARMAC_CHECK_OK(session.run());
    std::filesystem::path folder = args.output_dir;
    if (!folder.empty() && runs.size() > 1) {
      folder /= files.name;
      TARMAC_CHECK_OK(make_output_folder(folder));
    }
    TARMAC_CHECK_OK(read_outputs(files, meaning, folder, session, table, entry));
    json["runs"].push_back(std::move(entry));
    run.progress.advance();
  }
  run.progress.finish();

  run.output.line("{} on {} ({})", args.model, session.target(), session.engine_version());
  table.print(run.output);
  for (const std::string& note : session.notes()) run.output.line("Note: {}", note);
  if (!args.output_dir.empty()) run.output.line("Outputs written to {}", args.output_dir);
  return {};
}

}  // namespace

void add_run(Commands& commands) {
  const auto args = std::make_shared<RunArgs>();
  CLI::App& command =
      commands.add("run", "Run a model on tensors or pictures and write its outputs",
                   {"tarmac run model.onnx --input image=frame.npy",
                    "tarmac run model.onnx --contract deploy.yaml --input image=frames/ --output-dir out",
                    "tarmac run model.plan --input image=frame.jpg --json"},
                   [args](Run& run) { return run_model(*args, run); });
  command.add_option("model", args->model, "ONNX file or plan")->type_name("MODEL|PLAN")->required();
  command
      .add_option(
          "--input", args->inputs,
          "A picture, .npy, .npz or .pb for an input, or a folder of pictures; repeat it for every input")
      ->type_name("NAME=FILE|DIR")
      ->allow_extra_args(false);
  command
      .add_option("--contract", args->contract,
                  "deploy.yaml with the preprocessing of pictures, and the labels")
      ->type_name("FILE");
  command
      .add_option(
          "--output-dir", args->output_dir,
          "Folder for the outputs, NAME.npy each ('/' in a name becomes '_'); one sub-folder a picture")
      ->type_name("DIR");
  args->target.add_one(command);
}

}  // namespace tarmac::cli
