// deploy.yaml made true: check, optimise, quantise, compile, evaluate, time, accept, report.
#pragma once

#include <filesystem>
#include <functional>
#include <vector>

#include "base/progress.h"
#include "report/report.h"
#include "tarmac/contract.h"

namespace tarmac {

struct DeployOptions {
  /// Gets <name>.<target>.plan for every target, <name>.<target>.<precision>.plan for what the contract's
  /// precision has beside (`also`), report.json and report.html. Made when missing.
  std::filesystem::path output_folder;
  /// Peak resident bytes of a process that only loads and runs this plan. Without it the peak of this process
  /// counts, which holds every variant and engine at once.
  std::function<Result<std::uint64_t>(const std::filesystem::path& plan)> measure_memory;
  /// The program tarmac, which exporters call where the contract's model is not ONNX; it also tells where
  /// they are. Empty: the Python that runs them has both.
  std::filesystem::path program;
  /// PEM file of the Ed25519 private key to sign plans with; empty: they are not signed.
  std::filesystem::path sign_key;
  /// How long each variant is timed on each target, in seconds.
  double timing_s = 1.5;
};

struct DeployOutcome {
  report::DeployReport report;
  std::vector<std::filesystem::path> plans;
  std::filesystem::path report_html;
};

/// Does everything that the contract asks for. An unmet acceptance is no error: report.passed is false, and
/// plans and report are there to look at. Errors: kUnsupported (a node that a target cannot run, with the
/// remedy), kUnavailable (a target is not on this machine),
/// export_source()'s, kInvalidInput (data, contract), kCancelled, kIo,
/// …; no plan is left behind then.
Result<DeployOutcome> deploy(const Contract& contract, const DeployOptions& options, Progress& progress);

}  // namespace tarmac
