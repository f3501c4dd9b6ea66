// Compiled models under the contract's metric, on its data.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/progress.h"
#include "contract/batch_reader.h"
#include "contract/dataset.h"
#include "targets/target.h"
#include "verify/scorer.h"
#include "verify/state_drift.h"

namespace tarmac {

/// What a classifier said about one sample.
struct Prediction {
  int predicted = -1;      ///< index into the labels; -1 when the scores held NaN
  double probability = 0;  ///< of the predicted class: softmax of the scores, or the score itself where a row
                           ///< already holds numbers from 0 to 1 that sum to 1; 0 for NaN
};

struct Evaluation {
  Score score;
  std::vector<DataItem> items;          ///< the samples, in the order of the data set
  std::vector<Prediction> predictions;  ///< of the same samples; for top-1 only
  std::vector<StateDrift> drift;        ///< of each state output; empty without state or without a reference
  /// Of the same samples, what the contract's `detections` would show of each; for nuScenes with a `view`
  /// only.
  std::vector<std::vector<Detection3d>> detections_3d;
  std::int64_t inference_ns = 0;  ///< binding, running and reading, summed over the batches
  std::int64_t waiting_ns = 0;    ///< for the batches: preprocessing that inference did not hide
  std::vector<Error> unreadable;  ///< pictures that were left out
};

/// Runs each executable over the data set in batches; all see the same batches, so samples are read once.
/// Agreement is with `reference`, by default the first of `executables`, which then agrees with itself.
/// State that the contract's sequence carries goes from each frame to the next of its scene; where a
/// `reference` is given, drift is from its state. Under a `fault` what the executables get is changed by
/// FaultInjector; agreement is with a reference that sees no fault, and there is no drift. Results follow in
/// the order of `executables` and do not depend on threads. Errors: kUsage (data without what the metric
/// needs), Scorer's, StateCarrier's, BatchReader's, FaultInjector's, a run's, kCancelled.
Result<std::vector<Evaluation>> evaluate(std::span<Executable* const> executables, const Contract& contract,
                                         const Dataset& dataset, const BatchOptions& options,
                                         Progress& progress, Executable* reference = nullptr,
                                         const FaultSpec* fault = nullptr);

}  // namespace tarmac
