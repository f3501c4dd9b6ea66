#include "cli/quantize_static_model.h"

#include <cmath>

#include "cli/calibrate_model.h"
#include "cli/tune_model.h"
#include "graph/model_io.h"
#include "plan/cpu_features.h"
#include "precision/calibrate_dataset.h"
#include "runtime/compile.h"
#include "tune/compare_latency.h"
#include "tune/twin_model.h"

namespace tarmac::cli {
namespace {

constexpr double kMeasured_s = 0.2;
// Latencies of two runs of one model differ by this much.
constexpr double kNoise = 1.02;

std::string decibels(double noise) {
  return noise > 0 ? fmt::format("{:.1f} dB", -10 * std::log10(noise)) : "no noise";
}

void say(const AccuracyReport& done, const char* what, Run& run) {
  Json& json = run.output.json()["accuracy"][what];
  json = {{"noise_before", done.noise_before}, {"noise_after", done.noise_after}};
  for (const auto& [key, list] :
       {std::pair("changes", &done.changes), std::pair("declined", &done.declined)}) {
    Json& rows = json[key] = Json::array();
    for (const Change& change : *list)
      rows.push_back({{"pass", change.pass}, {"node", change.node}, {"what", change.what}});
  }
  if (!done.changes.empty()) {
    run.output.line("{}: {} nodes changed, SNR of the outputs {} before, {} after", what, done.changes.size(),
                    decibels(done.noise_before), decibels(done.noise_after));
  }
  for (const Change& change : done.declined) {
    if (change.node.empty()) run.output.line("{}: {}", change.pass, change.what);
  }
}

void report(const QuantizeReport& report, Run& run) {
  std::size_t quantized = 0;
  Table table({{"stays in float"}, {"operator"}, {"reason"}});
  Json& nodes = run.output.json()["nodes"] = Json::array();
  for (const QuantizedNode& node : report.nodes) {
    nodes.push_back({{"node", node.node},
                     {"operator", node.op_type},
                     {"quantized", node.quantized},
                     {"reason", node.reason}});
    quantized += node.quantized ? 1 : 0;
    if (!node.quantized) table.add({node.node, node.op_type, node.reason});
  }
  run.output.json()["float_weight_bytes"] = report.float_weight_bytes;
  run.output.json()["int8_weight_bytes"] = report.int8_weight_bytes;
  run.output.line("Quantised {} of {} nodes; their weights: {} before, {} after", quantized,
                  report.nodes.size(), format_bytes(report.float_weight_bytes),
                  format_bytes(report.int8_weight_bytes));
  if (!table.empty()) table.print(run.output);
}

/// 7 bits where this processor's sums of 8-bit products saturate.
int weight_bits(const StaticJob& job, Output& output) {
  if (job.weight_bits <= int8_weight_bits()) return job.weight_bits;
  output.json()["notes"].push_back(kSevenBitsNote);
  output.line("Note: {}", kSevenBitsNote);
  return int8_weight_bits();
}

/// Refuses a model that the target runs no faster than the float one.
Status check_faster(const Model& before, const Model& after, const StaticJob& job, Run& run) {
  Model plain = clone_model(before);
  Model quantized = clone_model(after);
  TARMAC_TRY(const auto slow, compile_model(*job.target, plain, job.options, run.progress));
  TARMAC_TRY(const auto fast, compile_model(*job.target, quantized, job.options, run.progress));
  std::map<std::string, Tensor> inputs;
  if (job.data != nullptr) {
    TARMAC_TRY(inputs, job.data->dataset().load(0));
  }
  for (const TensorInfo& input : slow->inputs()) {
    if (!inputs.contains(input.name)) return {};  // carried state, or no data at hand
  }
  const std::vector<Executable*> models = {slow.get(), fast.get()};
  TARMAC_TRY(const auto times, median_latencies(models, inputs, kMeasured_s, run.progress));
  run.output.json()["latency_ns"] = {{"float", times[0]}, {"int8", times[1]}};
  run.output.line("Latency on {}: {} in float, {} in INT8", job.target->name(), format_time(times[0]),
                  format_time(times[1]));
  if (times[1] <= times[0] * kNoise || job.accuracy.allow_slower) return {};
  return make_error(
      ErrorCode::kUnsupported,
      fmt::format("on {} the INT8 model takes {}, the float model {}: keep the float model, or take "
                  "another target; --allow-slower writes it all the same",
                  job.target->name(), format_time(times[1]), format_time(times[0])));
}

}  // namespace

Status quantize_static_model(Model& model, const StaticJob& job, Run& run) {
  if (job.drop.given()) name_nodes(model);
  const Model before = clone_model(model);
  const AccuracyOptions accuracy = job.accuracy.options(job.options);
  QuantizeOptions options;
  options.activations = job.accuracy.form();
  options.int32_bias = options.activations != ActivationForm::kSigned;
  options.weight_bits = weight_bits(job, run.output);
  const std::vector<Target*> targets =
      job.target != nullptr ? std::vector<Target*>{job.target} : all_targets();
  const FusionRules rules = common_fusion_rules(targets);

  SampleSet samples;
  if (job.data != nullptr) {
    TARMAC_TRY(samples, choose_samples(job.data->contract(), job.data->dataset(), model, job.calibrate_on,
                                       run.progress));
    run.progress.start("equalise channels", 0);
    TARMAC_TRY(const AccuracyReport prepared,
               prepare_for_int8(model, rules, job.calibrate_on, accuracy, options, samples, run.progress));
    run.progress.finish();
    say(prepared, "equalisation", run);
  }
  const FusionGroups groups = find_fusion_groups(model, rules);
  TARMAC_TRY(const CalibrationRecord seen,
             calibrate_model({job.calibration, model, observed_values(model, groups), job.data,
                              job.calibrate_on, job.options},
                             run));
  if (!job.calibration.shard.empty()) return {};
  const Ranges ranges = ranges_of(seen.statistics, job.calibration.clipping());
  Json& json = run.output.json()["calibration"]["ranges"] = Json::object();
  for (const auto& [name, range] : ranges) json[name] = {range.min, range.max};
  const Model equalised = clone_model(model);
  if (job.data != nullptr) {
    run.progress.start("adapt weights and biases", 0);
    TARMAC_TRY(const AccuracyReport adapted, adapt_for_int8(model, groups, ranges, job.calibrate_on, accuracy,
                                                            options, samples, run.progress));
    run.progress.finish();
    say(adapted, "adaptation", run);
  }
  if (job.drop.given()) {
    // Biases correct what the groups in INT8 do together, so each choice of them has its own.
    const GroupQuantizer quantize = [&](Model& copy, const FusionGroups& chosen) -> Result<QuantizeReport> {
      if (chosen.groups.size() == groups.groups.size()) {
        copy = clone_model(model);
      } else {
        TARMAC_CHECK_OK(
            adapt_for_int8(copy, chosen, ranges, job.calibrate_on, accuracy, options, samples, run.progress));
      }
      return quantize_static(copy, chosen, ranges, options);
    };
    Target& target = job.target != nullptr ? *job.target : job.calibrate_on;
    TARMAC_TRY(MixedPrecisionResult tuned,
               tune_model({job.drop, equalised, groups, quantize, *job.data, target, job.options}, run));
    model = std::move(tuned.model);
    report(tuned.report, run);
    return {};
  }
  TARMAC_TRY(const QuantizeReport done, quantize_static(model, groups, ranges, options));
  report(done, run);
  return job.target != nullptr ? check_faster(before, model, job, run) : Status();
}

}  // namespace tarmac::cli
