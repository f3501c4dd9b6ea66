#include "precision/calibrate.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "graph/model_io.h"

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

Status observe(const std::string& name, const Tensor& tensor, Range& range) {
  if (tensor.dtype() != DType::kFloat32) {
    return make_error(ErrorCode::kInvalidInput,
                      std::string("expected float32, found ") + to_string(tensor.dtype()), name);
  }
  float low = INFINITY;
  float high = -INFINITY;
  bool finite = true;
  for (const float x : tensor.data<float>()) {
    low = std::min(low, x);
    high = std::max(high, x);
    finite = finite && std::isfinite(x);
  }
  if (!finite) {
    return make_error(
        ErrorCode::kInvalidInput,
        "NaN or infinity during calibration; check the preprocessing and the model on this data", name);
  }
  if (tensor.count() > 0) range.include(low, high);
  return {};
}

}  // namespace

void Range::include(float low, float high) {
  min = empty ? low : std::min(min, low);
  max = empty ? high : std::max(max, high);
  empty = false;
}

Result<Calibration> calibrate_minmax(const Model& model, const std::vector<std::string>& values,
                                     Target& target, const CompileOptions& options,
                                     const BatchSource& next_batch, Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  TARMAC_TRY(const Model observed, observed_copy(model, values));
  TARMAC_TRY(const auto executable, target.compile(observed, options, progress));
  TARMAC_TRY(const auto context, executable->create_context());
  Calibration calibration;
  while (true) {
    if (progress.cancelled()) return make_error(ErrorCode::kCancelled, "interrupted during calibration");
    TARMAC_TRY(auto batch, next_batch());
    if (!batch) break;
    for (auto& [name, tensor] : *batch) TARMAC_CHECK_OK(context->set_input(name, tensor));
    TARMAC_CHECK_OK(context->run());
    for (const std::string& name : values) {
      if (const auto input = batch->find(name); input != batch->end()) {
        TARMAC_CHECK_OK(observe(name, input->second, calibration.ranges[name]));
        continue;
      }
      TARMAC_TRY(const Tensor tensor, context->output(name));
      TARMAC_CHECK_OK(observe(name, tensor, calibration.ranges[name]));
    }
    ++calibration.batches;
    progress.advance();
  }
  if (calibration.batches == 0) {
    return make_error(ErrorCode::kInvalidInput, "no calibration data; expected at least one sample");
  }
  calibration.time_ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start).count();
  return calibration;
}

}  // namespace tarmac
