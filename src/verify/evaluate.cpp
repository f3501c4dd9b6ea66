#include "verify/evaluate.h"

#include <chrono>
#include <cmath>
#include <memory>

#include "runtime/inputs.h"
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
  std::string output;
  std::unique_ptr<Context> context;
  Evaluation evaluation;

  Status add(const Batch& batch) {
    const auto begin = Clock::now();
    TARMAC_CHECK_OK(bind_inputs(*context, batch.inputs));
    TARMAC_CHECK_OK(context->run());
    TARMAC_TRY(const Tensor all_scores, context->output(output));
    evaluation.inference_ns += elapsed_ns(begin);

    TARMAC_TRY(const Tensor scores, first_rows(all_scores, static_cast<std::int64_t>(batch.items.size())));
    std::vector<std::int64_t> labels;
    for (const DataItem& item : batch.items) labels.push_back(item.label);
    TARMAC_CHECK_OK(evaluation.metrics.add(scores, labels));
    TARMAC_TRY(const auto predicted, argmax_rows(scores));
    TARMAC_TRY(const auto rows, probabilities(scores));
    for (std::size_t i = 0; i < batch.items.size(); ++i) {
      const auto index = static_cast<int>(predicted[i]);
      const double probability = index < 0 ? 0 : rows[i][static_cast<std::size_t>(index)];
      evaluation.predictions.push_back({batch.items[i], index, probability});
    }
    return {};
  }
};

Result<std::vector<Runner>> make_runners(std::span<Executable* const> executables, const Contract& contract) {
  std::vector<Runner> runners;
  for (Executable* executable : executables) {
    TARMAC_TRY(auto metrics, ClassificationMetrics::create(contract.labels));
    TARMAC_TRY(auto output,
               choose_output(*executable, contract.evaluation ? contract.evaluation->output : std::string()));
    TARMAC_TRY(auto context, executable->create_context());
    runners.push_back({.output = std::move(output),
                       .context = std::move(context),
                       .evaluation = {.metrics = std::move(metrics), .predictions = {}, .unreadable = {}}});
  }
  return runners;
}

}  // namespace

Result<std::string> choose_output(const Executable& executable, const std::string& wanted) {
  std::string names;
  for (const TensorInfo& info : executable.outputs()) {
    if (info.name == wanted) return wanted;
    names += (names.empty() ? "" : ", ") + info.name;
  }
  if (wanted.empty() && executable.outputs().size() == 1) return names;
  const std::string problem =
      wanted.empty() ? "the contract names no output" : "the model has no output '" + wanted + "'";
  return make_error(ErrorCode::kNotFound, problem + "; the model's outputs are: " + names, wanted);
}

Result<Tensor> first_rows(const Tensor& tensor, std::int64_t rows) {
  if (tensor.shape().empty() || tensor.shape().front() < rows) {
    return make_error(ErrorCode::kInvalidInput, "expected " + std::to_string(rows) +
                                                    " results along the first axis, found " +
                                                    to_string(tensor.shape()));
  }
  if (tensor.shape().front() == rows) return tensor;
  Shape shape = tensor.shape();
  shape.front() = rows;
  TARMAC_TRY(const std::size_t bytes, size_bytes(tensor.dtype(), shape));
  const auto owner = std::make_shared<const Tensor>(tensor);
  return Tensor::view(tensor.dtype(), std::move(shape), owner->bytes().first(bytes), owner);
}

Result<std::vector<Evaluation>> evaluate(std::span<Executable* const> executables, const Contract& contract,
                                         const Dataset& dataset, const BatchOptions& options,
                                         Progress& progress) {
  for (const DataItem& item : dataset.items()) {
    if (item.label >= 0) continue;
    return make_error(ErrorCode::kUsage,
                      "'" + item.path.string() +
                          "' has no label; accuracy needs labelled data: set labels in the contract's data",
                      {}, contract.file.string());
  }
  TARMAC_TRY(std::vector<Runner> runners, make_runners(executables, contract));
  TARMAC_TRY(const auto reader, BatchReader::open(contract, dataset, options));
  std::int64_t waiting_ns = 0;
  progress.start("evaluate", dataset.size());
  while (true) {
    if (progress.cancelled()) return make_error(ErrorCode::kCancelled, "the evaluation was interrupted");
    const auto begin = Clock::now();
    TARMAC_TRY(const auto batch, reader->next());
    waiting_ns += elapsed_ns(begin);
    if (!batch) break;
    for (Runner& runner : runners) TARMAC_CHECK_OK(runner.add(*batch));
    progress.advance(batch->items.size());
  }
  progress.finish();
  std::vector<Evaluation> evaluations;
  for (Runner& runner : runners) {
    runner.evaluation.waiting_ns = waiting_ns;
    runner.evaluation.unreadable = reader->unreadable();
    evaluations.push_back(std::move(runner.evaluation));
  }
  return evaluations;
}

}  // namespace tarmac
