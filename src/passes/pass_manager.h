// Runs passes in order, times them, checks the result, and keeps the record.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "passes/pass.h"

namespace tarmac {

struct OptimizeOptions {
  std::set<std::string> skip;  ///< names of passes to leave out
  std::set<std::string> only;  ///< if not empty: just these
  std::filesystem::path
      trace;  ///< folder for the graph as text before and after each pass that changed something
  ConstantEvaluator* evaluator = nullptr;
  const OperatorSupport* support = nullptr;  ///< see PassContext
  std::optional<std::int64_t> heads;         ///< see PassContext
  std::optional<std::int64_t> hidden_size;   ///< see PassContext
  /// The opset of the result. Going up, passes can use it; going down, conversion comes last, and passes use
  /// nothing newer. Absent: the model's, or a newer one that a fusion wants and `support` accepts.
  std::optional<std::int64_t> opset;
  Progress* progress = nullptr;
  const std::vector<Pass>* passes = nullptr;  ///< the list to run; null: all_passes()
  /// Stop after so many steps. Equal models and options give equal steps, so the one that introduced
  /// something can be searched for.
  std::optional<std::size_t> max_steps;
};

/// One pass applied once.
struct PassStep {
  std::string pass;
  int round = 0;                 ///< from 1
  std::size_t first_change = 0;  ///< index into OptimizeReport::changes
  std::size_t changes = 0;
};

struct PassRun {
  std::string pass;
  std::size_t changes = 0;
  std::int64_t time_ns = 0;
};

struct OptimizeReport {
  std::vector<PassRun> passes;
  std::vector<PassStep> steps;  ///< in order
  std::vector<Change> changes;
  std::vector<Change> declined;
  std::size_t nodes_before = 0;
  std::size_t nodes_after = 0;
};

/// Runs the list until nothing changes any more (at most a few rounds) and verifies the model.
/// Errors: kUsage for an unknown pass name (names the known ones), kCancelled, those of convert_opset(), or
/// the failing pass's.
Result<OptimizeReport> optimize(Model& model, const OptimizeOptions& options);

}  // namespace tarmac
