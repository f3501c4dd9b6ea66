#include "targets/null/null_target.h"

#include <cstring>
#include <map>

#include "targets/common/bound_context.h"
#include "targets/common/cores.h"

namespace tarmac {
namespace {

/// Sizes of named dimensions, as the bound inputs have them.
using Symbols = std::map<std::string, std::int64_t>;

class NullContext final : public BoundContext {
 public:
  using BoundContext::BoundContext;

  Result<std::vector<NodeTime>> profile() override {
    return make_error(ErrorCode::kUsage, "target null runs no nodes, so it has no times");
  }

 protected:
  // A real target hands the tensor to its engine here.
  Status bind_input(std::size_t /*index*/, Tensor& /*tensor*/) override { return {}; }
  Status bind_output(std::size_t /*index*/, Tensor& /*tensor*/) override { return {}; }

  Status execute() override {
    TARMAC_TRY(const Symbols symbols, bound_symbols());
    results_.clear();
    for (std::size_t i = 0; i < signature().outputs.size(); ++i) {
      TARMAC_TRY(Tensor zeros, output_tensor(i).empty() ? zeros_like(signature().outputs[i], symbols)
                                                        : Result<Tensor>(output_tensor(i)));
      if (zeros.dtype() != DType::kString) std::memset(zeros.mutable_bytes().data(), 0, zeros.bytes().size());
      results_.push_back(std::move(zeros));
    }
    return {};
  }

  Result<Tensor> fetch_output(std::size_t index) override { return results_[index]; }

 private:
  Result<Symbols> bound_symbols() {
    Symbols symbols;
    for (std::size_t i = 0; i < signature().inputs.size(); ++i) {
      const TensorInfo& info = signature().inputs[i];
      for (std::size_t d = 0; info.type.shape && d < info.type.shape->size(); ++d) {
        const std::string& symbol = (*info.type.shape)[d].symbol;
        if (symbol.empty()) continue;
        const std::int64_t size = input_tensor(i).shape()[d];
        const auto [known, is_new] = symbols.emplace(symbol, size);
        if (!is_new && known->second != size) {
          return make_error(ErrorCode::kInvalidInput,
                            "dimension '" + symbol + "' is " + std::to_string(known->second) +
                                " in one input and " + std::to_string(size) + " in '" + info.name + "'",
                            info.name);
        }
      }
    }
    return symbols;
  }

  static Result<Tensor> zeros_like(const TensorInfo& info, const Symbols& symbols) {
    Shape shape;
    if (!info.type.shape) {
      return make_error(ErrorCode::kUnsupported,
                        "output '" + info.name + "' has no declared rank, so its size is unknown", info.name);
    }
    for (const Dim& dim : *info.type.shape) {
      const auto known = symbols.find(dim.symbol);
      // A size that no input tells could be anything; 1 is the smallest that has elements.
      shape.push_back(dim.known() ? *dim.size : known != symbols.end() ? known->second : 1);
    }
    if (info.type.dtype == DType::kString) {
      TARMAC_TRY(const std::int64_t count, element_count(shape));
      return Tensor::of_strings(std::move(shape), std::vector<std::string>(static_cast<std::size_t>(count)));
    }
    return Tensor::allocate(info.type.dtype, std::move(shape));
  }

  std::vector<Tensor> results_;
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
