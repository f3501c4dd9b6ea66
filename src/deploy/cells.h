// Every variant on every target: compiled, evaluated and timed side by side.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "contract/dataset.h"
#include "deploy/variants.h"
#include "report/report.h"
#include "targets/target.h"

namespace tarmac {

/// One variant compiled for one target.
struct Cell {
  const Variant* variant = nullptr;
  Target* target = nullptr;
  const TargetSpec* spec = nullptr;
  std::unique_ptr<Executable> executable;
  std::unique_ptr<Context> context;
  report::RunResult result;
  std::vector<std::vector<Detection3d>> detections_3d;  ///< As Evaluation::detections_3d.
};

/// The contract's targets, in its order. Errors: kUsage (no such target), kUnavailable.
Result<std::vector<Target*>> find_targets(const Contract& contract);

CompileOptions compile_options(const TargetSpec& spec);

/// Asks every target for a verdict on every node of `model` and records it. kUnsupported when one is refused,
/// or runs on a fallback that the contract does not allow.
Status check_targets(const Contract& contract, const std::vector<Target*>& targets, const Model& model,
                     report::DeployReport& report, Progress& progress);

Result<std::vector<Cell>> compile_cells(const Contract& contract, const std::vector<Target*>& targets,
                                        const std::vector<Variant>& variants, report::DeployReport& report,
                                        Progress& progress);

/// Latency of all cells interleaved, then throughput and per-node times, with one real sample as the input.
Status time_cells(std::vector<Cell>& cells, const std::map<std::string, Tensor>& sample, double seconds,
                  Progress& progress);

}  // namespace tarmac
