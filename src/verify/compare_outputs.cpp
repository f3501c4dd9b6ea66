#include "verify/compare_outputs.h"

#include <limits>

#include "runtime/inputs.h"

namespace tarmac {

double severity(const ErrorMetrics& metrics) {
  const bool mismatched = metrics.nan_mismatches > 0 || metrics.infinity_mismatches > 0;
  return mismatched ? std::numeric_limits<double>::infinity() : metrics.max_rel;
}

Status OutputComparer::add(const NamedTensors& reference, const NamedTensors& other) {
  if (samples_ == 0) {
    for (const auto& [name, tensor] : reference)
      results_.push_back({.output = name, .metrics = {}, .worst = {}});
  }
  for (OutputComparison& result : results_) {
    const auto expected = reference.find(result.output);
    const auto found = other.find(result.output);
    if (expected == reference.end() || found == other.end()) {
      return make_error(
          ErrorCode::kInvalidInput,
          "output '" + result.output + "' exists on one side only; both models need the same outputs",
          result.output);
    }
    auto metrics = compare_tensors(expected->second, found->second);
    if (!metrics) {
      Error error = std::move(metrics).error();
      error.node = result.output;
      return error;
    }
    if (result.samples == 0 || severity(*metrics) > severity(result.worst)) {
      result.worst_sample = samples_;
      result.worst = *metrics;
    }
    result.metrics = result.samples == 0 ? *metrics : combine(result.metrics, *metrics);
    ++result.samples;
  }
  ++samples_;
  return {};
}

Result<NamedTensors> run_once(Context& context, const Executable& executable, const NamedTensors& inputs) {
  TARMAC_CHECK_OK(bind_inputs(context, inputs));
  TARMAC_CHECK_OK(context.run());
  NamedTensors outputs;
  for (const TensorInfo& info : executable.outputs()) {
    TARMAC_TRY(const Tensor output, context.output(info.name));
    TARMAC_TRY(outputs[info.name], output.clone());
  }
  return outputs;
}

Result<std::vector<OutputComparison>> compare_outputs(Executable& reference, Executable& other,
                                                      const SampleSource& source, Progress& progress) {
  TARMAC_TRY(const auto reference_context, reference.create_context());
  TARMAC_TRY(const auto other_context, other.create_context());
  OutputComparer comparer;
  while (true) {
    if (progress.cancelled()) return make_error(ErrorCode::kCancelled, "the comparison was interrupted");
    TARMAC_TRY(const auto inputs, source());
    if (!inputs) break;
    TARMAC_TRY(const NamedTensors expected, run_once(*reference_context, reference, *inputs));
    TARMAC_TRY(const NamedTensors found, run_once(*other_context, other, *inputs));
    TARMAC_CHECK_OK(comparer.add(expected, found));
    progress.advance();
  }
  if (comparer.results().empty()) {
    return make_error(ErrorCode::kInvalidInput,
                      "there is nothing to compare: no samples, or a model without outputs");
  }
  return comparer.results();
}

}  // namespace tarmac
