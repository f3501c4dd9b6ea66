#include "deploy/float_variants.h"

#include <fmt/format.h>

#include <algorithm>

#include "contract/words.h"
#include "deploy/optimize_model.h"
#include "graph/model_io.h"
#include "precision/convert.h"
#include "runtime/inputs.h"
#include "verify/reference_engine.h"

namespace tarmac {
namespace {

// Each is run several times, node by node.
constexpr std::size_t kEmulatedSamples = 4;
constexpr std::uint64_t kMadeUpSamples = 3;

/// Spread evenly over the samples.
Result<std::vector<std::map<std::string, Tensor>>> choose_inputs(const Model& model,
                                                                 const SampleSet& samples) {
  std::vector<std::map<std::string, Tensor>> chosen;
  const std::size_t count = std::min(samples.size(), kEmulatedSamples);
  for (std::size_t i = 0; i < count; ++i) chosen.push_back(samples[i * samples.size() / count].inputs);
  if (!chosen.empty()) return chosen;
  std::vector<TensorInfo> inputs;
  for (const Value* input : model.graph->inputs()) {
    if (input->initializer() == nullptr) inputs.push_back({input->name(), input->type});
  }
  for (std::uint64_t seed = 1; seed <= kMadeUpSamples; ++seed) {
    TARMAC_TRY(chosen.emplace_back(), random_inputs(inputs, {}, seed));
  }
  return chosen;
}

void record(const std::string& variant, const PrecisionReport& done, const SampleSet& samples,
            report::DeployReport& report) {
  double worst = 0;
  for (const PlannedOutput& output : done.outputs) worst = std::max(worst, output.max_rel);
  report.notes.push_back(fmt::format(
      "{}: {} nodes in 16 bits, {} in float32, {} casts; emulated on {} {} samples, outputs move by at most "
      "{:.2g} % of their range",
      variant, done.nodes_16_bit, done.nodes_float32, done.casts, done.samples,
      samples.empty() ? "made-up" : "real", 100 * worst));
  for (const KeptInFloat32& node : done.kept) {
    report.precision.push_back({.target = {},
                                .variant = variant,
                                .node = node.node,
                                .op_type = node.op_type,
                                .precision = "float32",
                                .reason = node.reason});
  }
}

}  // namespace

Result<std::vector<Variant>> make_float_variants(const Contract& contract, const Model& model,
                                                 const SampleSet& samples,
                                                 const std::vector<Target*>& targets,
                                                 report::DeployReport& report, Progress& progress) {
  std::vector<Variant> variants;
  if (contract.precision.also.empty()) return variants;
  TARMAC_TRY(const auto inputs, choose_inputs(model, samples));
  const DataFactory data = [&inputs]() -> Result<BatchSource> {
    return BatchSource(
        [&inputs, next = std::size_t{0}]() mutable -> Result<std::optional<std::map<std::string, Tensor>>> {
          if (next == inputs.size()) return std::optional<std::map<std::string, Tensor>>();
          return std::optional(inputs[next++]);
        });
  };
  TARMAC_TRY(Target* const engine, reference_target());
  for (const DType type : contract.precision.also) {
    Variant variant{to_precision_word(type), clone_model(model)};
    PlanOptions options;
    options.type = type;
    options.keep_io = true;
    options.batches = inputs.size();
    options.targets = targets;
    const auto done = convert_precision(variant.model, options, *engine, data, progress);
    if (!done) {
      const ErrorCode code = done.error().code;
      if (code != ErrorCode::kAcceptance && code != ErrorCode::kUnsupported) return done.error();
      report.notes.push_back("no " + variant.name + " model: " + done.error().str());
      continue;
    }
    record(variant.name, *done, samples, report);
    TARMAC_CHECK_OK(lift_again(variant.model, {}, targets, progress));
    TARMAC_CHECK_OK(verify_model(variant.model));
    variants.push_back(std::move(variant));
  }
  return variants;
}

}  // namespace tarmac
