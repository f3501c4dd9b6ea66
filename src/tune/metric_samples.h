// The contract's metric of many variants of one model: samples are read once, and some of them held in
// memory.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/progress.h"
#include "contract/batch_reader.h"
#include "contract/dataset.h"
#include "targets/target.h"
#include "verify/scorer.h"

namespace tarmac {

struct HoldOptions {
  std::size_t samples = 64;                            ///< held at most, spread evenly over the data set
  std::size_t bytes = std::size_t{512} * 1024 * 1024;  ///< that held inputs and outputs may take
};

class MetricSamples {
 public:
  /// Contract, data set and the float model must outlive it; the contract's metric counts, agreement is with
  /// the float model.
  MetricSamples(const Contract& contract, const Dataset& dataset, Executable& plain, HoldOptions options)
      : contract_(contract), dataset_(dataset), plain_(plain), options_(options) {}

  /// The metric, in [0, 1], of the float model and of another one on all samples.
  struct Pair {
    double plain = 0;
    double other = 0;
    std::int64_t samples = 0;
  };
  /// Reads the data set and takes the samples to hold. Errors: Scorer's, BatchReader's, a run's, kCancelled;
  /// kInvalidInput without samples.
  Result<Pair> hold(Executable& other, Progress& progress);

  /// On all samples; those that are not held are read again. State is the model's own.
  Result<double> score_all(Executable& other, Progress& progress);
  /// On the held samples; frames of a sequence with the state that the float model carried into them. Inputs
  /// of the context that the data set does not have stay as they are bound.
  Result<double> score_held(Context& context, const Executable& executable, Progress& progress);

  [[nodiscard]] bool holds_all() const { return holds_all_; }
  [[nodiscard]] std::span<const Batch> held() const { return held_; }
  [[nodiscard]] std::int64_t held_samples() const { return held_samples_; }
  /// Of the float model on the held samples.
  [[nodiscard]] double held_plain() const { return held_plain_; }

 private:
  Result<Pair> stream(Executable& other, Progress& progress, bool take);

  const Contract& contract_;
  const Dataset& dataset_;
  Executable& plain_;
  HoldOptions options_;
  std::vector<Batch> held_;
  std::vector<NamedTensors> references_;  ///< the float model's outputs, where the metric needs them
  double held_plain_ = 0;
  std::int64_t held_samples_ = 0;
  bool holds_all_ = false;
};

}  // namespace tarmac
