#include "verify/reference.h"

#include <cmath>
#include <cstring>
#include <memory>

#include "contract/batch_reader.h"
#include "sequence/frame_run.h"
#include "tensor/io.h"
#include "verify/compare_outputs.h"
#include "verify/scorer.h"

namespace tarmac {
namespace {

/// Row `index` along the first axis, which stays with size 1.
Result<Tensor> row_of(const std::shared_ptr<const Tensor>& tensor, std::size_t index) {
  Shape shape = tensor->shape();
  const std::size_t row_bytes = tensor->bytes().size() / static_cast<std::size_t>(shape.front());
  shape.front() = 1;
  return Tensor::view(tensor->dtype(), std::move(shape),
                      tensor->bytes().subspan(index * row_bytes, row_bytes), tensor);
}

/// All results of `output` over the reference's inputs, in one tensor.
Result<Tensor> run_all(Executable& executable, const Contract& contract, const Dataset& dataset,
                       const std::string& output, Progress& progress) {
  BatchOptions options;
  options.max_unreadable = 0;
  TARMAC_TRY(const auto reader, BatchReader::open(contract, dataset, options));
  TARMAC_TRY(FrameRun run, FrameRun::open(executable, state_of(contract)));
  Tensor all;
  std::size_t filled_bytes = 0;
  progress.start("reference", dataset.size());
  while (true) {
    if (progress.cancelled()) return make_error(ErrorCode::kCancelled, "the comparison was interrupted");
    TARMAC_TRY(const auto batch, reader->next());
    if (!batch) break;
    TARMAC_CHECK_OK(run.run(batch->inputs, batch->starts_scene));
    TARMAC_TRY(const Tensor results, run.context().output(output));
    TARMAC_TRY(const Tensor rows, first_rows(results, static_cast<std::int64_t>(batch->items.size())));
    if (all.empty()) {
      Shape shape = rows.shape();
      shape.front() = static_cast<std::int64_t>(dataset.size());
      TARMAC_TRY(all, Tensor::allocate(rows.dtype(), std::move(shape)));
    }
    if (rows.dtype() != all.dtype() || filled_bytes + rows.bytes().size() > all.bytes().size()) {
      return make_error(ErrorCode::kInvalidInput,
                        "the results of '" + output + "' differ in shape from picture to picture");
    }
    std::memcpy(all.mutable_bytes().data() + filled_bytes, rows.bytes().data(), rows.bytes().size());
    filled_bytes += rows.bytes().size();
    progress.advance(batch->items.size());
  }
  progress.finish();
  return all;
}

}  // namespace

Result<ReferenceComparison> compare_with_reference(Executable& executable, const Contract& contract,
                                                   Progress& progress) {
  if (!contract.reference) {
    return make_error(ErrorCode::kUsage, "the contract has no reference to compare with", {},
                      contract.file.string());
  }
  ReferenceComparison comparison;
  comparison.limit = contract.reference->max_relative_error;
  TARMAC_TRY(comparison.output, choose_output(executable.outputs(), contract.reference->output));
  TARMAC_TRY(const Dataset dataset, Dataset::open(contract, to_data_source(*contract.reference)));
  comparison.items = dataset.items();
  TARMAC_TRY(Tensor stored, read_npy(contract.reference->outputs));
  const auto count = static_cast<std::int64_t>(dataset.size());
  if (stored.shape().empty() || stored.shape().front() != count) {
    return make_error(ErrorCode::kInvalidInput,
                      "found outputs of shape " + to_string(stored.shape()) + ", the reference lists " +
                          std::to_string(count) + " inputs; there must be one row an input",
                      {}, contract.reference->outputs.string());
  }
  TARMAC_TRY(Tensor ours, run_all(executable, contract, dataset, comparison.output, progress));
  if (ours.shape() != stored.shape()) {
    return make_error(ErrorCode::kInvalidInput,
                      "the reference has outputs of shape " + to_string(stored.shape()) +
                          ", the model gives " + to_string(ours.shape()),
                      comparison.output, contract.reference->outputs.string());
  }
  TARMAC_TRY(comparison.total, compare_tensors(stored, ours));
  const auto expected = std::make_shared<const Tensor>(std::move(stored));
  const auto found = std::make_shared<const Tensor>(std::move(ours));
  // Samples are ranked by their largest difference: a small one on a row of small numbers is not the worst.
  const auto rank = [](const ErrorMetrics& metrics) {
    const double worst = severity(metrics);
    return std::isinf(worst) ? worst : metrics.max_abs;
  };
  for (std::size_t i = 0; i < dataset.size(); ++i) {
    TARMAC_TRY(const Tensor expected_row, row_of(expected, i));
    TARMAC_TRY(const Tensor found_row, row_of(found, i));
    TARMAC_TRY(const ErrorMetrics metrics, compare_tensors(expected_row, found_row));
    comparison.samples.push_back(metrics);
    if (rank(metrics) > rank(comparison.samples[comparison.worst_sample])) comparison.worst_sample = i;
  }
  return comparison;
}

}  // namespace tarmac
