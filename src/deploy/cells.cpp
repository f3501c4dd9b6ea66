#include "deploy/cells.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>

#include "runtime/inputs.h"
#include "runtime/measure.h"

namespace tarmac {
namespace {

constexpr int kHistogramBins = 40;
/// Runs whose nodes are timed: as many as fit into the time given, but from this few to this many.
constexpr int kFewestProfiledRuns = 3;
constexpr int kMostProfiledRuns = 20;

/// Models that take a second a run would otherwise spend more time on warming up than on what is measured.
MeasureOptions measure_options(double seconds) {
  MeasureOptions options;
  options.warmup_iterations = 2;
  options.duration_s = seconds;
  return options;
}

/// Mean time of each node over a few runs; a separate compilation, because recording slows the engine down.
Status time_nodes(Cell& cell, const std::map<std::string, Tensor>& sample, double seconds,
                  Progress& progress) {
  CompileOptions options = compile_options(*cell.spec);
  options.profile = true;
  TARMAC_TRY(const auto executable, cell.target->compile(cell.variant->model, options, progress));
  TARMAC_TRY(const auto context, executable->create_context());
  TARMAC_CHECK_OK(bind_inputs(*context, sample));
  TARMAC_CHECK_OK(context->run());  // the first run prepares kernels
  std::map<std::string, report::NodeTime> sums;
  int runs = 0;
  const auto begin = std::chrono::steady_clock::now();
  const auto used = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  for (; runs < kFewestProfiledRuns || (runs < kMostProfiledRuns && used() < seconds); ++runs) {
    if (progress.cancelled()) return make_error(ErrorCode::kCancelled, "the measurement was interrupted");
    TARMAC_CHECK_OK(context->run());
    TARMAC_TRY(const auto times, context->profile());
    for (const NodeTime& time : times) {
      report::NodeTime& sum = sums[time.node];
      sum.name = time.node;
      sum.op_type = time.op_type;
      sum.time_ns += time.time_ns;
    }
  }
  for (auto& [name, sum] : sums) {
    sum.time_ns /= runs;
    cell.result.node_times.push_back(std::move(sum));
  }
  std::stable_sort(cell.result.node_times.begin(), cell.result.node_times.end(),
                   [](const auto& a, const auto& b) { return a.time_ns > b.time_ns; });
  return {};
}

/// As many contexts at once as there are cores, each with its own inputs bound.
Status time_throughput(Cell& cell, const std::map<std::string, Tensor>& sample, double seconds,
                       Progress& progress) {
  const int streams =
      std::max(1, cell.spec->cores.value_or(static_cast<int>(std::thread::hardware_concurrency())));
  std::vector<std::unique_ptr<Context>> contexts;
  std::vector<Context*> pointers;
  for (int i = 0; i < streams; ++i) {
    TARMAC_TRY(contexts.emplace_back(), cell.executable->create_context());
    TARMAC_CHECK_OK(bind_inputs(*contexts.back(), sample));
    pointers.push_back(contexts.back().get());
  }
  TARMAC_TRY(const Throughput measured, measure_throughput(pointers, measure_options(seconds), progress));
  cell.result.throughput = report::ThroughputResult{measured.runs_per_second(), 1, streams};
  return {};
}

}  // namespace

CompileOptions compile_options(const TargetSpec& spec) {
  CompileOptions options;
  options.cores = spec.cores.value_or(0);
  options.providers = spec.providers;
  options.allow_fallback = spec.allow_fallback;
  return options;
}

Result<std::vector<Target*>> find_targets(const Contract& contract) {
  std::vector<Target*> targets;
  for (const TargetSpec& spec : contract.targets) {
    TARMAC_TRY(Target * target, find_target(spec.name));
    TARMAC_CHECK_OK(target->available());
    targets.push_back(target);
  }
  return targets;
}

Status check_targets(const Contract& contract, const std::vector<Target*>& targets, const Model& model,
                     report::DeployReport& report, Progress& progress) {
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const TargetSpec& spec = contract.targets[i];
    TARMAC_TRY(const auto verdicts, targets[i]->check(model, compile_options(spec), progress));
    report::TargetCheck check;
    check.target = spec.name;
    check.available = true;
    check.nodes_total = static_cast<std::int64_t>(verdicts.size());
    for (const NodeVerdict& verdict : verdicts) {
      if (verdict.verdict == Verdict::kSupported) {
        ++check.nodes_supported;
        continue;
      }
      if (verdict.verdict == Verdict::kRefused || !spec.allow_fallback) {
        return make_error(
            ErrorCode::kUnsupported,
            spec.name + " does not run " + verdict.op_type + ": " + verdict.reason + "; " + verdict.remedy,
            verdict.node);
      }
      check.nodes.push_back(
          {verdict.node, verdict.op_type, to_string(verdict.verdict), verdict.reason, verdict.remedy});
      report.notes.push_back(spec.name + " runs '" + verdict.node + "' on a fallback: " + verdict.reason);
    }
    report.checks.push_back(std::move(check));
  }
  return {};
}

Result<std::vector<Cell>> compile_cells(const Contract& contract, const std::vector<Target*>& targets,
                                        const std::vector<Variant>& variants, report::DeployReport& report,
                                        Progress& progress) {
  std::vector<Cell> cells;
  progress.start("compile", variants.size() * targets.size());
  for (const Variant& variant : variants) {
    for (std::size_t i = 0; i < targets.size(); ++i) {
      if (variant.only != nullptr && variant.only != targets[i]) continue;
      Cell cell;
      cell.variant = &variant;
      cell.target = targets[i];
      cell.spec = &contract.targets[i];
      cell.result.variant = variant.name;
      cell.result.target = cell.spec->name;
      cell.result.threads = cell.spec->cores.value_or(0);
      const auto start = std::chrono::steady_clock::now();
      CompileOptions options = compile_options(*cell.spec);
      options.saveable = true;  // plans carry the engine's form
      TARMAC_TRY(cell.executable, cell.target->compile(variant.model, options, progress));
      TARMAC_TRY(cell.context, cell.executable->create_context());
      cell.result.compile_ns =
          std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start)
              .count();
      for (const std::string& note : cell.executable->notes()) {
        report.notes.push_back(variant.name + " on " + cell.spec->name + ": " + note);
      }
      cells.push_back(std::move(cell));
      progress.advance();
    }
  }
  progress.finish();
  return cells;
}

Status time_cells(std::vector<Cell>& cells, const std::map<std::string, Tensor>& sample, double seconds,
                  Progress& progress) {
  std::vector<Context*> contexts;
  for (Cell& cell : cells) {
    TARMAC_CHECK_OK(bind_inputs(*cell.context, sample));
    contexts.push_back(cell.context.get());
  }
  const double part = seconds / 3;  // of throughput, and of the times of nodes
  progress.start("time (ms)", static_cast<std::uint64_t>((seconds + part) * 1000) * cells.size());
  TARMAC_TRY(const auto samples, measure_interleaved(contexts, measure_options(seconds), progress));
  for (std::size_t i = 0; i < cells.size(); ++i) {
    TARMAC_TRY(cells[i].result.latency, summarize_latency(samples[i]));
    TARMAC_TRY(cells[i].result.histogram, make_histogram(samples[i], kHistogramBins));
  }
  for (Cell& cell : cells) {
    TARMAC_CHECK_OK(time_throughput(cell, sample, part, progress));
    TARMAC_CHECK_OK(time_nodes(cell, sample, part, progress));
  }
  progress.finish();
  return {};
}

}  // namespace tarmac
