// Ranges of activations, observed while real data streams through the float model.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "graph/graph.h"
#include "precision/clipping.h"
#include "precision/observed_run.h"
#include "precision/observer.h"
#include "targets/target.h"

namespace tarmac {

/// The next batch, by input name; nullopt at the end.
using BatchSource = std::function<Result<std::optional<std::map<std::string, Tensor>>>()>;

/// The next batch; nullopt at the end.
using CalibrationSource = std::function<Result<std::optional<CalibrationBatch>>()>;

struct Calibration {
  Statistics statistics;
  std::uint64_t batches = 0;
  std::uint64_t samples = 0;
  std::int64_t time_ns = 0;
};

struct CalibrateOptions {
  CompileOptions compile;
  ObserverOptions observe;
  std::vector<StateSpec> state;  ///< carried from each batch to the next; batches are of one frame then
};

/// Whether ranges by this method need histograms.
bool needs_histogram(CalibrationMethod method);

/// How many samples to run at a time where the model leaves it open: as many as keep the values below 64 MB,
/// 32 at most. 1 where the model has a fixed first axis or sizes that nothing says.
std::size_t choose_calibration_batch(const Model& model, const std::vector<std::string>& values);

/// Runs every batch through `model` on `target` with `values` as further outputs, and reduces them. Memory
/// does not depend on the number of samples. Errors: kInvalidInput when there is no data or a value is NaN or
/// infinite (names it), kCancelled, the target's.
Result<Calibration> calibrate(const Model& model, const std::vector<std::string>& values, Target& target,
                              const CalibrateOptions& options, const CalibrationSource& next_batch,
                              Progress& progress);

/// Values that were the same number everywhere, by name: their range says nothing of other data.
std::vector<std::string> constant_values(const Statistics& statistics);

/// The range of each value by the method. Asserts that histograms were kept where it needs them.
Ranges ranges_of(const Statistics& statistics, const ClippingOptions& clipping);

}  // namespace tarmac
