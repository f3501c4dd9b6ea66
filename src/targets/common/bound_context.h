// The part of a context that is the same for every target: which tensors are bound, and whether they fit.
#pragma once

#include <memory>

#include "targets/common/signature.h"

namespace tarmac {

class BoundContext : public Context {
 public:
  explicit BoundContext(std::shared_ptr<const ModelSignature> signature);

  Status set_input(const std::string& name, Tensor tensor) final;
  Status set_output(const std::string& name, Tensor tensor) final;
  Status run() final;
  Result<Tensor> output(const std::string& name) final;

 protected:
  /// Hands a tensor that fits to the engine. `tensor` stays alive and in place until it is bound anew.
  virtual Status bind_input(std::size_t index, Tensor& tensor) = 0;
  virtual Status bind_output(std::size_t index, Tensor& tensor) = 0;
  /// Runs with every input bound.
  virtual Status execute() = 0;
  virtual Result<Tensor> fetch_output(std::size_t index) = 0;

  [[nodiscard]] const ModelSignature& signature() const { return *signature_; }
  [[nodiscard]] const Tensor& input_tensor(std::size_t index) const { return inputs_[index]; }
  /// Empty unless the caller provided memory.
  [[nodiscard]] const Tensor& output_tensor(std::size_t index) const { return outputs_[index]; }
  [[nodiscard]] bool has_run() const { return has_run_; }

 private:
  std::shared_ptr<const ModelSignature> signature_;
  std::vector<Tensor> inputs_;
  std::vector<Tensor> outputs_;
  bool has_run_ = false;
};

}  // namespace tarmac
