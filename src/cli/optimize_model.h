// What people are told of optimising.
#pragma once

#include "cli/output.h"
#include "deploy/optimize_model.h"
#include "report/model_json.h"

namespace tarmac::cli {

/// "12 → 7 nodes" and one row a pass that did something.
void print(Output& output, const OptimizeReport& report);

}  // namespace tarmac::cli
