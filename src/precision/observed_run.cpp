#include "precision/observed_run.h"

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "graph/model_io.h"
#include "passes/infer_shapes.h"

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

std::vector<TensorInfo> infos_of(const std::vector<Value*>& values) {
  std::vector<TensorInfo> infos;
  for (const Value* value : values) infos.push_back({value->name(), value->type});
  return infos;
}

std::map<std::string, Shape> shapes_of(const CalibrationBatch& batch) {
  std::map<std::string, Shape> shapes;
  for (const auto& [name, tensor] : batch.inputs) shapes[name] = tensor.shape();
  return shapes;
}

/// A batch of `count` samples that ends with repetitions of the last.
Result<Tensor> filled_up(const Tensor& tensor, std::int64_t count) {
  Shape shape = tensor.shape();
  const auto rows = static_cast<std::size_t>(shape[0]);
  const std::size_t row_bytes = tensor.bytes().size() / rows;
  shape[0] = count;
  TARMAC_TRY(Tensor full, Tensor::allocate(tensor.dtype(), std::move(shape)));
  std::byte* to = full.mutable_bytes().data();
  std::memcpy(to, tensor.bytes().data(), rows * row_bytes);
  for (std::size_t i = rows; i < static_cast<std::size_t>(count); ++i)
    std::memcpy(to + i * row_bytes, to + (rows - 1) * row_bytes, row_bytes);
  return full;
}

/// Whether the batch has the shapes but for fewer samples than `fixed`; then the samples of `fixed`, else 0.
std::int64_t size_to_fill(const CalibrationBatch& batch, const std::map<std::string, Shape>& fixed) {
  std::int64_t size = 0;
  for (const auto& [name, tensor] : batch.inputs) {
    const auto found = fixed.find(name);
    if (found == fixed.end() || tensor.dtype() == DType::kString) return 0;
    Shape shape = tensor.shape();
    const Shape& wanted = found->second;
    if (shape.empty() || shape.size() != wanted.size() || shape[0] != static_cast<std::int64_t>(batch.size) ||
        shape[0] == 0 || wanted[0] <= shape[0] || (size != 0 && wanted[0] != size))
      return 0;
    size = wanted[0];
    shape[0] = size;
    if (shape != wanted) return 0;
  }
  return size;
}

}  // namespace

CalibrationBatch calibration_batch(Batch batch) {
  std::size_t size = batch.items.size();
  for (const auto& [name, tensor] : batch.inputs) {
    if (!batch.whole && !tensor.shape().empty()) size = static_cast<std::size_t>(tensor.shape().front());
  }
  return {std::move(batch.inputs), batch.items.size(), size, batch.starts_scene};
}

std::size_t counted_rows(std::size_t rows, const CalibrationBatch& batch) {
  if (batch.samples == batch.size || batch.size == 0 || rows % batch.size != 0) return rows;
  return rows / batch.size * batch.samples;
}

Status ObservedRun::compile(const Model& model, bool bind, Progress& progress) {
  context_.reset();
  TARMAC_TRY(executable_, target_.compile(model, options_, progress));
  TARMAC_TRY(context_, executable_->create_context());
  if (!bind) return {};
  for (const TensorInfo& output : executable_->outputs()) {
    const bool observed = std::find(values_.begin(), values_.end(), output.name) != values_.end();
    const bool carried = std::any_of(state_.begin(), state_.end(),
                                     [&](const StateSpec& state) { return state.output == output.name; });
    const auto shape = output.type.static_shape();
    if (!observed || carried || !shape || bit_width(output.type.dtype) < 8) continue;
    TARMAC_TRY(Tensor memory, Tensor::allocate(output.type.dtype, *shape));
    TARMAC_CHECK_OK(context_->set_output(output.name, memory));
  }
  return {};
}

Status ObservedRun::open(const CalibrationBatch& batch, Progress& progress) {
  TARMAC_TRY(const Model observed, observed_copy(model_, values_));
  if (carrier_.empty() && !state_.empty()) {
    TARMAC_TRY(carrier_, StateCarrier::open(state_, infos_of(model_.graph->inputs()),
                                            infos_of(model_.graph->outputs())));
  }
  flexible_ = context_ != nullptr;
  fixed_ = shapes_of(batch);
  if (!flexible_) {
    Model fixed = clone_model(observed);
    auto shapes = carrier_.shapes();
    shapes.insert(fixed_.begin(), fixed_.end());
    Status known;
    for (const auto& [name, shape] : shapes) {
      if (known) known = fix_input_shape(fixed, name, shape);
    }
    if (known) return compile(fixed, true, progress);
    log(LogLevel::kDebug, "calibrating without fixed shapes: " + known.error().str());
    flexible_ = true;
  }
  return compile(observed, false, progress);
}

Status ObservedRun::collect(const CalibrationBatch& batch) {
  tensors_.clear();
  for (const std::string& name : values_) {
    const auto input = batch.inputs.find(name);
    const Tensor* const state = carrier_.value(name);
    if (input != batch.inputs.end()) {
      TARMAC_TRY(tensors_.emplace_back(), input->second.aligned());
    } else if (state != nullptr) {
      tensors_.push_back(*state);
    } else {
      TARMAC_TRY(tensors_.emplace_back(), context_->output(name));
    }
  }
  return {};
}

Status ObservedRun::run(CalibrationBatch& batch, Progress& progress) {
  if (context_ == nullptr) {
    TARMAC_CHECK_OK(open(batch, progress));
  } else if (!flexible_ && shapes_of(batch) != fixed_) {
    const std::int64_t size = size_to_fill(batch, fixed_);
    if (size == 0) {
      TARMAC_CHECK_OK(open(batch, progress));
    } else {
      for (auto& [name, tensor] : batch.inputs) {
        TARMAC_TRY(tensor, filled_up(tensor, size));
      }
      batch.size = static_cast<std::size_t>(size);
    }
  }
  for (auto& [name, tensor] : batch.inputs) TARMAC_CHECK_OK(context_->set_input(name, tensor));
  if (batch.starts_scene) carrier_.reset();
  TARMAC_CHECK_OK(carrier_.bind(*context_));
  TARMAC_CHECK_OK(context_->run());
  TARMAC_CHECK_OK(collect(batch));
  return carrier_.after_run(*context_);
}

}  // namespace tarmac
