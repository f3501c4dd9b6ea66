#include "verify/evaluate.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>

#include "metrics/classification.h"
#include "runtime/inputs.h"
#include "sequence/state_carrier.h"
#include "tensor/codec.h"

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
  std::unique_ptr<Context> context;
  StateCarrier carrier;
  Scorer scorer;
  NamedTensors outputs;  ///< of the latest batch, in the context's memory
  Evaluation evaluation;

  Status run(const Batch& batch) {
    const auto begin = Clock::now();
    if (batch.starts_scene) carrier.reset();
    TARMAC_CHECK_OK(carrier.bind(*context));
    TARMAC_CHECK_OK(bind_inputs(*context, batch.inputs));
    TARMAC_CHECK_OK(context->run());
    TARMAC_CHECK_OK(carrier.after_run(*context));
    for (const std::string& name : scorer.outputs()) {
      TARMAC_TRY(outputs[name], context->output(name));
    }
    evaluation.inference_ns += elapsed_ns(begin);
    return {};
  }

  Status add(const Batch& batch, const NamedTensors& reference) {
    TARMAC_CHECK_OK(scorer.add(batch, outputs, &reference));
    evaluation.items.insert(evaluation.items.end(), batch.items.begin(), batch.items.end());
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

Result<std::vector<Runner>> make_runners(std::span<Executable* const> executables, const Contract& contract) {
  const auto state = contract.sequence ? contract.sequence->state : std::vector<StateSpec>();
  std::vector<Runner> runners;
  for (Executable* executable : executables) {
    TARMAC_TRY(auto scorer, Scorer::create(contract, executable->outputs()));
    TARMAC_TRY(auto context, executable->create_context());
    TARMAC_TRY(auto carrier, StateCarrier::open(state, executable->inputs(), executable->outputs()));
    runners.push_back({.context = std::move(context),
                       .carrier = std::move(carrier),
                       .scorer = std::move(scorer),
                       .outputs = {},
                       .evaluation = {.score = {}, .items = {}, .predictions = {}, .unreadable = {}}});
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
                                         Progress& progress, Executable* reference) {
  TARMAC_CHECK_OK(check_labels(contract, dataset));
  const EvaluationMetric metric = evaluation_of(contract).metric;
  std::vector<Executable*> all(executables.begin(), executables.end());
  std::size_t reference_at = 0;
  if (reference != nullptr && metric == EvaluationMetric::kAgreement) {
    const auto found = std::find(all.begin(), all.end(), reference);
    reference_at = static_cast<std::size_t>(found - all.begin());
    if (found == all.end()) all.push_back(reference);
  }
  TARMAC_TRY(std::vector<Runner> runners, make_runners(all, contract));
  BatchOptions reading = options;
  if (contract.sequence) reading.max_unreadable = 0;  // a frame that is missing would shift the state
  TARMAC_TRY(const auto reader, BatchReader::open(contract, dataset, reading));
  std::int64_t waiting_ns = 0;
  progress.start("evaluate", dataset.size());
  while (!runners.empty()) {
    if (progress.cancelled()) return make_error(ErrorCode::kCancelled, "the evaluation was interrupted");
    const auto begin = Clock::now();
    TARMAC_TRY(const auto batch, reader->next());
    waiting_ns += elapsed_ns(begin);
    if (!batch) break;
    for (Runner& runner : runners) TARMAC_CHECK_OK(runner.run(*batch));
    for (std::size_t i = 0; i < executables.size(); ++i) {
      TARMAC_CHECK_OK(runners[i].add(*batch, runners[reference_at].outputs));
      if (metric == EvaluationMetric::kTop1) TARMAC_CHECK_OK(runners[i].add_predictions(*batch));
    }
    progress.advance(batch->items.size());
  }
  progress.finish();
  std::vector<Evaluation> evaluations;
  for (std::size_t i = 0; i < executables.size(); ++i) {
    Evaluation& evaluation = runners[i].evaluation;
    evaluation.score = runners[i].scorer.score();
    evaluation.waiting_ns = waiting_ns;
    evaluation.unreadable = reader->unreadable();
    evaluations.push_back(std::move(evaluation));
  }
  return evaluations;
}

}  // namespace tarmac
