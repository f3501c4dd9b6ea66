// optimize --verify: the proof that the result computes what the original does.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "cli/args/data_args.h"
#include "cli/program.h"
#include "passes/pass_manager.h"

namespace tarmac::cli {

struct VerifyOptimizedArgs {
  DataArgs data;
  std::vector<std::string> profiles;

  /// --data, --contract, --samples and --profile.
  void add(CLI::App& command);
  /// kUsage when they are given without --verify (data that something else takes may be), or a profile cannot
  /// be read.
  [[nodiscard]] Status check(bool verify, bool data_is_taken) const;
};

struct OptimizedModels {
  const Model& original;   ///< as loaded
  const Model& before;     ///< what optimize() was given: the original with its shapes fixed
  const Model& optimized;  ///< what it made of it
};

/// `options` and `targets` are what optimize_model() was given. Compares on real samples where some are
/// given, and on made-up ones at every corner of the profiles; prints the table, fills in "verify" of the
/// JSON. kAcceptance with the pass that is to blame on a difference.
Status verify_optimized(const OptimizedModels& models, const OptimizeOptions& options,
                        const std::vector<Target*>& targets, const VerifyOptimizedArgs& args, Run& run);

}  // namespace tarmac::cli
