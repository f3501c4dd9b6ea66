#include "deploy/accept.h"

#include <fmt/format.h>

#include <algorithm>

#include "verify/acceptance.h"

namespace tarmac {
namespace {

const Cell* find_cell(const std::vector<Cell>& cells, const std::string& variant, const std::string& target) {
  const auto it = std::find_if(cells.begin(), cells.end(), [&](const Cell& cell) {
    return cell.result.variant == variant && cell.result.target == target;
  });
  return it == cells.end() ? nullptr : &*it;
}

double milliseconds(const Cell& cell) { return static_cast<double>(cell.result.latency->p50_ns) / 1e6; }

VariantMeasurements measurements(const Cell& cell, const std::vector<const Cell*>& final_cells,
                                 const report::DeployReport& report) {
  VariantMeasurements measured;
  measured.target = cell.result.target;
  measured.variant = cell.result.variant;
  if (cell.result.accuracy) {
    measured.accuracy = cell.result.accuracy->value;
    measured.nds = cell.result.accuracy->nds;
    if (cell.result.accuracy->errors) measured.velocity_error = cell.result.accuracy->errors->velocity;
  }
  measured.latency = cell.result.latency;
  if (cell.result.throughput) measured.throughput_per_s = cell.result.throughput->samples_per_s;
  measured.deployed = std::find(final_cells.begin(), final_cells.end(), &cell) != final_cells.end();
  measured.peak_memory_bytes = cell.result.peak_memory_bytes;
  for (const report::ReferenceComparison& row : report.references) {
    if (row.variant == measured.variant && row.target == measured.target)
      measured.reference_error = row.metrics;
  }
  return measured;
}

}  // namespace

std::vector<const Cell*> choose_final(const Contract& contract, const std::vector<Cell>& cells,
                                      report::DeployReport& report) {
  std::vector<const Cell*> chosen;
  for (const TargetSpec& spec : contract.targets) {
    const Cell* fp32 = find_cell(cells, "fp32", spec.name);
    const Cell* int8 = find_cell(cells, "int8", spec.name);
    if (int8 != nullptr && int8->result.latency->p50_ns >= fp32->result.latency->p50_ns) {
      report.notes.push_back(
          fmt::format("{}: INT8 takes {:.3f} ms and FP32 {:.3f} ms on this machine, so FP32 is deployed",
                      spec.name, milliseconds(*int8), milliseconds(*fp32)));
      int8 = nullptr;
    }
    chosen.push_back(int8 != nullptr ? int8 : fp32);
  }
  return chosen;
}

void accept(const Contract& contract, const std::vector<Cell>& cells,
            const std::vector<const Cell*>& final_cells, report::DeployReport& report) {
  std::vector<VariantMeasurements> measured;
  for (const Cell& cell : cells) measured.push_back(measurements(cell, final_cells, report));
  for (const Criterion& criterion : check_acceptance(contract, measured)) {
    report.acceptance.push_back({criterion.name, criterion.target, criterion.variant,
                                 criterion.bound == Bound::kAtLeast ? "at_least" : "at_most", criterion.limit,
                                 criterion.measured, criterion.unit, criterion.passed, criterion.metric});
    if (!criterion.passed) report.failures.push_back(criterion.detail);
  }
  report.passed = report.failures.empty();
}

}  // namespace tarmac
