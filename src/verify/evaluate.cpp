#include "verify/evaluate.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>

#include "metrics/classification.h"
#include "sequence/frame_run.h"
#include "tensor/codec.h"
#include "verify/faults.h"
#include "verify/read_detections_3d.h"

namespace tarmac {
namespace {

using Clock = std::chrono::steady_clock;

std::int64_t elapsed_ns(Clock::time_point since) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - since).count();
}

/// Rows of probabilities are told from logits by what they sum to.
Result<std::vector<std::vector<double>>> probabilities(const Tensor& scores) {
  constexpr double kTolerance = 1e-3;
  TARMAC_TRY(auto rows, softmax_rows(scores));
  TARMAC_TRY(const std::vector<double> values, to_doubles(scores));
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const auto row = std::span(values).subspan(r * rows[r].size(), rows[r].size());
    double sum = 0;
    bool within = true;
    for (const double value : row) {
      sum += value;
      within = within && value >= 0 && value <= 1 + kTolerance;
    }
    if (within && std::abs(sum - 1) <= kTolerance) rows[r].assign(row.begin(), row.end());
  }
  return rows;
}

/// One executable on its way through the data set.
struct Runner {
  FrameRun frames;
  Scorer scorer;
  NamedTensors outputs;            ///< of the latest batch, in the context's memory
  std::vector<std::string> state;  ///< outputs that are carried
  std::vector<DriftMeter> drift;   ///< of these
  Evaluation evaluation;

  Status run(const Batch& batch) {
    const auto begin = Clock::now();
    TARMAC_CHECK_OK(frames.run(batch.inputs, batch.starts_scene));
    for (const std::string& name : scorer.outputs()) {
      TARMAC_TRY(outputs[name], frames.context().output(name));
    }
    evaluation.inference_ns += elapsed_ns(begin);
    for (const std::string& name : state) {
      TARMAC_TRY(outputs[name], frames.context().output(name));
    }
    return {};
  }

  Status add_drift(std::size_t frame, const NamedTensors& reference) {
    for (std::size_t i = 0; i < drift.size(); ++i)
      TARMAC_CHECK_OK(drift[i].add(frame, reference.at(state[i]), outputs.at(state[i])));
    return {};
  }

  Status add(const Batch& batch, const NamedTensors& reference) {
    TARMAC_CHECK_OK(scorer.add(batch, outputs, &reference));
    evaluation.items.insert(evaluation.items.end(), batch.items.begin(), batch.items.end());
    return {};
  }

  /// What a 3-D detector shows.
  Status add_detections_3d(const Batch& batch, const DetectionOutputs& shown) {
    TARMAC_TRY(auto found, read_detections_3d(outputs, shown, static_cast<std::int64_t>(batch.items.size())));
    std::move(found.begin(), found.end(), std::back_inserter(evaluation.detections_3d));
    return {};
  }

  /// What a classifier said.
  Status add_predictions(const Batch& batch) {
    TARMAC_TRY(const Tensor scores, first_rows(outputs.at(scorer.outputs().front()),
                                               static_cast<std::int64_t>(batch.items.size())));
    TARMAC_TRY(const auto predicted, argmax_rows(scores));
    TARMAC_TRY(const auto rows, probabilities(scores));
    for (std::size_t i = 0; i < batch.items.size(); ++i) {
      const auto index = static_cast<int>(predicted[i]);
      const double probability = index < 0 ? 0 : rows[i][static_cast<std::size_t>(index)];
      evaluation.predictions.push_back({index, probability});
    }
    return {};
  }
};

Result<std::vector<Runner>> make_runners(std::span<Executable* const> executables, const Contract& contract,
                                         bool with_drift) {
  const std::vector<StateSpec> states = state_of(contract);
  std::vector<Runner> runners;
  for (Executable* executable : executables) {
    TARMAC_TRY(auto scorer, Scorer::create(contract, executable->outputs()));
    TARMAC_TRY(auto frames, FrameRun::open(*executable, states));
    Runner& runner = runners.emplace_back(Runner{.frames = std::move(frames),
                                                 .scorer = std::move(scorer),
                                                 .outputs = {},
                                                 .state = {},
                                                 .drift = {},
                                                 .evaluation = {.score = {},
                                                                .items = {},
                                                                .predictions = {},
                                                                .drift = {},
                                                                .detections_3d = {},
                                                                .unreadable = {}}});
    if (!with_drift) continue;
    for (const StateSpec& spec : states) {
      runner.state.push_back(spec.output);
      runner.drift.emplace_back(spec.output);
    }
  }
  return runners;
}

Status check_labels(const Contract& contract, const Dataset& dataset) {
  if (evaluation_of(contract).metric != EvaluationMetric::kTop1) return {};
  for (const DataItem& item : dataset.items()) {
    if (item.label >= 0) continue;
    return make_error(ErrorCode::kUsage,
                      "'" + item.path.string() +
                          "' has no label; accuracy needs labelled data: set labels in the contract's data",
                      {}, contract.file.string());
  }
  return {};
}

}  // namespace

Result<std::vector<Evaluation>> evaluate(std::span<Executable* const> executables, const Contract& contract,
                                         const Dataset& dataset, const BatchOptions& options,
                                         Progress& progress, Executable* reference, const FaultSpec* fault) {
  TARMAC_CHECK_OK(check_labels(contract, dataset));
  const EvaluationMetric metric = evaluation_of(contract).metric;
  const bool is_drawn =
      metric == EvaluationMetric::kNuScenes && contract.detections && contract.detections->view;
  std::vector<Executable*> all(executables.begin(), executables.end());
  std::size_t reference_at = 0;
  const bool with_drift = reference != nullptr && fault == nullptr && !state_of(contract).empty();
  const bool agreement = metric == EvaluationMetric::kAgreement;
  if ((agreement && (reference != nullptr || fault != nullptr)) || with_drift) {
    Executable* const right = reference != nullptr ? reference : all.front();
    const auto found = fault != nullptr ? all.end() : std::find(all.begin(), all.end(), right);
    reference_at = static_cast<std::size_t>(found - all.begin());
    if (found == all.end()) all.push_back(right);
  }
  TARMAC_TRY(std::vector<Runner> runners, make_runners(all, contract, with_drift));
  TARMAC_TRY(const auto reader, BatchReader::open(contract, dataset, options));
  std::optional<FaultInjector> injector;
  if (fault != nullptr) injector.emplace(*fault);
  std::int64_t waiting_ns = 0;
  std::size_t frame = 0;
  progress.start("evaluate", dataset.size());
  while (!runners.empty()) {
    if (progress.cancelled()) return make_error(ErrorCode::kCancelled, "the evaluation was interrupted");
    const auto begin = Clock::now();
    TARMAC_TRY(const auto batch, reader->next());
    waiting_ns += elapsed_ns(begin);
    if (!batch) break;
    std::optional<Batch> faulty;
    if (injector) TARMAC_CHECK_OK(injector->apply(faulty.emplace(*batch)));
    for (std::size_t i = 0; i < runners.size(); ++i)
      TARMAC_CHECK_OK(runners[i].run(faulty && i < executables.size() ? *faulty : *batch));
    frame = batch->starts_scene ? 0 : frame + 1;
    for (std::size_t i = 0; i < executables.size(); ++i) {
      TARMAC_CHECK_OK(runners[i].add(*batch, runners[reference_at].outputs));
      TARMAC_CHECK_OK(runners[i].add_drift(frame, runners[reference_at].outputs));
      if (metric == EvaluationMetric::kTop1) TARMAC_CHECK_OK(runners[i].add_predictions(*batch));
      if (is_drawn) TARMAC_CHECK_OK(runners[i].add_detections_3d(*batch, *contract.detections));
    }
    progress.advance(batch->items.size());
  }
  progress.finish();
  std::vector<Evaluation> evaluations;
  for (std::size_t i = 0; i < executables.size(); ++i) {
    Evaluation& evaluation = runners[i].evaluation;
    evaluation.score = runners[i].scorer.score();
    for (const DriftMeter& meter : runners[i].drift) evaluation.drift.push_back(meter.drift());
    evaluation.waiting_ns = waiting_ns;
    evaluation.unreadable = reader->unreadable();
    evaluations.push_back(std::move(evaluation));
  }
  return evaluations;
}

}  // namespace tarmac
