#include "deploy/variants.h"

#include <algorithm>
#include <chrono>

#include "deploy/float_variants.h"
#include "deploy/int8_variants.h"
#include "deploy/prove.h"
#include "graph/model_io.h"
#include "passes/infer_shapes.h"
#include "passes/pass_manager.h"
#include "passes/passes.h"
#include "precision/calibrate_dataset.h"
#include "precision/quantize.h"
#include "targets/evaluator.h"
#include "targets/operator_support.h"

namespace tarmac {
namespace {

Status optimize_variant(const Contract& contract, const Dataset* samples, const Model& original, Model& model,
                        const std::vector<Target*>& targets, report::DeployReport& report,
                        Progress& progress) {
  TargetEvaluator evaluator(*targets.front());
  const TargetSupport support(targets);
  OptimizeOptions options;
  options.support = &support;
  options.evaluator = &evaluator;
  options.progress = &progress;
  if (contract.precision.mode == PrecisionMode::kInt8 && model.opset() < kOpsetForChannels)
    options.opset = kOpsetForChannels;
  TARMAC_TRY(const OptimizeReport done, optimize(model, options));
  for (const PassRun& run : done.passes) {
    report::PassResult result;
    result.name = run.pass;
    result.variant = "fp32";
    result.changes = static_cast<std::int64_t>(run.changes);
    result.time_ns = run.time_ns;
    for (const auto* list : {&done.changes, &done.declined}) {
      for (const Change& change : *list) {
        if (change.pass == run.pass)
          result.detail += (result.detail.empty() ? "" : "; ") + change.node + ": " + change.what;
      }
    }
    report.passes.push_back(std::move(result));
  }
  return prove_optimized(contract, samples, original, model, options, report, progress);
}

/// The sizes that the contract's profile leaves no choice for. The first axis of a model that takes any batch
/// stays open unless it is one sample at a time: calibration and evaluation feed what the data leaves.
Status fix_profile(const Contract& contract, Model& model) {
  for (const auto& [name, profile] : contract.profiles) {
    const auto spec = std::find_if(contract.inputs.begin(), contract.inputs.end(),
                                   [&name = name](const InputSpec& input) { return input.name == name; });
    Shape shape = profile.opt;
    for (std::size_t i = 0; i < shape.size(); ++i) {
      const bool open_batch =
          i == 0 && shape[0] != 1 &&
          !(spec != contract.inputs.end() && !spec->shape.empty() && spec->shape[0].fixed());
      if (profile.min[i] != profile.max[i] || open_batch) shape[i] = kOpenSize;
    }
    TARMAC_CHECK_OK(fix_input_shape(model, name, shape));
  }
  return {};
}

}  // namespace

Result<Source> load_source(const Contract& contract) {
  TARMAC_TRY(Model model, load_model(contract.model));
  TARMAC_TRY(std::string digest, model_digest(model));
  PassContext context;
  TARMAC_CHECK_OK(inline_functions(model, context));
  TARMAC_CHECK_OK(infer_shapes(model));
  return Source{std::move(model), std::move(digest)};
}

Result<std::vector<Variant>> make_variants(const Contract& contract, Model original,
                                           const Dataset* evaluation, const Dataset* calibration,
                                           const std::vector<Target*>& targets, report::DeployReport& report,
                                           Progress& progress) {
  std::vector<Variant> variants;
  Model fp32 = clone_model(original);
  variants.push_back({"original", std::move(original)});
  TARMAC_CHECK_OK(fix_profile(contract, fp32));
  const Model fixed = clone_model(fp32);
  const Dataset* const samples = evaluation != nullptr ? evaluation : calibration;
  TARMAC_CHECK_OK(optimize_variant(contract, samples, fixed, fp32, targets, report, progress));
  const bool int8 = contract.precision.mode == PrecisionMode::kInt8;
  if (int8 && calibration == nullptr) {
    return make_error(ErrorCode::kInvalidInput,
                      "precision.mode is int8, but data.calibration is missing; name a folder of pictures");
  }
  SampleSet chosen;
  if (const Dataset* const data = calibration != nullptr ? calibration : evaluation;
      data != nullptr && (int8 || !contract.precision.also.empty())) {
    TARMAC_TRY(chosen, choose_samples(contract, *data, fp32, *targets.front(), progress));
  }
  TARMAC_TRY(auto others, make_float_variants(contract, fp32, chosen, targets, report, progress));
  if (int8) {
    TARMAC_TRY(auto quantized, make_int8_variants({contract, fp32, *calibration, evaluation, targets, chosen},
                                                  report, progress));
    for (Variant& variant : quantized) others.push_back(std::move(variant));
  }
  variants.push_back({"fp32", std::move(fp32)});
  for (Variant& variant : others) variants.push_back(std::move(variant));
  return variants;
}

}  // namespace tarmac
