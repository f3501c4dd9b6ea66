#include "cli/tune_model.h"

#include <cmath>
#include <memory>

namespace tarmac::cli {
namespace {

std::string points(double fraction) { return fmt::format("{:.2f}", 100 * fraction); }

Json finite(const std::optional<double>& number) {
  return number && std::isfinite(*number) ? Json(*number) : Json();
}

Json to_json(const MixedPrecisionResult& found, double max_drop) {
  Json groups = Json::array();
  for (const GroupRow& row : found.rows) {
    groups.push_back({{"node", row.node},
                      {"operator", row.op_type},
                      {"precision", row.int8 ? "int8" : "float32"},
                      {"reason", row.reason},
                      {"sensitivity", finite(row.sensitivity)},
                      {"snr_db", finite(row.snr_db)},
                      {"float_ns", row.float_ns},
                      {"int8_ns", row.int8_ns}});
  }
  return {{"metric", to_string(found.metric)},
          {"max_drop", max_drop},
          {"drop", found.drop()},
          {"score", {{"float", found.float_score}, {"int8", found.int8_score}, {"chosen", found.score}}},
          {"latency_ns", {{"float", found.float_ns}, {"int8", found.int8_ns}, {"chosen", found.mixed_ns}}},
          {"samples", found.samples},
          {"ranking_samples", found.held_samples},
          {"searched", found.searched},
          {"toggled_inferences", found.toggled_inferences},
          {"compiled_candidates", found.compiled_candidates},
          {"time_ns", found.time_ns},
          {"groups", std::move(groups)}};
}

void print(const MixedPrecisionResult& found, const std::string& target, Output& output) {
  const char* metric = display_name(found.metric);
  Table table({{"node"},
               {"operator"},
               {"precision"},
               {fmt::format("{} lost", metric), Table::Align::kRight},
               {"SNR dB", Table::Align::kRight},
               {"float", Table::Align::kRight},
               {"INT8", Table::Align::kRight}});
  for (const GroupRow& row : found.rows) {
    table.add({row.node, row.op_type, row.int8 ? "int8" : "float32",
               row.sensitivity ? points(*row.sensitivity) : "",
               row.snr_db ? fmt::format("{:.1f}", *row.snr_db) : "",
               format_time(static_cast<double>(row.float_ns)),
               format_time(static_cast<double>(row.int8_ns))});
  }
  table.print(output);
  output.line("{} on {} samples: {} in float, {} all in INT8, {} as chosen (drop {})", metric, found.samples,
              points(found.float_score), points(found.int8_score), points(found.score), points(found.drop()));
  output.line("Latency on {}: {} in float, {} all in INT8, {} as chosen", target, format_time(found.float_ns),
              format_time(found.int8_ns), format_time(found.mixed_ns));
  if (found.searched) {
    output.line("Searched in {}: {} models compiled, {} runs with switched groups on {} samples",
                format_time(static_cast<double>(found.time_ns)), found.compiled_candidates,
                found.toggled_inferences, found.held_samples);
  }
}

}  // namespace

Result<MixedPrecisionResult> tune_model(const TuneJob& job, Run& run) {
  TARMAC_TRY(const double max_drop, job.args.parsed());
  Contract contract = job.data.contract();
  std::unique_ptr<Dataset> evaluation;
  if (contract.evaluation_data) {
    TARMAC_TRY(Dataset opened, Dataset::open(contract, *contract.evaluation_data));
    evaluation = std::make_unique<Dataset>(std::move(opened));
  } else {
    contract.evaluation.reset();  // labels are missing; agreement needs none
  }
  const Dataset& dataset = evaluation ? *evaluation : job.data.dataset();
  TARMAC_TRY(MixedPrecisionResult found, tune_precision({.model = job.model,
                                                         .groups = job.groups,
                                                         .quantize = job.quantize,
                                                         .target = job.target,
                                                         .compile = job.options,
                                                         .contract = contract,
                                                         .data = dataset,
                                                         .max_drop = max_drop,
                                                         .top_k = static_cast<std::size_t>(job.args.top_k)},
                                                        run.progress));
  run.output.json()["mixed_precision"] = to_json(found, max_drop);
  print(found, job.target.name(), run.output);
  if (!found.verdict) return std::move(found.verdict).error();
  return found;
}

}  // namespace tarmac::cli
