#include "cli/compile_variants.h"

#include "base/file.h"
#include "cli/args/fraction.h"
#include "deploy/int8_variants.h"
#include "graph/model_io.h"
#include "precision/calibrate_dataset.h"
#include "tune/accuracy_gate.h"

namespace tarmac::cli {
namespace {

namespace fs = std::filesystem;

// Of the metric, where neither the command line nor the contract says how much INT8 may cost.
constexpr double kDefaultDrop = 0.02;
// Fewer samples are not worth dividing.
constexpr std::size_t kFewestToDivide = 4;

/// What is calibrated on and what is judged on.
struct Samples {
  Contract contract;
  Dataset calibration;
  Dataset evaluation;
  std::string described;
};

Result<Samples> divide(const OpenData& data, Progress& progress) {
  Samples samples{data.contract(), data.dataset(), data.dataset(), {}};
  samples.contract.calibration = data.source();
  std::error_code ignored;
  const auto& held_out = data.contract().evaluation_data;
  if (held_out && fs::exists(held_out->path, ignored)) {
    TARMAC_TRY(samples.evaluation, Dataset::open(data.contract(), *held_out));
    TARMAC_CHECK_OK(check_disjoint(samples.calibration, samples.evaluation, progress));
    samples.described = "the contract's evaluation data";
    return samples;
  }
  samples.contract.evaluation.reset();  // no labels that count: agreement with the float model
  if (data.samples() < kFewestToDivide) {
    samples.described = "the calibration data itself: too few samples to hold some out";
    return samples;
  }
  samples.calibration.keep_shard(1, 2);
  samples.evaluation.keep_shard(2, 2);
  samples.described = "every other sample of the data, which calibration did not see";
  return samples;
}

/// What is allowed, and whether nodes may stay in float to keep it.
Result<double> allowed_drop(const CompileArgs& args, Contract& contract) {
  if (!args.max_drop.empty()) {
    TARMAC_TRY(contract.precision.max_drop, parse_fraction("--max-drop", args.max_drop));
  }
  if (contract.precision.max_drop) return *contract.precision.max_drop;
  return contract.acceptance.int8_drop.value_or(kDefaultDrop);
}

Json to_json(const GateResult& gate, const std::string& data) {
  return {{"metric", gate.metric}, {"float", gate.plain},       {"int8", gate.quantized},
          {"drop", gate.drop()},   {"max_drop", gate.max_drop}, {"samples", gate.samples},
          {"data", data},          {"passed", gate.passed()}};
}

fs::path model_file(const Int8Work& work, const std::string& target) {
  return work.folder / ("int8." + target + ".onnx");
}

Status save(const Int8Work& work, const Int8Variants& variants) {
  Json json = {{"targets", Json::object()}, {"nodes", Json::array()}};
  for (const auto& [target, variant] : variants.by_target) {
    if (variant.model) TARMAC_CHECK_OK(save_model(*variant.model, model_file(work, target)));
    json["targets"][target] = {
        {"model", variant.model.has_value()}, {"failure", variant.failure}, {"gate", variant.gate}};
  }
  for (const auto& node : variants.nodes)
    json["nodes"].push_back({{"target", node.target}, {"node", node.node}, {"reason", node.reason}});
  return write_file(work.folder / "int8.json", json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

/// What an earlier attempt has made; none where it did not come so far.
Result<std::optional<Int8Variants>> load(const Int8Work& work) {
  std::error_code ignored;
  if (!fs::exists(work.folder / "int8.json", ignored)) return std::optional<Int8Variants>();
  TARMAC_TRY(const std::string text, read_file(work.folder / "int8.json"));
  const Json json = Json::parse(text, nullptr, false);
  Int8Variants variants;
  for (const auto& [target, entry] : json["targets"].items()) {
    Int8Variant& variant = variants.by_target[target];
    if (entry["model"].get<bool>()) {
      TARMAC_TRY(variant.model, load_model(model_file(work, target)));
    }
    variant.failure = entry["failure"].get<std::string>();
    variant.gate = entry["gate"];
  }
  for (const Json& node : json["nodes"]) {
    report::NodePrecision& row = variants.nodes.emplace_back();
    row.target = node["target"].get<std::string>();
    row.variant = "int8";
    row.node = node["node"].get<std::string>();
    row.reason = node["reason"].get<std::string>();
  }
  return std::optional(std::move(variants));
}

Status judge(const Int8Work& work, const Samples& samples, double max_drop, Target& target,
             Int8Variant& variant, Run& run) {
  const auto gate = accuracy_gate({target, work.optimized, *variant.model, work.args.target.compile_options(),
                                   samples.contract, samples.evaluation, max_drop},
                                  run.progress);
  if (!gate) {
    if (gate.error().code == ErrorCode::kCancelled) return gate.error();
    variant.failure = "its accuracy cannot be measured: " + gate.error().str();
    return {};
  }
  variant.gate = to_json(*gate, samples.described);
  if (!gate->passed()) {
    variant.failure = gate->str();
    if (!samples.contract.precision.max_drop)
      variant.failure += "; --max-drop keeps what costs most in float";
  }
  return {};
}

}  // namespace

Result<Int8Variants> make_int8(const Int8Work& work, Run& run) {
  TARMAC_TRY(auto earlier, load(work));
  if (earlier) return *std::move(earlier);
  Int8Variants variants;
  TARMAC_TRY(Samples samples, divide(work.data, run.progress));
  TARMAC_TRY(const double max_drop, allowed_drop(work.args, samples.contract));
  report::DeployReport report;
  const auto make = [&]() -> Result<std::vector<Variant>> {
    TARMAC_TRY(const SampleSet chosen, choose_samples(samples.contract, samples.calibration, work.optimized,
                                                      *work.targets.front(), run.progress));
    return make_int8_variants(
        {samples.contract, work.optimized, samples.calibration, &samples.evaluation, work.targets, chosen},
        report, run.progress);
  };
  auto made = make();
  if (!made && made.error().code == ErrorCode::kCancelled) return made.error();
  for (Target* target : work.targets) {
    Int8Variant& variant = variants.by_target[target->name()];
    if (!made) {
      variant.failure = made.error().str();
      continue;
    }
    const auto found =
        std::find_if(made->begin(), made->end(), [&](const Variant& one) { return one.only == target; });
    if (found == made->end()) {
      variant.failure = "no INT8 model keeps the limit or is faster";
      for (const std::string& note : report.notes) {
        if (note.starts_with(target->name() + ": no INT8 model: ")) variant.failure = note;
      }
      continue;
    }
    variant.model = std::move(found->model);
    TARMAC_CHECK_OK(judge(work, samples, max_drop, *target, variant, run));
  }
  for (const std::string& note : report.notes) run.output.json()["notes"].push_back(note);
  variants.nodes = std::move(report.precision);
  TARMAC_CHECK_OK(save(work, variants));
  return variants;
}

}  // namespace tarmac::cli
