#include "targets/null/null_target.h"

#include <algorithm>

#include "targets/common/bound_context.h"
#include "targets/common/cores.h"
#include "targets/common/output_shapes.h"

namespace tarmac {
namespace {

class NullContext final : public BoundContext {
 public:
  explicit NullContext(const std::shared_ptr<const ModelSignature>& model)
      : BoundContext(model), shapes_(*model), results_(model->outputs.size()) {}

  Result<std::vector<NodeTime>> profile() override {
    return make_error(ErrorCode::kUsage, "target null runs no nodes, so it has no times");
  }

 protected:
  // A real target hands the tensor to its engine here.
  Status bind_input(std::size_t /*index*/, Tensor& /*tensor*/) override { return {}; }
  Status bind_output(std::size_t /*index*/, Tensor& /*tensor*/) override { return {}; }

  Status execute() override {
    TARMAC_CHECK_OK(shapes_.check_symbols(signature(), input_tensors()));
    for (std::size_t i = 0; i < results_.size(); ++i) {
      if (!output_tensor(i).empty()) {
        results_[i] = output_tensor(i);
      } else if (results_[i].empty() || !shapes_.is_shape(i, input_tensors(), results_[i].shape())) {
        TARMAC_TRY(results_[i], make_result(signature().outputs[i], shapes_.shape(i, input_tensors())));
      }
      if (results_[i].dtype() == DType::kString) continue;
      const auto bytes = results_[i].mutable_bytes();
      std::fill(bytes.begin(), bytes.end(), std::byte{0});
    }
    return {};
  }

  Result<const Tensor*> fetch_output(std::size_t index) override { return &results_[index]; }

 private:
  static Result<Tensor> make_result(const TensorInfo& info, Shape shape) {
    if (!info.type.shape) {
      return make_error(ErrorCode::kUnsupported,
                        "output '" + info.name + "' has no declared rank, so its size is unknown", info.name);
    }
    if (info.type.dtype == DType::kString) {
      TARMAC_TRY(const std::int64_t count, element_count(shape));
      return Tensor::of_strings(std::move(shape), std::vector<std::string>(static_cast<std::size_t>(count)));
    }
    return Tensor::allocate(info.type.dtype, std::move(shape));
  }

  OutputShapes shapes_;
  std::vector<Tensor> results_;  ///< of the latest run; used again while shapes stay
};

class NullExecutable final : public Executable {
 public:
  NullExecutable(ModelSignature signature, std::vector<std::string> notes)
      : signature_(std::make_shared<const ModelSignature>(std::move(signature))), notes_(std::move(notes)) {}

  [[nodiscard]] const std::vector<TensorInfo>& inputs() const override { return signature_->inputs; }
  [[nodiscard]] const std::vector<TensorInfo>& outputs() const override { return signature_->outputs; }
  [[nodiscard]] const std::vector<std::string>& notes() const override { return notes_; }
  Result<std::unique_ptr<Context>> create_context() override {
    return std::unique_ptr<Context>(std::make_unique<NullContext>(signature_));
  }

 private:
  std::shared_ptr<const ModelSignature> signature_;
  std::vector<std::string> notes_;
};

class NullTarget final : public Target {
 public:
  [[nodiscard]] std::string name() const override { return "null"; }
  [[nodiscard]] std::string version() const override { return "no engine: returns zeros"; }
  [[nodiscard]] Status available() const override { return {}; }

  Result<std::vector<NodeVerdict>> check(const Model& model, const CompileOptions& /*options*/,
                                         Progress& /*progress*/) override {
    std::vector<NodeVerdict> verdicts;
    const auto accept = [&](const Node& node) {
      verdicts.push_back({node.label(), node.op_type, node.domain, Verdict::kSupported, {}, {}});
    };
    for_each_node(*model.graph, accept);
    for (const Function& function : model.functions) for_each_node(*function.body, accept);
    return verdicts;
  }

  Result<std::unique_ptr<Executable>> compile(const Model& model, const CompileOptions& options,
                                              Progress& /*progress*/) override {
    std::vector<std::string> notes{"target null computes nothing: every result is zero"};
    TARMAC_CHECK_OK(resolve_cores(options.cores, notes));
    TARMAC_TRY(ModelSignature signature, model_signature(model));
    return std::unique_ptr<Executable>(
        std::make_unique<NullExecutable>(std::move(signature), std::move(notes)));
  }
};

}  // namespace

Target& null_target() {
  static NullTarget target;
  return target;
}

}  // namespace tarmac
