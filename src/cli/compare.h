// Two models on the same inputs: how far their outputs lie apart.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/progress.h"
#include "cli/output.h"
#include "metrics/error_metrics.h"
#include "precision/calibrate.h"
#include "runtime/inputs.h"
#include "targets/target.h"

namespace tarmac::cli {

struct Comparison {
  std::map<std::string, ErrorMetrics> outputs;  ///< worst over all batches, by output name
  std::int64_t batches = 0;

  /// Every output's largest error is at most `limit` of its range.
  [[nodiscard]] bool within(double limit) const;
};

/// Runs every batch through both and compares the outputs that `reference` has. Errors: kInvalidInput (an output is
/// missing in `other`, or shapes differ; no data), kCancelled, a run's.
Result<Comparison> compare_on(Executable& reference, Executable& other, const BatchSource& next_batch, Progress& progress);

/// `count` batches of made-up inputs.
BatchSource made_up_batches(const std::vector<TensorInfo>& inputs, const ShapeChoice& shapes, std::int64_t count);

/// Compiles without the engine's own rewriting on ONNX Runtime (else the first target there is): what results are
/// measured against. Takes a copy of the model.
Result<std::unique_ptr<Executable>> compile_reference(const Model& model, Progress& progress);
/// The target that compile_reference() takes.
Result<Target*> reference_target();

/// A table of the outputs, and its JSON.
void print(Output& output, const Comparison& comparison);
Json to_json(const Comparison& comparison);

}  // namespace tarmac::cli
