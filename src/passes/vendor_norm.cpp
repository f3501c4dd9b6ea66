#include "passes/vendor_norm.h"

namespace tarmac {

bool is_parameter(const Value* value, const Shape& shape, DType dtype) {
  if (value == nullptr || value->producer() != nullptr) return false;
  if (const Tensor* tensor = value->initializer())
    return tensor->dtype() == dtype && tensor->shape() == shape;
  return value->type.is_tensor() && value->type.dtype == dtype && value->type.static_shape() == shape;
}

std::optional<std::int64_t> vendor_norm_width(const Node& norm) {
  if (!norm.is("LayerNormalization") && !norm.is("RMSNormalization")) return std::nullopt;
  const Value* x = norm.input(0);
  if (x == nullptr || norm.output(0) == nullptr || !is_float_up_to_32(x->type) || !x->type.shape)
    return std::nullopt;
  const auto& dims = *x->type.shape;
  const auto axis = norm.attribute_or<std::int64_t>("axis", -1);
  const bool last = dims.size() == 3 && dims[2].known() && (axis == -1 || axis == 2);
  if (!last || norm.attribute_or<std::int64_t>("stash_type", 1) != 1) return std::nullopt;
  for (std::size_t i = 1; i < norm.outputs().size(); ++i) {
    if (norm.output(i) != nullptr && !norm.output(i)->unused()) return std::nullopt;
  }
  const std::int64_t width = *dims[2].size;
  const auto fits = [&](const Value* vector) { return is_parameter(vector, {width}, x->type.dtype); };
  return fits(norm.input(1)) && (norm.input(2) == nullptr || fits(norm.input(2))) ? std::optional(width)
                                                                                  : std::nullopt;
}

}  // namespace tarmac
