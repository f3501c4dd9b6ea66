// What optimize, quantize and compile do first.
#pragma once

#include "cli/output.h"
#include "passes/pass_manager.h"
#include "targets/target.h"

namespace tarmac::cli {

/// optimize() for `targets` (none: every one that is available), with constants folded by the reference
/// engine; without an engine nothing is folded, and a warning says so.
Result<OptimizeReport> optimize_model(Model& model, OptimizeOptions options, std::vector<Target*> targets,
                                      Progress& progress);

/// "12 → 7 nodes" and one row a pass that did something.
void print(Output& output, const OptimizeReport& report);
Json to_json(const OptimizeReport& report);

}  // namespace tarmac::cli
