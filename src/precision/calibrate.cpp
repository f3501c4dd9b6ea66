#include "precision/calibrate.h"

#include <array>
#include <cassert>
#include <chrono>
#include <future>

#include "graph/model_io.h"
#include "precision/extremes.h"

namespace tarmac {
namespace {

/// Adds `values` to the outputs of a copy of the model.
Result<Model> observed_copy(const Model& model, const std::vector<std::string>& values) {
  Model copy = clone_model(model);
  for (const std::string& name : values) {
    Value* value = copy.graph->find(name);
    if (value == nullptr) return make_error(ErrorCode::kNotFound, "no value '" + name + "' to observe", name);
    if (!value->is_output() && !value->is_input()) copy.graph->add_output(*value);
  }
  return copy;
}

float blend(float average, float latest, double decay) {
  return static_cast<float>(decay * average + (1 - decay) * latest);
}

/// Elements of the samples that count.
std::size_t counted(const Tensor& tensor, const CalibrationBatch& batch) {
  const auto count = static_cast<std::size_t>(tensor.count());
  if (batch.samples == batch.size || tensor.shape().empty()) return count;
  const auto rows = static_cast<std::size_t>(tensor.shape().front());
  return rows % batch.size != 0 ? count : count / batch.size * batch.samples;
}

Status observe(const std::string& name, const Tensor& tensor, std::size_t count,
               const CalibrateOptions& options, ActivationStatistics& statistics) {
  if (tensor.dtype() != DType::kFloat32) {
    return make_error(ErrorCode::kInvalidInput,
                      std::string("expected float32, found ") + to_string(tensor.dtype()), name);
  }
  if (count == 0) return {};
  const auto values = tensor.data<float>().first(count);
  const auto [low, high, finite] = extremes_of(values);
  if (!finite) {
    return make_error(
        ErrorCode::kInvalidInput,
        "NaN or infinity during calibration; check the preprocessing and the model on this data", name);
  }
  if (options.histograms) statistics.histogram.add(values);
  statistics.extremes.include(low, high);
  Range& average = statistics.moving_average;
  if (average.empty) {
    average.include(low, high);
  } else {
    average.min = blend(average.min, low, options.decay);
    average.max = blend(average.max, high, options.decay);
  }
  return {};
}

/// Two contexts that take turns: one runs while what the other made is reduced.
class Calibrator {
 public:
  Calibrator(const std::vector<std::string>& values, const CalibrateOptions& options)
      : values_(values), options_(options) {}

  Status open(Executable& executable) {
    for (auto& context : contexts_) {
      TARMAC_TRY(context, executable.create_context());
    }
    return {};
  }

  Status run(CalibrationBatch batch) {
    Context& context = *contexts_[calibration_.batches % contexts_.size()];
    for (auto& [name, tensor] : batch.inputs) TARMAC_CHECK_OK(context.set_input(name, tensor));
    TARMAC_CHECK_OK(context.run());
    TARMAC_CHECK_OK(finish());
    const std::size_t samples = batch.samples;
    reduction_ = std::async(std::launch::async,
                            [this, &context, batch = std::move(batch)] { return reduce(context, batch); });
    ++calibration_.batches;
    calibration_.samples += samples;
    return {};
  }

  /// Waits for the last batch's reduction.
  Status finish() { return reduction_.valid() ? reduction_.get() : Status{}; }

  Calibration take() { return std::move(calibration_); }
  [[nodiscard]] std::uint64_t batches() const { return calibration_.batches; }

 private:
  Status reduce(Context& context, const CalibrationBatch& batch) {
    for (const std::string& name : values_) {
      const auto input = batch.inputs.find(name);
      Tensor tensor;
      if (input != batch.inputs.end()) {
        tensor = input->second;
      } else {
        TARMAC_TRY(tensor, context.output(name));
      }
      TARMAC_CHECK_OK(observe(name, tensor, counted(tensor, batch), options_, calibration_.statistics[name]));
    }
    return {};
  }

  const std::vector<std::string>& values_;
  const CalibrateOptions& options_;
  std::array<std::unique_ptr<Context>, 2> contexts_;
  Calibration calibration_;
  std::future<Status> reduction_;  // last: waits for its work when an error ends the run early
};

}  // namespace

CalibrationBatch calibration_batch(Batch batch) {
  std::size_t size = batch.items.size();
  for (const auto& [name, tensor] : batch.inputs) {
    if (!tensor.shape().empty()) size = static_cast<std::size_t>(tensor.shape().front());
  }
  return {std::move(batch.inputs), batch.items.size(), size};
}

bool needs_histogram(CalibrationMethod method) {
  return method != CalibrationMethod::kMinMax && method != CalibrationMethod::kMovingAverage;
}

Result<Calibration> calibrate(const Model& model, const std::vector<std::string>& values, Target& target,
                              const CalibrateOptions& options, const CalibrationSource& next_batch,
                              Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  TARMAC_TRY(const Model observed, observed_copy(model, values));
  TARMAC_TRY(const auto executable, target.compile(observed, options.compile, progress));
  Calibrator calibrator(values, options);
  TARMAC_CHECK_OK(calibrator.open(*executable));
  while (true) {
    if (progress.cancelled()) return make_error(ErrorCode::kCancelled, "interrupted during calibration");
    TARMAC_TRY(auto batch, next_batch());
    if (!batch) break;
    TARMAC_CHECK_OK(calibrator.run(*std::move(batch)));
    progress.advance();
  }
  TARMAC_CHECK_OK(calibrator.finish());
  if (calibrator.batches() == 0) {
    return make_error(ErrorCode::kInvalidInput, "no calibration data; expected at least one sample");
  }
  Calibration calibration = calibrator.take();
  calibration.time_ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start).count();
  return calibration;
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
