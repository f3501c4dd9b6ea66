#include <optional>

#include "targets/common/guard.h"
#include "targets/openvino/engine.h"

namespace tarmac::openvino {
namespace {

using Port = ov::Output<const ov::Node>;

/// For each name the engine's port; none where the engine dropped an input that nothing reads.
std::vector<std::optional<Port>> match_ports(const std::vector<TensorInfo>& infos,
                                             const std::vector<Port>& ports) {
  std::vector<std::optional<Port>> matched(infos.size());
  for (std::size_t i = 0; i < infos.size(); ++i) {
    for (const Port& port : ports) {
      if (port.get_names().count(infos[i].name) != 0) matched[i] = port;
    }
  }
  return matched;
}

class OpenvinoContext final : public BoundContext {
 public:
  OpenvinoContext(std::shared_ptr<const Compiled> compiled, ov::InferRequest request)
      : BoundContext(compiled->signature),
        compiled_(std::move(compiled)),
        request_(std::move(request)),
        inputs_(match_ports(signature().inputs, compiled_->model.inputs())),
        outputs_(match_ports(signature().outputs, compiled_->model.outputs())) {}

  /// Every output must have been found.
  [[nodiscard]] Status check_outputs() const {
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      if (!outputs_[i]) {
        return make_error(ErrorCode::kUnsupported,
                          "OpenVINO lost the output '" + signature().outputs[i].name + "'",
                          signature().outputs[i].name);
      }
    }
    return {};
  }

  Result<std::vector<NodeTime>> profile() override {
    if (!compiled_->profile) {
      return make_error(ErrorCode::kUsage,
                        "node times were asked for, but the model was compiled without profile");
    }
    return guarded(ErrorCode::kInternal, "OpenVINO could not report times",
                   [&]() -> Result<std::vector<NodeTime>> {
                     return node_times(compiled_->model, request_.get_profiling_info(), compiled_->labels);
                   });
  }

 protected:
  Status bind_input(std::size_t index, Tensor& tensor) override {
    if (!inputs_[index]) return {};
    return bind(*inputs_[index], tensor);
  }

  Status bind_output(std::size_t index, Tensor& tensor) override { return bind(*outputs_[index], tensor); }

  Status execute() override {
    return guarded(ErrorCode::kInternal, "OpenVINO failed in a run", [&]() -> Status {
      request_.infer();
      return {};
    });
  }

  Result<Tensor> fetch_output(std::size_t index) override {
    if (!output_tensor(index).empty()) return output_tensor(index);
    return guarded(ErrorCode::kInternal, "OpenVINO could not hand out a result",
                   [&] { return view_of(request_.get_tensor(*outputs_[index])); });
  }

 private:
  Status bind(const Port& port, const Tensor& tensor) {
    return guarded(ErrorCode::kInternal, "OpenVINO refused a tensor", [&]() -> Status {
      TARMAC_TRY(const ov::Tensor borrowed, borrow(tensor));
      request_.set_tensor(port, borrowed);
      return {};
    });
  }

  std::shared_ptr<const Compiled> compiled_;
  ov::InferRequest request_;
  std::vector<std::optional<Port>> inputs_;
  std::vector<std::optional<Port>> outputs_;
};

class OpenvinoExecutable final : public Executable {
 public:
  explicit OpenvinoExecutable(Compiled compiled)
      : compiled_(std::make_shared<const Compiled>(std::move(compiled))) {}

  [[nodiscard]] const std::vector<TensorInfo>& inputs() const override {
    return compiled_->signature->inputs;
  }
  [[nodiscard]] const std::vector<TensorInfo>& outputs() const override {
    return compiled_->signature->outputs;
  }
  [[nodiscard]] const std::vector<std::string>& notes() const override { return compiled_->notes; }

  Result<std::unique_ptr<Context>> create_context() override {
    return guarded(
        ErrorCode::kInternal, "OpenVINO could not make a context", [&]() -> Result<std::unique_ptr<Context>> {
          // create_infer_request() is not const, but CompiledModel is a handle and the call is thread-safe.
          auto model = compiled_->model;
          auto context = std::make_unique<OpenvinoContext>(compiled_, model.create_infer_request());
          TARMAC_CHECK_OK(context->check_outputs());
          return std::unique_ptr<Context>(std::move(context));
        });
  }

 private:
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace

Result<std::unique_ptr<Executable>> make_executable(Compiled compiled) {
  return std::unique_ptr<Executable>(std::make_unique<OpenvinoExecutable>(std::move(compiled)));
}

}  // namespace tarmac::openvino
