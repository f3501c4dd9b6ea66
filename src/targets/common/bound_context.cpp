#include "targets/common/bound_context.h"

#include <utility>

namespace tarmac {

BoundContext::BoundContext(std::shared_ptr<const ModelSignature> signature)
    : signature_(std::move(signature)),
      inputs_(signature_->inputs.size()),
      outputs_(signature_->outputs.size()) {}

Status BoundContext::set_input(const std::string& name, Tensor tensor) {
  TARMAC_TRY(const std::size_t index, find_tensor(signature_->inputs, name, "input"));
  TARMAC_CHECK_OK(check_tensor(signature_->inputs[index], tensor));
  TARMAC_TRY(Tensor aligned, tensor.aligned());
  // The engine may still point at the previous tensor while it is given the next.
  const Tensor previous = std::exchange(inputs_[index], std::move(aligned));
  auto status = bind_input(index, inputs_[index]);
  if (!status) inputs_[index] = {};
  return status;
}

Status BoundContext::set_output(const std::string& name, Tensor tensor) {
  TARMAC_TRY(const std::size_t index, find_tensor(signature_->outputs, name, "output"));
  TARMAC_CHECK_OK(check_tensor(signature_->outputs[index], tensor));
  if (!tensor.writable() || tensor.dtype() == DType::kString) {
    return make_error(ErrorCode::kInvalidInput,
                      "memory for output '" + name + "' must be writable and of a type of fixed size", name);
  }
  const Tensor previous = std::exchange(outputs_[index], std::move(tensor));
  return bind_output(index, outputs_[index]);
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
  TARMAC_CHECK_OK(execute());
  has_run_ = true;
  return {};
}

Result<Tensor> BoundContext::output(const std::string& name) {
  TARMAC_TRY(const std::size_t index, find_tensor(signature_->outputs, name, "output"));
  if (!has_run_)
    return make_error(ErrorCode::kUsage, "output '" + name + "' was asked for before a successful run", name);
  return fetch_output(index);
}

}  // namespace tarmac
