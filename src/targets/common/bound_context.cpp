#include "targets/common/bound_context.h"

#include <algorithm>
#include <utility>

namespace tarmac {
namespace {

/// Whether an engine that points at `bound` need not be told of `next`. Strings are copied into engines.
bool same_place(const Tensor& bound, const Tensor& next) {
  return bound.dtype() == next.dtype() && next.dtype() != DType::kString &&
         bound.bytes().data() == next.bytes().data() && bound.shape() == next.shape();
}

/// Whether Tensor::aligned() would give the tensor as it is; asked first because even that copies its shape.
bool is_aligned(const Tensor& tensor) {
  const auto width = static_cast<std::size_t>(bit_width(tensor.dtype())) / 8;
  return width <= 1 ||
         reinterpret_cast<std::uintptr_t>(tensor.bytes().data()) % std::min<std::size_t>(width, 8) == 0;
}

/// Lets go of a tensor but keeps the memory of its shape: assigned to again, it allocates nothing.
void release(Tensor& tensor) {
  static const Tensor kNone;
  tensor = kNone;
}

}  // namespace

BoundContext::BoundContext(std::shared_ptr<const ModelSignature> signature)
    : signature_(std::move(signature)),
      inputs_(signature_->inputs.size()),
      outputs_(signature_->outputs.size()) {}

Status BoundContext::set_input(const std::string& name, const Tensor& tensor) {
  TARMAC_TRY(const std::size_t index, find_tensor(signature_->inputs, name, "input"));
  TARMAC_CHECK_OK(check_tensor(signature_->inputs[index], tensor));
  Tensor& bound = inputs_[index];
  std::swap(previous_, bound);
  if (is_aligned(tensor)) {
    bound = tensor;
  } else {
    TARMAC_TRY(bound, tensor.aligned());
  }
  Status status;
  if (!same_place(previous_, bound)) {
    if (previous_.shape() != bound.shape()) ++shapes_version_;
    status = bind_input(index, bound);
    if (!status) release(bound);
  }
  release(previous_);
  return status;
}

Status BoundContext::set_output(const std::string& name, const Tensor& tensor) {
  TARMAC_TRY(const std::size_t index, find_tensor(signature_->outputs, name, "output"));
  TARMAC_CHECK_OK(check_tensor(signature_->outputs[index], tensor));
  if (!tensor.writable() || tensor.dtype() == DType::kString) {
    return make_error(ErrorCode::kInvalidInput,
                      "memory for output '" + name + "' must be writable and of a type of fixed size", name);
  }
  Tensor& bound = outputs_[index];
  std::swap(previous_, bound);
  bound = tensor;
  Status status;
  if (!same_place(previous_, bound)) status = bind_output(index, bound);
  release(previous_);
  return status;
}

void BoundContext::unbind_inputs() {
  for (Tensor& input : inputs_) release(input);
  has_run_ = false;
}

Status BoundContext::run() {
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    if (inputs_[i].empty()) {
      const TensorInfo& info = signature_->inputs[i];
      return make_error(ErrorCode::kInvalidInput,
                        "input '" + info.name + "' (" + to_string(info.type) + ") was not given a value",
                        info.name);
    }
  }
  has_run_ = false;
  // Whoever sees `running_` sees `stopped_` cleared. No stronger order: a cancel() that comes a moment too
  // early or too late is nothing new, and each run would pay for it.
  stopped_.store(false, std::memory_order_relaxed);
  running_.store(true, std::memory_order_release);
  auto status = execute();
  running_.store(false, std::memory_order_release);
  if (!status && stopped_) return make_error(ErrorCode::kCancelled, "the run was stopped");
  TARMAC_CHECK_OK(std::move(status));
  has_run_ = true;
  return {};
}

void BoundContext::cancel() {
  if (!running_) return;
  stopped_ = true;
  stop();
}

Result<const Tensor*> BoundContext::find_output(const std::string& name) {
  TARMAC_TRY(const std::size_t index, find_tensor(signature_->outputs, name, "output"));
  if (!has_run_)
    return make_error(ErrorCode::kUsage, "output '" + name + "' was asked for before a successful run", name);
  if (!outputs_[index].empty()) return &outputs_[index];
  return fetch_output(index);
}

Result<Tensor> BoundContext::output(const std::string& name) {
  TARMAC_TRY(const Tensor* const found, find_output(name));
  return *found;
}

Status BoundContext::read_output(const std::string& name, Tensor& result) {
  TARMAC_TRY(const Tensor* const found, find_output(name));
  result = *found;
  return {};
}

}  // namespace tarmac
