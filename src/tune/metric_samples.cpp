#include "tune/metric_samples.h"

#include <algorithm>

#include "runtime/inputs.h"
#include "sequence/frame_run.h"

namespace tarmac {
namespace {

Error cancelled() { return make_error(ErrorCode::kCancelled, "scoring was interrupted"); }

/// What the scorer reads of the latest run, in the context's memory.
Result<NamedTensors> outputs_of(Context& context, const Scorer& scorer) {
  NamedTensors outputs;
  for (const std::string& name : scorer.outputs()) {
    TARMAC_TRY(outputs[name], context.output(name));
  }
  return outputs;
}

std::size_t bytes_of(const std::map<std::string, Tensor>& tensors) {
  std::size_t bytes = 0;
  for (const auto& [name, tensor] : tensors) bytes += tensor.bytes().size();
  return bytes;
}

}  // namespace

Result<MetricSamples::Pair> MetricSamples::hold(Executable& other, Progress& progress) {
  TARMAC_TRY(const Pair scores, stream(other, progress, true));
  if (scores.samples == 0)
    return make_error(ErrorCode::kInvalidInput, "there is no sample to measure the metric on");
  return scores;
}

Result<double> MetricSamples::score_all(Executable& other, Progress& progress) {
  if (holds_all_) {
    TARMAC_TRY(const auto context, other.create_context());
    return score_held(*context, other, progress);
  }
  TARMAC_TRY(const Pair scores, stream(other, progress, false));
  return scores.other;
}

Result<MetricSamples::Pair> MetricSamples::stream(Executable& other, Progress& progress, bool take) {
  TARMAC_TRY(Scorer plain_scorer, Scorer::create(contract_, plain_.outputs()));
  TARMAC_TRY(Scorer held_scorer, Scorer::create(contract_, plain_.outputs()));
  TARMAC_TRY(Scorer other_scorer, Scorer::create(contract_, other.outputs()));
  const std::vector<StateSpec> state = state_of(contract_);
  TARMAC_TRY(FrameRun plain_run, FrameRun::open(plain_, state));
  TARMAC_TRY(FrameRun other_run, FrameRun::open(other, state));
  TARMAC_TRY(const auto reader, BatchReader::open(contract_, dataset_, {}));
  const bool with_reference = plain_scorer.needs_reference();
  const std::size_t stride =
      std::max<std::size_t>(1, (dataset_.size() + options_.samples - 1) / options_.samples);
  std::size_t seen = 0;
  std::size_t next_held = 0;
  std::size_t bytes = 0;
  bool all = state.empty();  // held frames have the float model's state: another one carries its own
  progress.start("measure the metric", dataset_.size());
  while (true) {
    if (progress.cancelled()) return cancelled();
    TARMAC_TRY(auto batch, reader->next());
    if (!batch) break;
    NamedTensors reference;
    if (take || with_reference) {
      TARMAC_CHECK_OK(plain_run.run(batch->inputs, batch->starts_scene));
      TARMAC_TRY(reference, outputs_of(plain_run.context(), plain_scorer));
      TARMAC_CHECK_OK(plain_scorer.add(*batch, reference, &reference));
    }
    TARMAC_CHECK_OK(other_run.run(batch->inputs, batch->starts_scene));
    TARMAC_TRY(const NamedTensors outputs, outputs_of(other_run.context(), other_scorer));
    TARMAC_CHECK_OK(other_scorer.add(*batch, outputs, &reference));
    const std::size_t count = batch->items.size();
    const std::size_t needs = bytes_of(batch->inputs) + (with_reference ? bytes_of(reference) : 0);
    if (take && seen >= next_held && (held_.empty() || bytes + needs <= options_.bytes)) {
      TARMAC_CHECK_OK(held_scorer.add(*batch, reference, &reference));
      NamedTensors& kept = references_.emplace_back();
      for (const auto& [name, tensor] : reference) {
        if (!with_reference) break;
        TARMAC_TRY(kept[name], tensor.clone());
      }
      TARMAC_TRY(auto carried, plain_run.state());
      batch->inputs.merge(carried);
      held_.push_back(*std::move(batch));
      bytes += needs;
      held_samples_ += static_cast<std::int64_t>(count);
      next_held += stride * count;
    } else {
      all = false;
    }
    seen += count;
    progress.advance(count);
  }
  progress.finish();
  if (take) {
    holds_all_ = all;
    held_plain_ = held_scorer.score().value;
  }
  return Pair{plain_scorer.score().value, other_scorer.score().value, static_cast<std::int64_t>(seen)};
}

Result<double> MetricSamples::score_held(Context& context, const Executable& executable, Progress& progress) {
  TARMAC_TRY(Scorer scorer, Scorer::create(contract_, executable.outputs()));
  for (std::size_t i = 0; i < held_.size(); ++i) {
    if (progress.cancelled()) return cancelled();
    TARMAC_CHECK_OK(bind_inputs(context, held_[i].inputs));
    TARMAC_CHECK_OK(context.run());
    TARMAC_TRY(const NamedTensors outputs, outputs_of(context, scorer));
    TARMAC_CHECK_OK(scorer.add(held_[i], outputs, &references_[i]));
  }
  return scorer.score().value;
}

}  // namespace tarmac
