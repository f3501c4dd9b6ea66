// Two models on the same inputs: how far their outputs lie apart.
#pragma once

#include <memory>
#include <vector>

#include "base/progress.h"
#include "cli/output.h"
#include "runtime/inputs.h"
#include "targets/target.h"
#include "verify/compare_outputs.h"
#include "verify/reference_engine.h"

namespace tarmac::cli {

using Comparison = std::vector<OutputComparison>;

/// Every output's largest error is at most `limit` of its range.
bool within(const Comparison& comparison, double limit);

/// `count` batches of made-up inputs.
SampleSource made_up_batches(const std::vector<TensorInfo>& inputs, const ShapeChoice& shapes,
                             std::int64_t count);

/// A table of the outputs, and its JSON.
void print(Output& output, const Comparison& comparison);
Json to_json(const Comparison& comparison);

}  // namespace tarmac::cli
