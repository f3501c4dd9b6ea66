// Runs the float model so that its inner values can be read after each batch.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "contract/batch_reader.h"
#include "graph/graph.h"
#include "sequence/state_carrier.h"
#include "targets/target.h"

namespace tarmac {

/// Samples along the first axis of each input.
struct CalibrationBatch {
  std::map<std::string, Tensor> inputs;
  std::size_t samples = 0;    ///< that count; what lies behind them fills up a fixed batch size
  std::size_t size = 0;       ///< that are there
  bool starts_scene = false;  ///< the carried state begins anew
};
CalibrationBatch calibration_batch(Batch batch);
/// Of `rows` along a tensor's first axis those of samples that count; all where that axis holds no samples.
std::size_t counted_rows(std::size_t rows, const CalibrationBatch& batch);

/// Compiled for the shapes of the first batch, and the values lie in memory that is allocated once; a smaller
/// batch is filled up to the first one's size. Data of changing shapes gets a second compilation whose
/// results the engine allocates.
class ObservedRun {
 public:
  /// All must outlive it.
  ObservedRun(const Model& model, const std::vector<std::string>& values, Target& target,
              const CompileOptions& options, const std::vector<StateSpec>& state)
      : model_(model), values_(values), target_(target), options_(options), state_(state) {}

  /// Runs the batch, which it may fill up. Errors: kNotFound (a value), the target's, StateCarrier's.
  Status run(CalibrationBatch& batch, Progress& progress);

  /// The values, in the order given, as the latest run had them; valid until the next.
  [[nodiscard]] const std::vector<Tensor>& tensors() const { return tensors_; }

 private:
  Status open(const CalibrationBatch& batch, Progress& progress);
  Status compile(const Model& model, bool bind, Progress& progress);
  Status collect(const CalibrationBatch& batch);

  const Model& model_;
  const std::vector<std::string>& values_;
  Target& target_;
  const CompileOptions& options_;
  const std::vector<StateSpec>& state_;
  bool flexible_ = false;               ///< shapes change
  std::map<std::string, Shape> fixed_;  ///< the inputs' shapes that it is compiled for
  std::unique_ptr<Executable> executable_;
  std::unique_ptr<Context> context_;
  StateCarrier carrier_;
  std::vector<Tensor> tensors_;
};

}  // namespace tarmac
