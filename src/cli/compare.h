// Two models on the same inputs: how far their outputs lie apart.
#pragma once

#include <memory>
#include <vector>

#include "base/progress.h"
#include "cli/output.h"
#include "runtime/inputs.h"
#include "targets/target.h"
#include "verify/compare_outputs.h"

namespace tarmac::cli {

using Comparison = std::vector<OutputComparison>;

/// Every output's largest error is at most `limit` of its range.
bool within(const Comparison& comparison, double limit);

/// `count` batches of made-up inputs.
SampleSource made_up_batches(const std::vector<TensorInfo>& inputs, const ShapeChoice& shapes,
                             std::int64_t count);

/// Compiles without the engine's own rewriting on ONNX Runtime (else the first target there is): what results
/// are measured against. Takes a copy of the model.
Result<std::unique_ptr<Executable>> compile_reference(const Model& model, Progress& progress);
/// The target that compile_reference() takes.
Result<Target*> reference_target();

/// A table of the outputs, and its JSON.
void print(Output& output, const Comparison& comparison);
Json to_json(const Comparison& comparison);

}  // namespace tarmac::cli
