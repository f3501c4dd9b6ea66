#include <algorithm>
#include <memory>
#include <sstream>

#include "cli/args/signature_args.h"
#include "cli/commands/commands.h"
#include "plan/plan_file.h"
#include "report/model_json.h"
#include "tarmac/model.h"
#include "tarmac/plan.h"

namespace tarmac::cli {
namespace {

struct InspectArgs {
  std::string path;
  std::vector<std::string> sizes;
  SignatureArgs signature;
};

void print(Output& output, const char* title, const std::vector<TensorSpec>& specs) {
  output.line("{}", title);
  Table table({{"name"}, {"type"}});
  for (const TensorSpec& spec : specs) table.add({spec.name, spec.type});
  table.print(output);
}

/// "batch=8" pairs.
Result<InspectOptions> parse_sizes(const std::vector<std::string>& texts) {
  InspectOptions options;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    std::int64_t size = 0;
    if (equals == std::string::npos || equals == 0 ||
        !CLI::detail::lexical_cast(text.substr(equals + 1), size) || size < 0) {
      return make_error(ErrorCode::kUsage, "expected SYMBOL=N such as batch=8, found '" + text + "'");
    }
    options.sizes[text.substr(0, equals)] = size;
  }
  return options;
}

void print_operators(Output& output, const ModelInfo& info) {
  std::vector<std::pair<std::string, std::int64_t>> operators(info.operators.begin(), info.operators.end());
  std::stable_sort(operators.begin(), operators.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  output.line("Operators");
  Table table({{"operator"}, {"nodes", Table::Align::kRight}});
  for (const auto& [name, nodes] : operators) table.add({name, format_count(nodes)});
  table.print(output);
}

std::string opsets_text(const ModelInfo& info) {
  std::string text;
  for (const auto& [domain, version] : info.opsets) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", domain.empty() ? "ai.onnx" : domain, version);
  }
  return text;
}

void print(Output& output, const std::string& path, const ModelInfo& info) {
  output.line("{}: ONNX model, {}, IR version {}, opset {}", path, format_bytes(info.file_bytes),
              info.ir_version, opsets_text(info));
  if (!info.producer.empty()) output.line("Producer: {}", info.producer);
  output.line("SHA-256: {}", info.digest);
  print(output, "Inputs", info.inputs);
  print(output, "Outputs", info.outputs);
  print_operators(output, info);
  output.line("Nodes: {}", format_count(info.nodes));
  output.line("Parameters: {} ({})", format_count(info.parameters), format_bytes(info.weight_bytes));
  std::string assumed;
  for (const auto& [symbol, size] : info.assumed_sizes) {
    assumed += fmt::format("{}{} = {}", assumed.empty() ? " with " : ", ", symbol, size);
  }
  if (info.flops) {
    output.line("FLOPs: {}{}{}", format_si(static_cast<double>(*info.flops)), assumed,
                info.uncounted_nodes > 0 ? fmt::format(" ({} nodes not counted)", info.uncounted_nodes) : "");
  }
  if (info.peak_activation_bytes) {
    output.line("Peak activations: {}{}", format_bytes(*info.peak_activation_bytes), assumed);
  }
  if (!info.unknown_because.empty()) output.line("Not counted: {}", info.unknown_because);
}

/// A list of objects as a table with a column for each key; anything else as it is.
void print_table(Output& output, const char* title, const std::string& text) {
  const Json rows = embedded(text);
  if (rows.is_null()) return;
  std::vector<std::string> keys;
  bool flat = rows.is_array() && !rows.empty();
  if (flat) {
    for (const Json& row : rows) {
      flat = flat && row.is_object();
      for (const auto& [key, value] : row.items()) {
        if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
      }
    }
  }
  if (!flat) return output.line("{}: {}", title, rows.dump());
  std::vector<Table::Column> columns;
  for (const std::string& key : keys) columns.push_back({key});
  Table table(columns);
  for (const Json& row : rows) {
    std::vector<std::string> cells;
    for (const std::string& key : keys) {
      const Json value = row.value(key, Json());
      cells.push_back(value.is_null() ? "-" : value.is_string() ? value.get<std::string>() : value.dump());
    }
    table.add(std::move(cells));
  }
  output.line("{}", title);
  table.print(output);
}

void print_profiles(Output& output, const std::vector<PlanProfile>& profiles) {
  if (profiles.empty()) return;
  output.line("Profiles");
  Table table({{"profile", Table::Align::kRight}, {"input"}, {"min"}, {"opt"}, {"max"}, {"made ready"}});
  for (std::size_t i = 0; i < profiles.size(); ++i) {
    for (const auto& [input, spec] : profiles[i].shapes) {
      std::string ready;
      for (const InputShapes& bucket : profiles[i].buckets) {
        const auto shape = bucket.find(input);
        if (shape != bucket.end()) ready += (ready.empty() ? "" : ", ") + tarmac::to_string(shape->second);
      }
      table.add({std::to_string(i + 1), input, tarmac::to_string(spec.min), tarmac::to_string(spec.opt),
                 tarmac::to_string(spec.max), ready.empty() ? "-" : ready});
    }
  }
  table.print(output);
}

void print(Output& output, const std::string& path, const PlanInfo& info) {
  output.line("{}: Tarmac plan, {}, format {}, written by Tarmac {}", path, format_bytes(info.file_bytes),
              info.format_version, info.tool_version);
  output.line("Target: {} ({}), {} cores, {} streams, precision {}", info.target, info.engine_version,
              info.cores == 0 ? "all" : std::to_string(info.cores), info.streams, info.precision);
  output.line("Processor: {}",
              info.cpu_features.empty() ? "any" : fmt::format("{}", fmt::join(info.cpu_features, " ")));
  if (!info.gpu.empty()) output.line("GPU: {}", info.gpu);
  output.line("Signature: {}", info.signed_by.empty() ? "none" : "Ed25519 by " + info.signed_by);
  output.line("Made by this user on this machine: {}", info.sealed_here ? "yes" : "no");
  output.line("Engine inside: {}", !info.has_engine   ? "no, it is built when the plan is opened"
                                   : info.sealed_here ? "yes"
                                                      : "yes; built again unless its signature is required");
  print(output, "Inputs", info.inputs);
  print(output, "Outputs", info.outputs);
  print_profiles(output, info.profiles);
  std::istringstream preprocessing(info.preprocessing);
  for (std::string line; std::getline(preprocessing, line);) output.line("Preprocessing of {}", line);
  if (!info.labels.empty()) output.line("Labels: {}", fmt::join(info.labels, ", "));
  output.line("Model SHA-256: {}", info.model_digest);
  if (!info.source_digest.empty()) output.line("Source SHA-256: {}", info.source_digest);
  if (!info.origin_json.empty()) output.line("Exported from: {}", info.origin_json);
  if (!info.data_digest.empty()) output.line("Data SHA-256: {}", info.data_digest);
  print_table(output, "Acceptance", info.acceptance_json);
  print_table(output, "Measured candidates", info.tried_json);
  output.line("Sections");
  Table table({{"name"}, {"bytes", Table::Align::kRight}, {"SHA-256"}});
  for (const PlanSection& section : info.sections) {
    table.add({section.name, format_count(static_cast<std::int64_t>(section.size_bytes)), section.sha256});
  }
  table.print(output);
}

Status inspect(const InspectArgs& args, Run& run) {
  if (is_plan(args.path) || !args.signature.required_signer.empty()) {
    TARMAC_TRY(const PlanInfo info, inspect_plan(args.path, args.signature.required_signer));
    run.output.json() = to_json(info);
    print(run.output, args.path, info);
    return {};
  }
  TARMAC_TRY(const InspectOptions options, parse_sizes(args.sizes));
  TARMAC_TRY(const ModelInfo info, inspect_model(args.path, options));
  run.output.json() = to_json(info);
  print(run.output, args.path, info);
  return {};
}

}  // namespace

void add_inspect(Commands& commands) {
  const auto args = std::make_shared<InspectArgs>();
  CLI::App& command = commands.add(
      "inspect", "Show a model's or plan's inputs, outputs, operators and cost",
      {"tarmac inspect model.onnx", "tarmac inspect model.onnx --size batch=8",
       "tarmac inspect model.plan --json", "tarmac inspect model.plan --require-signature signer.pub.pem"},
      [args](Run& run) { return inspect(*args, run); });
  command.add_option("model", args->path, "ONNX file or plan")->type_name("MODEL|PLAN")->required();
  command
      .add_option("--size", args->sizes,
                  "Size that a symbol of the shapes stands for in the counts (default: 1)")
      ->type_name("SYMBOL=N")
      ->allow_extra_args(false);
  args->signature.add(command);
}

}  // namespace tarmac::cli
