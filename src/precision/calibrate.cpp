#include "precision/calibrate.h"

#include <cassert>
#include <chrono>

#include "ops/parallel.h"

namespace tarmac {
namespace {

/// Elements of the samples that count.
std::size_t counted(const Tensor& tensor, const CalibrationBatch& batch) {
  const auto count = static_cast<std::size_t>(tensor.count());
  if (count == 0 || tensor.shape().empty()) return count;
  const auto rows = static_cast<std::size_t>(tensor.shape().front());
  return count / rows * counted_rows(rows, batch);
}

}  // namespace

bool needs_histogram(CalibrationMethod method) {
  return method != CalibrationMethod::kMinMax && method != CalibrationMethod::kMovingAverage;
}

Result<Calibration> calibrate(const Model& model, const std::vector<std::string>& values, Target& target,
                              const CalibrateOptions& options, const CalibrationSource& next_batch,
                              Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  ObservedRun runs(model, values, target, options.compile, options.state);
  ActivationObserver observer(values, options.observe);
  ops::ArenaParallel cores;
  Calibration calibration;
  std::vector<std::size_t> counts(values.size());
  while (true) {
    if (progress.cancelled()) return make_error(ErrorCode::kCancelled, "interrupted during calibration");
    TARMAC_TRY(auto batch, next_batch());
    if (!batch) break;
    TARMAC_CHECK_OK(runs.run(*batch, progress));
    for (std::size_t i = 0; i < values.size(); ++i) counts[i] = counted(runs.tensors()[i], *batch);
    TARMAC_CHECK_OK(observer.add(runs.tensors(), counts, cores, options.compile.cores));
    ++calibration.batches;
    calibration.samples += batch->samples;
    progress.advance();
  }
  if (calibration.batches == 0) {
    return make_error(ErrorCode::kInvalidInput, "no calibration data; expected at least one sample");
  }
  calibration.statistics = observer.take();
  calibration.time_ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start).count();
  return calibration;
}

std::vector<std::string> constant_values(const Statistics& statistics) {
  std::vector<std::string> names;
  for (const auto& [name, seen] : statistics) {
    if (!seen.extremes.empty && seen.extremes.min == seen.extremes.max) names.push_back(name);
  }
  return names;
}

Ranges ranges_of(const Statistics& statistics, const ClippingOptions& clipping) {
  Ranges ranges;
  for (const auto& [name, seen] : statistics) {
    Range& range = ranges[name];
    if (needs_histogram(clipping.method)) {
      assert(seen.extremes.empty || seen.histogram.count() > 0);
      range = clip(seen.histogram, clipping);
    } else {
      range = clipping.method == CalibrationMethod::kMovingAverage ? seen.moving_average : seen.extremes;
    }
  }
  return ranges;
}

}  // namespace tarmac
