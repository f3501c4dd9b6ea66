// Ranges of activations, observed while real data streams through the float model.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "contract/batch_reader.h"
#include "graph/graph.h"
#include "precision/clipping.h"
#include "targets/target.h"

namespace tarmac {

/// What was seen of a value.
struct ActivationStatistics {
  Histogram histogram;  ///< counts nothing but the extremes where the method needs no more
  Range extremes;       ///< of all batches
  Range moving_average;  ///< avg ← decay·avg + (1 − decay)·extreme of the batch; the first batch starts it
  bool operator==(const ActivationStatistics&) const = default;
};
using Statistics = std::map<std::string, ActivationStatistics>;

/// The next batch, by input name; nullopt at the end.
using BatchSource = std::function<Result<std::optional<std::map<std::string, Tensor>>>()>;

/// Samples along the first axis of each input.
struct CalibrationBatch {
  std::map<std::string, Tensor> inputs;
  std::size_t samples = 0;  ///< that count; what lies behind them fills up a fixed batch size
  std::size_t size = 0;     ///< that are there
};
CalibrationBatch calibration_batch(Batch batch);
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
  bool histograms = false;  ///< for the methods that look at more than extremes
  double decay = 0.9;       ///< of the moving average
};

/// Whether ranges by this method need histograms.
bool needs_histogram(CalibrationMethod method);

/// Runs every batch through `model` on `target` with `values` as further outputs, and reduces them while the
/// next batch runs. Two batches are held at a time, so memory does not depend on the number of samples.
/// Errors: kInvalidInput when there is no data or a value is NaN or infinite (names it), kCancelled, the
/// target's.
Result<Calibration> calibrate(const Model& model, const std::vector<std::string>& values, Target& target,
                              const CalibrateOptions& options, const CalibrationSource& next_batch,
                              Progress& progress);

/// The range of each value by the method. Asserts that histograms were kept where it needs them.
Ranges ranges_of(const Statistics& statistics, const ClippingOptions& clipping);

}  // namespace tarmac
