// The part of a context that is the same for every target: which tensors are bound, and whether they fit.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "targets/common/signature.h"

namespace tarmac {

/// Allocates nothing from run to run.
class BoundContext : public Context {
 public:
  explicit BoundContext(std::shared_ptr<const ModelSignature> signature);

  Status set_input(const std::string& name, const Tensor& tensor) final;
  Status set_output(const std::string& name, const Tensor& tensor) final;
  void unbind_inputs() final;
  Status run() final;
  Result<Tensor> output(const std::string& name) final;
  Status read_output(const std::string& name, Tensor& result) final;
  void cancel() final;

 protected:
  /// Hands a tensor that fits to the engine. `tensor` stays alive and in place until it is bound anew. Not
  /// called again for the same bytes in the same shape.
  virtual Status bind_input(std::size_t index, Tensor& tensor) = 0;
  virtual Status bind_output(std::size_t index, Tensor& tensor) = 0;
  /// Runs with every input bound.
  virtual Status execute() = 0;
  /// Asks execute() to return soon, with any error. From any thread, while it is under way.
  virtual void stop() {}
  /// The latest result, in place until the next run. Not called where the caller provided memory.
  virtual Result<const Tensor*> fetch_output(std::size_t index) = 0;

  [[nodiscard]] const ModelSignature& signature() const { return *signature_; }
  [[nodiscard]] const std::vector<Tensor>& input_tensors() const { return inputs_; }
  /// Empty unless the caller provided memory.
  [[nodiscard]] const Tensor& output_tensor(std::size_t index) const { return outputs_[index]; }
  [[nodiscard]] bool has_run() const { return has_run_; }
  /// Grows whenever an input gets another shape than it had.
  [[nodiscard]] std::uint64_t shapes_version() const { return shapes_version_; }

 private:
  Result<const Tensor*> find_output(const std::string& name);

  std::shared_ptr<const ModelSignature> signature_;
  std::vector<Tensor> inputs_;
  std::vector<Tensor> outputs_;
  Tensor previous_;  ///< what was bound before, while an engine is given the next
  std::uint64_t shapes_version_ = 0;
  bool has_run_ = false;
  std::atomic<bool> running_{false};
  std::atomic<bool> stopped_{false};
};

}  // namespace tarmac
