#include "cli/optimize_precision.h"

#include <fmt/format.h>

#include <array>
#include <map>

#include "cli/args/fraction.h"
#include "cli/compare.h"
#include "precision/convert.h"
#include "report/model_json.h"
#include "verify/reference_engine.h"

namespace tarmac::cli {
namespace {

/// Enough to see ranges; each is run several times in emulation.
constexpr std::size_t kProfiledSamples = 32;
constexpr std::int64_t kMadeUpBatches = 3;

/// Where the samples come from: real data, or made-up inputs.
struct Samples {
  std::unique_ptr<OpenData> data;
  DataFactory open;
  std::uint64_t batches = 0;
  std::string from;
};

Result<Samples> open_samples(const DataArgs& args, const Model& model) {
  Samples samples;
  if (args.given()) {
    TARMAC_TRY(samples.data, OpenData::open(args, model));
    const std::size_t limit =
        args.samples > 0 ? samples.data->samples() : std::min(kProfiledSamples, samples.data->samples());
    samples.open = [data = samples.data.get(), limit] { return data->batches(1, limit); };
    const std::size_t batch = samples.data->effective_batch(1);
    samples.batches = (limit + batch - 1) / batch;
    samples.from = fmt::format("{} samples of {}", limit, samples.data->path());
    return samples;
  }
  std::vector<TensorInfo> inputs;
  for (const Value* input : model.graph->inputs()) {
    if (input->initializer() == nullptr) inputs.push_back({input->name(), input->type});
  }
  const std::int64_t count = args.samples > 0 ? args.samples : kMadeUpBatches;
  samples.open = [inputs, count]() -> Result<BatchSource> {
    return BatchSource(made_up_batches(inputs, {}, count));
  };
  samples.batches = static_cast<std::uint64_t>(count);
  samples.from = fmt::format("{} made-up inputs", count);
  return samples;
}

Json types_of(const std::vector<Value*>& values) {
  Json types = Json::object();
  for (const Value* value : values) types[value->name()] = to_string(value->type);
  return types;
}

/// Rows of equal operator and reason together; all names and figures are in the JSON.
void print_kept(const std::vector<KeptInFloat32>& nodes, Output& out) {
  constexpr std::size_t kRows = 40;
  std::vector<std::pair<const KeptInFloat32*, std::size_t>> groups;
  std::map<std::pair<std::string, std::string>, std::size_t> known;
  for (const KeptInFloat32& node : nodes) {
    const auto [at, fresh] = known.emplace(std::make_pair(node.op_type, node.reason), groups.size());
    if (fresh) groups.emplace_back(&node, 0);
    ++groups[at->second].second;
  }
  Table table({{"stays in float32"}, {"operator"}, {"reason"}});
  for (std::size_t i = 0; i < std::min(kRows, groups.size()); ++i) {
    const auto& [node, count] = groups[i];
    table.add({count == 1 ? node->node : fmt::format("{} and {} more", node->node, count - 1), node->op_type,
               node->reason});
  }
  if (!table.empty()) table.print(out);
  if (groups.size() > kRows)
    out.line("  and {} more reasons; --json lists every node", groups.size() - kRows);
}

void report(const PrecisionReport& report, const Samples& samples, const Model& model, Run& run) {
  Output& out = run.output;
  Json& json = out.json()["precision"];
  const char* type = to_string(report.type);
  json = to_json(report);
  json["data"] = samples.from;
  json["real_data"] = samples.data != nullptr;
  json["input_types"] = types_of(model.graph->inputs());
  json["output_types"] = types_of(model.graph->outputs());
  out.line("Precision: {} nodes in {}, {} in float32, {} casts; weights: {} before, {} after",
           report.nodes_16_bit, type, report.nodes_float32, report.casts,
           format_bytes(report.weight_bytes_before), format_bytes(report.weight_bytes_after));
  out.line(
      "Ranges from {}{}", samples.from,
      samples.data != nullptr ? "" : ": no data was given, so they say little; give --data or --contract");
  print_kept(report.kept, out);
  if (report.everything_float32) out.line("Every node stays in float32, for these reasons");
  out.line("With every node rounded to its type, against float32:");
  Table outputs({{"output"},
                 {"type"},
                 {"max error / range", Table::Align::kRight},
                 {"SNR", Table::Align::kRight},
                 {"NaN or infinity", Table::Align::kRight}});
  for (const PlannedOutput& output : report.outputs) {
    outputs.add({output.name, to_string(model.graph->find(output.name)->type),
                 fmt::format("{:.3g} %", 100 * output.max_rel), fmt::format("{:.1f} dB", output.snr_db),
                 format_count(output.broken)});
  }
  outputs.print(out);
  if (!report.proven) out.line("  the model draws random numbers: its result was planned, not compared");
}

Status to_float32(Model& model, const PrecisionArgs& args, Run& run) {
  const std::uint64_t before = weight_bytes(model);
  TARMAC_TRY(const Float32Report report, convert_to_float32(model, args.keep_io));
  const std::uint64_t after = weight_bytes(model);
  run.output.json()["precision"] = {{"type", "float32"},
                                    {"values", report.values},
                                    {"weights", report.weights},
                                    {"casts_removed", report.casts_removed},
                                    {"casts_added", report.casts_added},
                                    {"weight_bytes_before", before},
                                    {"weight_bytes_after", after},
                                    {"input_types", types_of(model.graph->inputs())},
                                    {"output_types", types_of(model.graph->outputs())}};
  run.output.line(
      "Precision: {} values and {} weights became float32, {} casts removed; weights: {} before, {} after",
      report.values, report.weights, report.casts_removed, format_bytes(before), format_bytes(after));
  return {};
}

}  // namespace

void PrecisionArgs::add(CLI::App& command) {
  constexpr const char* kGroup = "Precision";
  command
      .add_option(
          "--precision", type,
          "fp16 or bf16: store and compute in 16 bits, and keep in float32 what would overflow, underflow "
          "or lose too much; fp32: turn a 16-bit model back")
      ->type_name("fp16|bf16|fp32")
      ->check([](const std::string& word) {
        constexpr std::array kTypes = {"fp16", "bf16", "fp32"};
        const bool known = std::find(kTypes.begin(), kTypes.end(), word) != kTypes.end();
        return known ? "" : "expected fp16, bf16 or fp32, found '" + word + "'";
      })
      ->group(kGroup);
  command
      .add_flag("--keep-io", keep_io,
                "Inputs and outputs keep their types (default: they change with the model)")
      ->group(kGroup);
  command.add_option("--keep-fp32", keep, "Nodes or operators that stay in float32 in any case")
      ->type_name("NAME[,NAME]")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->group(kGroup);
  command
      .add_option("--max-error", max_error,
                  "How far outputs may move, as a share of their range (default: 1%)")
      ->type_name("SHARE")
      ->group(kGroup);
  command
      .add_option("--headroom", headroom,
                  "How much larger numbers than those seen must not overflow (default: 2)")
      ->type_name("FACTOR")
      ->check(CLI::Range(1.0, 1e6))
      ->group(kGroup);
}

Status PrecisionArgs::check() const {
  if (type.empty() && (keep_io || !keep.empty()))
    return make_error(ErrorCode::kUsage, "--keep-io and --keep-fp32 need --precision fp16, bf16 or fp32");
  if (const auto fraction = parse_fraction("--max-error", max_error); !fraction) return fraction.error();
  return {};
}

Status convert_precision(Model& model, const PrecisionArgs& args, const DataArgs& data,
                         const std::vector<Target*>& targets, Run& run) {
  if (args.type.empty()) return {};
  const DType type = dtype_from_string(args.type);
  if (type == DType::kFloat32) return to_float32(model, args, run);
  TARMAC_TRY(const Samples samples, open_samples(data, model));
  TARMAC_TRY(Target* const engine, reference_target());
  PlanOptions options;
  options.type = type;
  options.keep_io = args.keep_io;
  options.headroom = args.headroom;
  TARMAC_TRY(options.tolerance, parse_fraction("--max-error", args.max_error));
  options.batches = samples.batches;
  options.keep = {args.keep.begin(), args.keep.end()};
  options.targets = targets;
  TARMAC_TRY(const PrecisionReport done,
             convert_precision(model, options, *engine, samples.open, run.progress));
  report(done, samples, model, run);
  return {};
}

}  // namespace tarmac::cli
