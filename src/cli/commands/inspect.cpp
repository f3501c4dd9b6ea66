#include <memory>
#include <sstream>

#include "cli/commands/commands.h"
#include "plan/plan_file.h"
#include "tarmac/model.h"
#include "tarmac/plan.h"

namespace tarmac::cli {
namespace {

struct InspectArgs {
  std::string path;
  std::vector<std::string> sizes;
};

Json to_json(const std::vector<TensorSpec>& specs) {
  Json list = Json::array();
  for (const TensorSpec& spec : specs) {
    Json shape;  // null: unknown rank
    if (spec.shape) {
      shape = Json::array();
      for (const TensorDim& dim : *spec.shape) {
        std::visit([&](const auto& size) { shape.push_back(size); }, dim);
      }
    }
    list.push_back(
        {{"name", spec.name}, {"dtype", to_string(spec.dtype)}, {"shape", shape}, {"type", spec.type}});
  }
  return list;
}

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

Json to_json(const ModelInfo& info) {
  Json json = {{"kind", "model"},
               {"file_bytes", info.file_bytes},
               {"sha256", info.digest},
               {"ir_version", info.ir_version},
               {"opsets", info.opsets},
               {"producer", info.producer},
               {"inputs", to_json(info.inputs)},
               {"outputs", to_json(info.outputs)},
               {"operators", info.operators},
               {"nodes", info.nodes},
               {"parameters", info.parameters},
               {"weight_bytes", info.weight_bytes},
               {"assumed_sizes", info.assumed_sizes},
               {"flops", nullptr},
               {"uncounted_nodes", info.uncounted_nodes},
               {"peak_activation_bytes", nullptr},
               {"unknown_because", info.unknown_because}};
  if (info.flops) json["flops"] = *info.flops;
  if (info.peak_activation_bytes) json["peak_activation_bytes"] = *info.peak_activation_bytes;
  return json;
}

Json to_json(const PlanProfile& profile) {
  Json json = Json::object();
  for (const auto& [input, spec] : profile)
    json[input] = {{"min", spec.min}, {"opt", spec.opt}, {"max", spec.max}};
  return json;
}

/// Text that a plan carries as JSON; null when there is none.
Json embedded(const std::string& text) { return text.empty() ? Json() : Json::parse(text, nullptr, false); }

Json to_json(const PlanInfo& info) {
  Json json = {{"kind", "plan"},
               {"format_version", info.format_version},
               {"file_bytes", info.file_bytes},
               {"tool_version", info.tool_version},
               {"target", info.target},
               {"engine_version", info.engine_version},
               {"providers", info.providers},
               {"allow_fallback", info.allow_fallback},
               {"cores", info.cores},
               {"model_sha256", info.model_digest},
               {"source_sha256", info.source_digest},
               {"cpu_features", info.cpu_features},
               {"inputs", to_json(info.inputs)},
               {"outputs", to_json(info.outputs)},
               {"precision", info.precision},
               {"precision_details", embedded(info.precision_json)},
               {"preprocessing", info.preprocessing},
               {"labels", info.labels},
               {"acceptance", embedded(info.acceptance_json)}};
  json["profiles"] = Json::array();
  for (const PlanProfile& profile : info.profiles) json["profiles"].push_back(to_json(profile));
  json["sections"] = Json::array();
  for (const PlanSection& section : info.sections) {
    json["sections"].push_back({{"name", section.name},
                                {"offset_bytes", section.offset_bytes},
                                {"size_bytes", section.size_bytes},
                                {"sha256", section.sha256}});
  }
  return json;
}

void print(Output& output, const std::string& path, const PlanInfo& info) {
  output.line("{}: Tarmac plan, {}, format {}, written by Tarmac {}", path, format_bytes(info.file_bytes),
              info.format_version, info.tool_version);
  output.line("Target: {} ({}), {} cores, precision {}", info.target, info.engine_version,
              info.cores == 0 ? "all" : std::to_string(info.cores), info.precision);
  output.line("Processor: {}",
              info.cpu_features.empty() ? "any" : fmt::format("{}", fmt::join(info.cpu_features, " ")));
  print(output, "Inputs", info.inputs);
  print(output, "Outputs", info.outputs);
  if (!info.profiles.empty()) {
    output.line("Profiles");
    Table table({{"input"}, {"min"}, {"opt"}, {"max"}});
    for (const PlanProfile& profile : info.profiles) {
      for (const auto& [input, spec] : profile) {
        table.add(
            {input, tarmac::to_string(spec.min), tarmac::to_string(spec.opt), tarmac::to_string(spec.max)});
      }
    }
    table.print(output);
  }
  std::istringstream preprocessing(info.preprocessing);
  for (std::string line; std::getline(preprocessing, line);) output.line("Preprocessing of {}", line);
  if (!info.labels.empty()) output.line("Labels: {}", fmt::join(info.labels, ", "));
  output.line("Model SHA-256: {}", info.model_digest);
  if (!info.source_digest.empty()) output.line("Source SHA-256: {}", info.source_digest);
  output.line("Sections");
  Table table({{"name"}, {"bytes", Table::Align::kRight}, {"SHA-256"}});
  for (const PlanSection& section : info.sections) {
    table.add({section.name, format_count(static_cast<std::int64_t>(section.size_bytes)), section.sha256});
  }
  table.print(output);
}

Status inspect(const InspectArgs& args, Run& run) {
  if (is_plan(args.path)) {
    TARMAC_TRY(const PlanInfo info, inspect_plan(args.path));
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
  CLI::App& command = commands.add("inspect", "Show a model's or plan's inputs, outputs, operators and cost",
                                   {"tarmac inspect model.onnx", "tarmac inspect model.onnx --size batch=8",
                                    "tarmac inspect model.plan --json"},
                                   [args](Run& run) { return inspect(*args, run); });
  command.add_option("model", args->path, "ONNX file or plan")->type_name("MODEL|PLAN")->required();
  command
      .add_option("--size", args->sizes,
                  "Size that a symbol of the shapes stands for in the counts (default: 1)")
      ->type_name("SYMBOL=N")
      ->allow_extra_args(false);
}

}  // namespace tarmac::cli
