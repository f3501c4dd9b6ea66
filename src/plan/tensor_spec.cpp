#include "plan/tensor_spec.h"

namespace tarmac {

namespace {

Type tensor_type(DType dtype, const std::optional<std::vector<TensorDim>>& shape) {
  Type type = Type::tensor(dtype);
  if (shape) {
    type.shape.emplace();
    for (const TensorDim& dim : *shape) {
      const auto* size = std::get_if<std::int64_t>(&dim);
      type.shape->push_back(size != nullptr ? Dim::of(*size) : Dim::named(std::get<std::string>(dim)));
    }
  }
  return type;
}

}  // namespace

std::string describe_tensor(DType dtype, const std::optional<std::vector<TensorDim>>& shape) {
  return to_string(tensor_type(dtype, shape));
}

Type type_of(const TensorSpec& spec) { return tensor_type(spec.dtype, spec.shape); }

TensorSpec tensor_spec(const std::string& name, const Type& type) {
  TensorSpec spec{.name = name, .dtype = DType::kUndefined, .shape = std::nullopt, .type = to_string(type)};
  if (!type.is_tensor()) return spec;
  spec.dtype = type.dtype;
  if (type.shape) {
    spec.shape.emplace();
    for (const Dim& dim : *type.shape) {
      spec.shape->push_back(dim.size ? TensorDim(*dim.size) : TensorDim(dim.symbol));
    }
  }
  return spec;
}

}  // namespace tarmac
