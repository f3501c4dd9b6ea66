// Two models on the same inputs: how far their outputs lie apart, for people.
#pragma once

#include <vector>

#include "cli/output.h"
#include "report/model_json.h"
#include "verify/compare_outputs.h"

namespace tarmac::cli {

using Comparison = std::vector<OutputComparison>;

/// A table of the outputs.
void print(Output& output, const Comparison& comparison);

}  // namespace tarmac::cli
