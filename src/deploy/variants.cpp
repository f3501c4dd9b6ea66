#include "deploy/variants.h"

#include <algorithm>
#include <chrono>

#include "base/sha256.h"
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

Result<Calibration> observe(const Contract& contract, const Model& model, const std::vector<std::string>& values,
                            const Dataset& data, Target& target, report::DeployReport& report,
                            Progress& progress) {
  CalibrateOptions options;
  options.observe.histograms = needs_histogram(contract.precision.method);
  TARMAC_TRY(DatasetCalibration done,
             calibrate_dataset(model, values, target, options, contract, data, 0, progress));
  for (const Error& error : done.unreadable) report.notes.push_back("left out of calibration: " + error.str());
  for (const std::string& label : missing_labels(contract, data))
    report.notes.push_back("calibration has no sample of the class '" + label + "'");
  for (const std::string& name : constant_values(done.found.statistics))
    report.notes.push_back("'" + name + "' was the same number in all of calibration");
  return std::move(done.found);
}

/// Names a calibration: equal ranges from equal observations have equal digests.
std::string digest(const Ranges& ranges) {
  std::string text;
  for (const auto& [name, range] : ranges) {
    text += name + '\0';
    text.append(reinterpret_cast<const char*>(&range.min), sizeof range.min);
    text.append(reinterpret_cast<const char*>(&range.max), sizeof range.max);
  }
  return to_hex(sha256(std::as_bytes(std::span(text))));
}

void record(const QuantizeReport& done, report::DeployReport& report) {
  for (const QuantizedNode& node : done.nodes) {
    report.precision.push_back({node.node, node.op_type, node.quantized ? "int8" : "float32", node.reason});
  }
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

Result<std::vector<Variant>> make_variants(const Contract& contract, Model original, const Dataset* samples,
                                           const Dataset* calibration, const std::vector<Target*>& targets,
                                           report::DeployReport& report, Progress& progress) {
  std::vector<Variant> variants;
  Model fp32 = clone_model(original);
  variants.push_back({"original", std::move(original)});
  TARMAC_CHECK_OK(fix_profile(contract, fp32));
  const Model fixed = clone_model(fp32);
  TARMAC_CHECK_OK(optimize_variant(contract, samples, fixed, fp32, targets, report, progress));
  if (contract.precision.mode == PrecisionMode::kFp32) {
    variants.push_back({"fp32", std::move(fp32)});
    return variants;
  }
  if (calibration == nullptr) {
    return make_error(ErrorCode::kInvalidInput,
                      "precision.mode is int8, but data.calibration is missing; name a folder of pictures");
  }
  Model int8 = clone_model(fp32);
  variants.push_back({"fp32", std::move(fp32)});
  const FusionGroups groups = find_fusion_groups(int8, common_fusion_rules(targets));
  const auto values = observed_values(int8, groups);
  TARMAC_TRY(const Calibration found,
             observe(contract, int8, values, *calibration, *targets.front(), report, progress));
  const Ranges ranges = ranges_of(found.statistics, {.method = contract.precision.method});
  TARMAC_TRY(const QuantizeReport done, quantize_static(int8, groups, ranges));
  TARMAC_CHECK_OK(verify_model(int8));
  record(done, report);
  report.calibration = report::CalibrationFacts{to_string(contract.precision.method),
                                                static_cast<std::int64_t>(calibration->size()),
                                                contract.calibration->path.string(),
                                                digest(ranges),
                                                found.time_ns,
                                                static_cast<std::int64_t>(ranges.size())};
  variants.push_back({"int8", std::move(int8)});
  return variants;
}

}  // namespace tarmac
