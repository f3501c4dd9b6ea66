#include "deploy/evaluate_cells.h"

#include <algorithm>
#include <cstring>

#include "contract/batch_reader.h"
#include "metrics/classification.h"
#include "metrics/error_metrics.h"
#include "report/pictures.h"
#include "runtime/inputs.h"
#include "tensor/io.h"

namespace tarmac {
namespace {

constexpr std::size_t kPicturesShown = 48;
constexpr int kThumbnailPx = 112;

/// The output that the contract names, or the only one.
Result<std::string> output_name(const Executable& executable, const std::string& wanted) {
  std::string names;
  for (const TensorInfo& output : executable.outputs()) {
    if (output.name == wanted) return wanted;
    names += (names.empty() ? "'" : ", '") + output.name + "'";
  }
  if (wanted.empty() && executable.outputs().size() == 1) return executable.outputs()[0].name;
  return make_error(ErrorCode::kInvalidInput, wanted.empty() ? "the model has several outputs (" + names + "); name one under evaluation.output"
                                                             : "no output '" + wanted + "'; the model has " + names);
}

/// Wrong pictures first, then right ones, up to a sheet's worth; the others leave the report.
Status choose_pictures(std::vector<report::ReportPicture> all, const std::vector<std::filesystem::path>& paths,
                       report::DeployReport& report) {
  std::vector<std::size_t> order(all.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_partition(order.begin(), order.end(), [&](std::size_t i) { return all[i].wrong(); });
  // The right ones are taken evenly, so that every class is seen.
  const auto wrong = static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [](const auto& picture) { return picture.wrong(); }));
  const std::size_t right_shown = kPicturesShown > wrong ? std::min(kPicturesShown - wrong, order.size() - wrong) : 0;
  std::vector<std::size_t> chosen(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(std::min(wrong, kPicturesShown)));
  for (std::size_t i = 0; i < right_shown; ++i) chosen.push_back(order[wrong + i * (order.size() - wrong) / right_shown]);
  for (const std::size_t index : chosen) {
    TARMAC_TRY(all[index].jpeg, encode_thumbnail(paths[index], kThumbnailPx));
    report.pictures.push_back(std::move(all[index]));
  }
  return {};
}

}  // namespace

Status evaluate_cells(const Contract& contract, const Dataset& data, std::vector<Cell>& cells,
                      report::DeployReport& report, Progress& progress) {
  std::vector<ClassificationMetrics> metrics;
  std::vector<std::string> outputs;
  for (const Cell& cell : cells) {
    TARMAC_TRY(auto empty, ClassificationMetrics::create(contract.labels));
    metrics.push_back(std::move(empty));
    TARMAC_TRY(outputs.emplace_back(), output_name(*cell.executable, contract.evaluation->output));
  }
  TARMAC_TRY(const auto reader, BatchReader::open(contract, data));
  std::vector<report::ReportPicture> pictures;
  std::vector<std::filesystem::path> paths;
  progress.start("evaluate", data.size());
  while (true) {
    if (progress.cancelled()) return make_error(ErrorCode::kCancelled, "interrupted during evaluation");
    TARMAC_TRY(const auto batch, reader->next());
    if (!batch) break;
    std::vector<std::int64_t> labels;
    for (const DataItem& item : batch->items) {
      labels.push_back(item.label);
      paths.push_back(item.path);
      report::ReportPicture& picture = pictures.emplace_back();
      picture.name = item.path.parent_path().filename() / item.path.filename();
      picture.label = contract.labels[static_cast<std::size_t>(item.label)];
    }
    const std::size_t first = pictures.size() - batch->items.size();
    for (std::size_t c = 0; c < cells.size(); ++c) {
      TARMAC_CHECK_OK(bind_inputs(*cells[c].context, batch->inputs));
      TARMAC_CHECK_OK(cells[c].context->run());
      TARMAC_TRY(const Tensor logits, cells[c].context->output(outputs[c]));
      TARMAC_CHECK_OK(metrics[c].add(logits, labels));
      TARMAC_TRY(const auto classes, argmax_rows(logits));
      TARMAC_TRY(const auto probabilities, softmax_rows(logits));
      for (std::size_t i = 0; i < labels.size(); ++i) {
        const std::int64_t found = classes[i];
        const bool none = found < 0;  // NaN
        pictures[first + i].predictions.push_back({cells[c].result.variant, cells[c].result.target,
                                                   none ? "none" : contract.labels[static_cast<std::size_t>(found)],
                                                   none ? 0.0 : probabilities[i][static_cast<std::size_t>(found)]});
      }
    }
    progress.advance(batch->items.size());
  }
  progress.finish();
  for (const Error& error : reader->unreadable()) report.notes.push_back("left out: " + error.str());
  for (std::size_t c = 0; c < cells.size(); ++c) cells[c].result.accuracy = report::summarize_accuracy(metrics[c]);
  return choose_pictures(std::move(pictures), paths, report);
}

Status compare_with_reference(const Contract& contract, std::vector<Cell>& cells, report::DeployReport& report,
                              Progress& progress) {
  const ReferenceSpec& spec = *contract.reference;
  TARMAC_TRY(const Tensor mapped, read_npy(spec.outputs));
  TARMAC_TRY(const Tensor expected, mapped.aligned());
  TARMAC_TRY(const Dataset data, Dataset::open(contract, to_data_source(spec)));
  const auto samples = static_cast<std::int64_t>(data.size());
  if (expected.shape().empty() || expected.shape()[0] != samples) {
    return make_error(ErrorCode::kInvalidInput, "the reference has outputs of shape " + to_string(expected.shape()) + " for " +
                                                    std::to_string(samples) + " inputs; expected one row an input",
                      {}, spec.outputs.string());
  }
  Shape row_shape = expected.shape();
  row_shape[0] = 1;
  const std::size_t row_bytes = expected.bytes().size() / static_cast<std::size_t>(samples);
  progress.start("compare with the reference", data.size());
  std::vector<Tensor> found;
  std::vector<std::string> outputs;
  for (const Cell& cell : cells) {
    TARMAC_TRY(found.emplace_back(), Tensor::allocate(expected.dtype(), expected.shape()));
    TARMAC_TRY(outputs.emplace_back(), output_name(*cell.executable, spec.output));
  }
  for (std::size_t i = 0; i < data.size(); ++i) {
    TARMAC_TRY(const auto sample, data.load(i));
    for (std::size_t c = 0; c < cells.size(); ++c) {
      TARMAC_CHECK_OK(bind_inputs(*cells[c].context, sample));
      TARMAC_CHECK_OK(cells[c].context->run());
      TARMAC_TRY(const Tensor row, cells[c].context->output(outputs[c]));
      if (row.dtype() != expected.dtype() || row.shape() != row_shape) {
        return make_error(ErrorCode::kInvalidInput, std::string("the reference has rows of ") + to_string(expected.dtype()) +
                                                        to_string(row_shape) + ", the model gives " + to_string(row.dtype()) +
                                                        to_string(row.shape()), {}, spec.outputs.string());
      }
      std::memcpy(found[c].mutable_bytes().data() + i * row_bytes, row.bytes().data(), row_bytes);
    }
    progress.advance();
  }
  progress.finish();
  for (std::size_t c = 0; c < cells.size(); ++c) {
    report::ReferenceComparison comparison;
    comparison.reference = spec.outputs.filename().string();
    comparison.variant = cells[c].result.variant;
    comparison.target = cells[c].result.target;
    comparison.output = outputs[c];
    comparison.samples = samples;
    TARMAC_TRY(comparison.metrics, compare_tensors(expected, found[c]));
    if (comparison.variant != "int8") {
      comparison.max_rel_limit = spec.max_relative_error;
      comparison.passed = comparison.metrics.within(spec.max_relative_error);
    }
    report.references.push_back(std::move(comparison));
  }
  return {};
}

}  // namespace tarmac
