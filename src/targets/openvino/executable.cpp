#include <algorithm>
#include <sstream>

#include "targets/common/guard.h"
#include "targets/openvino/engine.h"

namespace tarmac::openvino {
namespace {

constexpr std::size_t kAbsent = static_cast<std::size_t>(-1);

using Port = ov::Output<const ov::Node>;

bool types_fit(const TensorInfo& info, const Port& port) {
  if (info.type.dtype != from_engine(port.get_element_type())) return false;
  if (!info.type.shape) return true;
  ov::PartialShape shape;
  for (const Dim& dim : *info.type.shape)
    shape.push_back(dim.known() ? ov::Dimension(*dim.size) : ov::Dimension());
  return shape.compatible(port.get_partial_shape());
}

/// For each name the engine's index; kAbsent where the engine dropped an input that nothing reads. Both lists
/// are in the model's order. Names alone do not do: an input that is also an output loses its own name to the
/// output's.
std::vector<std::size_t> match_ports(const std::vector<TensorInfo>& infos, const std::vector<Port>& ports) {
  std::vector<std::size_t> matched(infos.size(), kAbsent);
  const auto has_name = [&](std::size_t i, std::size_t port) {
    return ports[port].get_names().count(infos[i].name) != 0;
  };
  std::size_t port = 0;
  for (std::size_t i = 0; i < infos.size(); ++i) {
    // A port that carries a later input's name is not this one's.
    bool taken = port >= ports.size();
    for (std::size_t later = i + 1; !taken && later < infos.size() && !has_name(i, port); ++later) {
      taken = has_name(later, port);
    }
    if (!taken && (has_name(i, port) || types_fit(infos[i], ports[port]))) matched[i] = port++;
  }
  return matched;
}

/// Every output must have been found, and every input of the engine must be one of ours without doubt.
Status match_all_ports(Compiled& compiled) {
  const auto& [inputs, outputs] = *compiled.signature;
  const auto ports = compiled.model.inputs();
  compiled.input_ports = match_ports(inputs, ports);
  compiled.output_ports = match_ports(outputs, compiled.model.outputs());
  std::size_t found = 0;
  bool by_type = false;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (compiled.input_ports[i] == kAbsent) continue;
    ++found;
    by_type = by_type || ports[compiled.input_ports[i]].get_names().count(inputs[i].name) == 0;
  }
  // An input may be dropped or lose its name; where both happened, types alone could mix them up.
  if (found != ports.size() || (by_type && found != inputs.size())) {
    return make_error(
        ErrorCode::kUnsupported,
        "OpenVINO dropped inputs that nothing reads and renamed one that is an output at once, so it is "
        "not sure which is which; remove the unused inputs");
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (compiled.output_ports[i] == kAbsent) {
      return make_error(ErrorCode::kUnsupported, "OpenVINO lost the output '" + outputs[i].name + "'",
                        outputs[i].name);
    }
  }
  return {};
}

class OpenvinoContext final : public BoundContext {
 public:
  OpenvinoContext(std::shared_ptr<const Compiled> compiled, ov::InferRequest request)
      : BoundContext(compiled->signature),
        compiled_(std::move(compiled)),
        request_(std::move(request)),
        results_(signature().outputs.size()) {}

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
    const std::size_t port = compiled_->input_ports[index];
    if (port == kAbsent) return {};
    return guarded(ErrorCode::kInternal, "OpenVINO refused a tensor", [&]() -> Status {
      TARMAC_TRY(const ov::Tensor borrowed, borrow(tensor, shape_));
      request_.set_input_tensor(port, borrowed);
      return {};
    });
  }

  Status bind_output(std::size_t index, Tensor& tensor) override {
    return guarded(ErrorCode::kInternal, "OpenVINO refused memory for a result", [&]() -> Status {
      TARMAC_TRY(const ov::Tensor borrowed, borrow(tensor, shape_));
      request_.set_output_tensor(compiled_->output_ports[index], borrowed);
      return {};
    });
  }

  Status execute() override {
    return guarded(ErrorCode::kInternal, "OpenVINO failed in a run", [&]() -> Status {
      request_.infer();
      return {};
    });
  }

  void stop() override {
    (void)guarded(ErrorCode::kInternal, "OpenVINO could not stop a run", [&]() -> Status {
      request_.cancel();
      return {};
    });
  }

  /// A request keeps its memory from run to run while shapes stay, so the view of it can stay too.
  Result<const Tensor*> fetch_output(std::size_t index) override {
    return guarded(ErrorCode::kInternal, "OpenVINO could not hand out a result",
                   [&]() -> Result<const Tensor*> {
                     const ov::Tensor made = request_.get_output_tensor(compiled_->output_ports[index]);
                     Tensor& known = results_[index];
                     if (!shows(known, made)) {
                       TARMAC_TRY(known, view_of(made));
                     }
                     return &known;
                   });
  }

 private:
  static bool shows(const Tensor& view, const ov::Tensor& tensor) {
    if (view.empty() || view.dtype() == DType::kString || tensor.get_size() == 0) return false;
    const ov::Shape& sizes = tensor.get_shape();
    return tensor.data() == view.bytes().data() && from_engine(tensor.get_element_type()) == view.dtype() &&
           std::equal(sizes.begin(), sizes.end(), view.shape().begin(), view.shape().end(),
                      [](std::size_t a, std::int64_t b) { return a == static_cast<std::size_t>(b); });
  }

  std::shared_ptr<const Compiled> compiled_;
  ov::InferRequest request_;
  ov::Shape shape_;              ///< of the tensor that is being bound
  std::vector<Tensor> results_;  ///< views of the request's memory, once they were asked for
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

  [[nodiscard]] Result<std::string> save_engine() const override {
    return guarded(ErrorCode::kUnsupported, "OpenVINO cannot write its compiled form",
                   [&]() -> Result<std::string> {
                     std::ostringstream out;
                     auto model = compiled_->model;  // a handle; export_model() is not const
                     model.export_model(out);
                     return std::move(out).str();
                   });
  }

  Result<std::unique_ptr<Context>> create_context() override {
    return guarded(ErrorCode::kInternal, "OpenVINO could not make a context",
                   [&]() -> Result<std::unique_ptr<Context>> {
                     // create_infer_request() is not const, but CompiledModel is a handle and the call is
                     // thread-safe.
                     auto model = compiled_->model;
                     return std::unique_ptr<Context>(
                         std::make_unique<OpenvinoContext>(compiled_, model.create_infer_request()));
                   });
  }

 private:
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace

Result<std::unique_ptr<Executable>> make_executable(Compiled compiled) {
  TARMAC_CHECK_OK(match_all_ports(compiled));
  return std::unique_ptr<Executable>(std::make_unique<OpenvinoExecutable>(std::move(compiled)));
}

}  // namespace tarmac::openvino
