// What optimize, quantize and compile do first.
#pragma once

#include "cli/output.h"
#include "passes/pass_manager.h"

namespace tarmac::cli {

/// optimize() with constants folded by the reference engine; without an engine nothing is folded, and a
/// warning says so.
Result<OptimizeReport> optimize_model(Model& model, OptimizeOptions options, Progress& progress);

/// "12 → 7 nodes" and one row a pass that did something.
void print(Output& output, const OptimizeReport& report);
Json to_json(const OptimizeReport& report);

}  // namespace tarmac::cli
