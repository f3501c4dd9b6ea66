#include "deploy/prove.h"

#include <algorithm>

#include "deploy/samples.h"
#include "verify/equivalence.h"
#include "verify/find_culprit.h"

namespace tarmac {
namespace {

constexpr std::size_t kSamples = 32;

/// A contract with a fixed batch size feeds that one.
std::vector<std::size_t> batch_sizes(const Contract& contract, const Dataset& data, const Model& model) {
  if (contract.sequence || data.holds_whole_inputs()) return {1};
  for (const InputSpec& input : contract.inputs) {
    if (!input.shape.empty() && input.shape.front().fixed())
      return {static_cast<std::size_t>(input.shape.front().size)};
  }
  return batches_to_compare(model);
}

void record(const EquivalenceReport& found, report::DeployReport& report) {
  for (const ComparedCorner& corner : found.corners) {
    report::EquivalenceRow row;
    row.variant = "fp32";
    row.engine = found.engine;
    row.shapes = corner.shapes;
    row.data = corner.data;
    row.runs = static_cast<std::int64_t>(corner.runs);
    if (corner.outputs.empty()) {
      row.note = "not compared: " + corner.not_run;
      report.equivalence.push_back(std::move(row));
      continue;
    }
    for (const ComparedOutput& output : corner.outputs) {
      row.output = output.output;
      row.dtype = to_string(output.dtype);
      row.metrics = output.metrics;
      row.limit = output.limit;
      row.passed = output.passed;
      row.note = output.random ? "draws random numbers" : output.only_nan ? "only NaN" : "";
      report.equivalence.push_back(row);
    }
  }
  if (found.corners_left_out > 0) {
    report.notes.push_back("the optimised model was compared with the original at " +
                           std::to_string(found.corners.size()) + " shapes; " +
                           std::to_string(found.corners_left_out) + " further combinations were left out");
  }
}

}  // namespace

Status prove_optimized(const Contract& contract, const Dataset* data, const Model& original,
                       const Model& optimized, const OptimizeOptions& options, report::DeployReport& report,
                       Progress& progress) {
  EquivalenceOptions comparing;
  if (!contract.profiles.empty()) comparing.profiles.push_back(contract.profiles);
  if (data != nullptr) {
    comparing.data = [&](std::size_t batch) {
      return complete_samples(contract, *data, batch, kSamples, original, progress);
    };
    const DataSource* const source = contract.evaluation_data ? &*contract.evaluation_data
                                     : contract.calibration   ? &*contract.calibration
                                                              : nullptr;
    if (source != nullptr) comparing.data_name = source->path.string();
    comparing.data_batches = batch_sizes(contract, *data, optimized);
  }
  TARMAC_TRY(const EquivalenceReport found, compare_models(original, optimized, comparing, progress));
  record(found, report);
  if (!found.difference) return {};
  TARMAC_TRY(const Culprit culprit, find_culprit(original, options, *found.difference, progress));
  return to_error(*found.difference, culprit);
}

}  // namespace tarmac
