#include "verify/compare_outputs.h"

#include <algorithm>
#include <limits>

#include "sequence/frame_run.h"

namespace tarmac {

double severity(const ErrorMetrics& metrics) {
  const bool mismatched = metrics.nan_mismatches > 0 || metrics.infinity_mismatches > 0;
  return mismatched ? std::numeric_limits<double>::infinity() : metrics.max_rel;
}

bool within(const std::vector<OutputComparison>& comparison, double limit) {
  return std::all_of(comparison.begin(), comparison.end(),
                     [&](const OutputComparison& output) { return output.metrics.within(limit); });
}

SampleSource made_up_batches(const std::vector<TensorInfo>& inputs, const ShapeChoice& shapes,
                             std::int64_t count) {
  return [inputs, shapes, count, made = std::int64_t{0}]() mutable -> Result<std::optional<NamedTensors>> {
    if (made == count) return std::optional<NamedTensors>();
    TARMAC_TRY(auto tensors, random_inputs(inputs, shapes, static_cast<std::uint64_t>(++made)));
    return std::optional(std::move(tensors));
  };
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

namespace {

Result<NamedTensors> copy_outputs(Context& context, const Executable& executable) {
  NamedTensors outputs;
  for (const TensorInfo& info : executable.outputs()) {
    TARMAC_TRY(const Tensor output, context.output(info.name));
    TARMAC_TRY(outputs[info.name], output.clone());
  }
  return outputs;
}

}  // namespace

Result<NamedTensors> run_once(Context& context, const Executable& executable, const NamedTensors& inputs) {
  TARMAC_CHECK_OK(bind_inputs(context, inputs));
  TARMAC_CHECK_OK(context.run());
  return copy_outputs(context, executable);
}

Result<std::vector<OutputComparison>> compare_sequences(Executable& reference, Executable& other,
                                                        const std::vector<StateSpec>& state,
                                                        const CalibrationSource& frames, std::size_t limit,
                                                        Progress& progress) {
  TARMAC_TRY(FrameRun expected, FrameRun::open(reference, state));
  TARMAC_TRY(FrameRun found, FrameRun::open(other, state));
  OutputComparer comparer;
  for (std::size_t i = 0; i < limit; ++i) {
    if (progress.cancelled()) return make_error(ErrorCode::kCancelled, "the comparison was interrupted");
    TARMAC_TRY(const auto frame, frames());
    if (!frame) break;
    TARMAC_CHECK_OK(expected.run(frame->inputs, frame->starts_scene));
    TARMAC_CHECK_OK(found.run(frame->inputs, frame->starts_scene));
    TARMAC_TRY(const NamedTensors one, copy_outputs(expected.context(), reference));
    TARMAC_TRY(const NamedTensors two, copy_outputs(found.context(), other));
    TARMAC_CHECK_OK(comparer.add(one, two));
    progress.advance();
  }
  if (comparer.results().empty())
    return make_error(ErrorCode::kInvalidInput, "there is nothing to compare: no frames, or no outputs");
  return comparer.results();
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
