// Accuracy of compiled models on the contract's data.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/progress.h"
#include "contract/batch_reader.h"
#include "contract/dataset.h"
#include "metrics/classification.h"
#include "targets/target.h"

namespace tarmac {

/// What a classifier said about one sample.
struct Prediction {
  DataItem item;
  int predicted = -1;      ///< index into the labels; -1 when the scores held NaN
  double probability = 0;  ///< of the predicted class: softmax of the scores, or the score itself where a row
                           ///< already holds numbers from 0 to 1 that sum to 1; 0 for NaN
};

struct Evaluation {
  ClassificationMetrics metrics;
  std::vector<Prediction> predictions;  ///< in the order of the data set
  std::int64_t inference_ns = 0;        ///< binding, running and reading, summed over the batches
  std::int64_t waiting_ns = 0;          ///< for the batches: preprocessing that inference did not hide
  std::vector<Error> unreadable;        ///< pictures that were left out
};

/// Runs each executable over the data set in batches; all see the same batches, so samples are read once. The
/// output is the contract's evaluation output, or the only one. Results follow in the order of `executables`
/// and do not depend on threads. Errors: kUsage (no labels or no labelled data), kNotFound (the output),
/// kInvalidInput (scores that do not fit the labels; BatchReader's), a run's, kCancelled.
Result<std::vector<Evaluation>> evaluate(std::span<Executable* const> executables, const Contract& contract,
                                         const Dataset& dataset, const BatchOptions& options,
                                         Progress& progress);

/// The output that `wanted` names; "" for the only one. kNotFound lists the outputs.
Result<std::string> choose_output(const Executable& executable, const std::string& wanted);

/// The first `rows` along the first axis, without a copy; the tensor itself where it has just these.
/// kInvalidInput when it has fewer.
Result<Tensor> first_rows(const Tensor& tensor, std::int64_t rows);

}  // namespace tarmac
