#include "targets/common/signature.h"

namespace tarmac {
namespace {

Status require_tensor(const Value& value, const char* what) {
  if (value.type.kind == Type::Kind::kTensor || value.type.kind == Type::Kind::kNone) return {};
  return make_error(ErrorCode::kUnsupported,
                    std::string("model ") + what + " '" + value.name() + "' is " + to_string(value.type) +
                        "; models are fed and read through tensors only: make the parts tensors of the model",
                    value.name());
}

}  // namespace

Result<ModelSignature> model_signature(const Model& model) {
  ModelSignature signature;
  for (const Value* input : model.graph->inputs()) {
    if (input->initializer() != nullptr || input->is_sparse_initializer()) continue;
    TARMAC_CHECK_OK(require_tensor(*input, "input"));
    signature.inputs.push_back({input->name(), input->type});
  }
  for (const Value* output : model.graph->outputs()) {
    TARMAC_CHECK_OK(require_tensor(*output, "output"));
    signature.outputs.push_back({output->name(), output->type});
  }
  return signature;
}

Result<std::size_t> find_tensor(const std::vector<TensorInfo>& infos, const std::string& name,
                                const char* what) {
  for (std::size_t i = 0; i < infos.size(); ++i) {
    if (infos[i].name == name) return i;
  }
  std::string names;
  for (const TensorInfo& info : infos) names += (names.empty() ? "" : ", ") + info.name;
  return make_error(ErrorCode::kNotFound, std::string("the model has no ") + what + " '" + name +
                                              "'; it has: " + (names.empty() ? "none" : names));
}

Status check_tensor(const TensorInfo& info, const Tensor& tensor) {
  bool fits = !tensor.empty() && (info.type.dtype == DType::kUndefined || tensor.dtype() == info.type.dtype);
  if (fits && info.type.shape) {
    fits = info.type.shape->size() == tensor.shape().size();
    for (std::size_t i = 0; fits && i < tensor.shape().size(); ++i) {
      const Dim& dim = (*info.type.shape)[i];
      fits = !dim.known() || *dim.size == tensor.shape()[i];
    }
  }
  if (fits) return {};
  return make_error(
      ErrorCode::kInvalidInput,
      "'" + info.name + "' was given " +
          (tensor.empty() ? "an empty tensor" : to_string(Type::tensor(tensor.dtype(), tensor.shape()))) +
          ", the model expects " + to_string(info.type),
      info.name);
}

}  // namespace tarmac
