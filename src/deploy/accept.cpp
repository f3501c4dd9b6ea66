#include "deploy/accept.h"

#include <fmt/format.h>

#include <algorithm>

namespace tarmac {
namespace {

constexpr double kNsPerMs = 1e6;

const Cell* find_cell(const std::vector<Cell>& cells, const std::string& variant, const std::string& target) {
  const auto it = std::find_if(cells.begin(), cells.end(), [&](const Cell& cell) {
    return cell.result.variant == variant && cell.result.target == target;
  });
  return it == cells.end() ? nullptr : &*it;
}

class Acceptance {
 public:
  explicit Acceptance(report::DeployReport& report) : report_(report) {}

  void row(const std::string& criterion, const Cell* cell, double limit, std::optional<double> measured,
           const std::string& unit, bool at_least = false) {
    report::AcceptanceRow row;
    row.criterion = criterion;
    if (cell != nullptr) {
      row.target = cell->result.target;
      row.variant = cell->result.variant;
    }
    row.bound = at_least ? "at_least" : "at_most";
    row.limit = limit;
    row.measured = measured;
    row.unit = unit;
    // Drops are differences of fractions: a hundredth of a percent point is below what any data set resolves.
    const double slack = unit == "fraction" ? 1e-9 : 0.0;
    row.passed = measured && (at_least ? *measured >= limit : *measured <= limit + slack);
    if (!row.passed) {
      report_.failures.push_back(fmt::format("{} of {} on {}: {} where {} {} is allowed", criterion, row.variant, row.target,
                                             measured ? shown(*measured, unit) : "not measured",
                                             at_least ? "at least" : "at most", shown(limit, unit)));
    }
    report_.acceptance.push_back(std::move(row));
  }

 private:
  static std::string shown(double value, const std::string& unit) {
    if (unit == "fraction") return fmt::format("{:.2f} %", value * 100);
    if (unit == "ns") return fmt::format("{:.2f} ms", value / kNsPerMs);
    if (unit == "bytes") return fmt::format("{:.0f} MiB", value / (1024.0 * 1024.0));
    return fmt::format("{:.6g} {}", value, unit);
  }

  report::DeployReport& report_;
};

std::optional<double> drop(const Cell* original, const Cell& cell) {
  if (original == nullptr || !original->result.accuracy || !cell.result.accuracy) return std::nullopt;
  return original->result.accuracy->value - cell.result.accuracy->value;
}

}  // namespace

std::vector<const Cell*> choose_final(const Contract& contract, const std::vector<Cell>& cells, report::DeployReport& report) {
  std::vector<const Cell*> chosen;
  for (const TargetSpec& spec : contract.targets) {
    const Cell* fp32 = find_cell(cells, "fp32", spec.name);
    const Cell* int8 = find_cell(cells, "int8", spec.name);
    if (int8 != nullptr && int8->result.latency->p50_ns >= fp32->result.latency->p50_ns) {
      report.notes.push_back(fmt::format("{}: INT8 takes {:.3f} ms, FP32 {:.3f} ms on this machine, so FP32 is deployed", spec.name,
                                         static_cast<double>(int8->result.latency->p50_ns) / kNsPerMs,
                                         static_cast<double>(fp32->result.latency->p50_ns) / kNsPerMs));
      int8 = nullptr;
    }
    chosen.push_back(int8 != nullptr ? int8 : fp32);
  }
  return chosen;
}

void accept(const Contract& contract, const std::vector<Cell>& cells, const std::vector<const Cell*>& final_cells,
            const std::vector<std::uint64_t>& memory_bytes, report::DeployReport& report) {
  const AcceptanceSpec& limits = contract.acceptance;
  Acceptance acceptance(report);
  for (const Cell& cell : cells) {
    const Cell* original = find_cell(cells, "original", cell.result.target);
    if (cell.result.variant == "fp32" && limits.fp32_drop) {
      acceptance.row("accuracy drop", &cell, *limits.fp32_drop, drop(original, cell), "fraction");
    }
    if (cell.result.variant == "int8" && limits.int8_drop) {
      acceptance.row("accuracy drop", &cell, *limits.int8_drop, drop(original, cell), "fraction");
    }
  }
  for (const report::ReferenceComparison& comparison : report.references) {
    if (!comparison.max_rel_limit) continue;
    acceptance.row("error against the reference", find_cell(cells, comparison.variant, comparison.target),
                   *comparison.max_rel_limit,
                   comparison.metrics.nan_mismatches + comparison.metrics.infinity_mismatches > 0
                       ? std::nullopt
                       : std::optional(comparison.metrics.max_rel),
                   "fraction");
  }
  for (std::size_t i = 0; i < final_cells.size(); ++i) {
    const Cell& cell = *final_cells[i];
    if (limits.latency_p50_ms) {
      acceptance.row("latency p50", &cell, *limits.latency_p50_ms * kNsPerMs, static_cast<double>(cell.result.latency->p50_ns), "ns");
    }
    if (limits.latency_p99_ms) {
      acceptance.row("latency p99", &cell, *limits.latency_p99_ms * kNsPerMs, static_cast<double>(cell.result.latency->p99_ns), "ns");
    }
    if (limits.throughput_per_s) {
      acceptance.row("throughput", &cell, *limits.throughput_per_s,
                     cell.result.throughput ? std::optional(cell.result.throughput->samples_per_s) : std::nullopt, "1/s", true);
    }
    if (limits.memory_bytes) {
      acceptance.row("peak memory", &cell, static_cast<double>(*limits.memory_bytes), static_cast<double>(memory_bytes[i]), "bytes");
    }
  }
  report.passed = report.failures.empty();
}

}  // namespace tarmac
