#include "cli/run/run_files.h"

#include <algorithm>

#include "cli/args/input_files.h"
#include "cli/args/output_args.h"
#include "cli/tensor_summary.h"
#include "tensor/io.h"

namespace tarmac::cli {
namespace {

/// The file that an output is written to: "a/b" becomes "a_b.npy".
std::string output_file_name(std::string name) {
  std::replace(name.begin(), name.end(), '/', '_');
  return name + ".npy";
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
    if (auto status = session.set_input(input.name, tensor); !status) {
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

}  // namespace

Status run_files(const RunArgs& args, const Meaning& meaning, Session& session, Run& run) {
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

}  // namespace tarmac::cli
