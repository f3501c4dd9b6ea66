#include <algorithm>
#include <cmath>
#include <numbers>

#include "passes/passes.h"
#include "passes/region.h"

namespace tarmac {
namespace {

struct Gelu {
  Value* x = nullptr;
  bool tanh = false;
};

constexpr double kCubic = 0.044715;

/// scale · x^power and nothing else.
bool is_power(const Product& product, double scale, const Value* x, std::size_t power) {
  if (product.factors.size() != power || !nearly(product.scale, scale, x->type.dtype)) return false;
  return std::all_of(product.factors.begin(), product.factors.end(),
                     [x](const Value* factor) { return factor == x; });
}

/// `first` + scale·x^power, the operands in either order; `first` null stands for the number 1.
bool take_sum(const Value* value, const Value* first, double scale, const Value* x, std::size_t power,
              Region& region) {
  const Node* add = region.take(value, "Add");
  for (std::size_t i = 0; add != nullptr && i < 2; ++i) {
    const auto [term, other] = operands(*add, i);
    const auto number = scalar_beside(other, term);
    const bool first_fits = first != nullptr ? other == first : number && nearly(*number, 1, x->type.dtype);
    if (!first_fits) continue;
    const std::size_t before = region.mark();
    if (is_power(take_product(term, region), scale, x, power)) return true;
    region.rewind(before);
  }
  return false;
}

/// √(2/π)·(x + 0.044715·x³), or with x taken out of the sum.
bool take_tanh_argument(Value* value, const Value* x, Region& region) {
  const Product product = take_product(value, region);
  if (!nearly(product.scale, std::sqrt(2 / std::numbers::pi), x->type.dtype)) return false;
  if (product.factors.size() == 1) return take_sum(product.factors[0], x, kCubic, x, 3, region);
  for (std::size_t i = 0; product.factors.size() == 2 && i < 2; ++i) {
    if (product.factors[i] == x && take_sum(product.factors[1 - i], nullptr, kCubic, x, 2, region))
      return true;
  }
  return false;
}

/// Whether scale · `value` is ½·(1 + erf(x/√2)) or ½·(1 + tanh(…)).
std::optional<Gelu> take_gate(double scale, Value* value, Value* x, Region& region) {
  const DType dtype = x->type.dtype;
  const Node* add = region.take(value, "Add");
  for (std::size_t i = 0; add != nullptr && i < 2; ++i) {
    const auto [term, other] = operands(*add, i);
    const auto one = scalar_beside(other, term);
    if (!one || !nearly(scale * *one, 0.5, dtype)) continue;
    const Product curve = take_product(term, region);
    if (curve.factors.size() != 1 || !nearly(scale * curve.scale, 0.5, dtype)) return std::nullopt;
    if (const Node* erf = region.take(curve.factors[0], "Erf")) {
      if (is_power(take_product(erf->input(0), region), 1 / std::numbers::sqrt2, x, 1)) return Gelu{x, false};
    } else if (const Node* tanh = region.take(curve.factors[0], "Tanh")) {
      if (take_tanh_argument(tanh->input(0), x, region)) return Gelu{x, true};
    }
    return std::nullopt;
  }
  return std::nullopt;
}

std::optional<Gelu> take_gelu(Node& root, Region& region) {
  Value* result = root.output(0);
  if (root.is("Gelu")) {
    region.take(result, "Gelu");
    return Gelu{root.input(0), root.attribute_or<std::string>("approximate", "none") == "tanh"};
  }
  const Product product = take_product(result, region);
  const std::size_t before = region.mark();
  for (std::size_t i = 0; product.factors.size() == 2 && i < 2; ++i) {
    Value* x = product.factors[i];
    if (x == nullptr || !is_float_up_to_32(x->type)) continue;
    if (const auto gelu = take_gate(product.scale, product.factors[1 - i], x, region)) return gelu;
    region.rewind(before);
  }
  return std::nullopt;
}

/// x = y + b with a vector b along the last axis: {y, b}.
std::optional<std::pair<Value*, Value*>> take_bias(const Value* x, Region& region) {
  const std::size_t before = region.mark();
  const Node* add = region.take(x, "Add");
  for (std::size_t i = 0; add != nullptr && i < 2; ++i) {
    const auto [y, bias] = operands(*add, i);
    const Tensor* vector = constant_of(bias);
    if (vector == nullptr || vector->shape().size() != 1 || y == nullptr || !y->type.shape) continue;
    const auto& dims = *y->type.shape;
    if (!dims.empty() && dims.back().size == vector->shape()[0]) return std::pair(y, bias);
  }
  region.rewind(before);
  return std::nullopt;
}

Result<bool> fuse_at(Graph& graph, Node& root, Model& model, PassContext& context) {
  if (!(root.is("Mul") || root.is("Div") || root.is("Gelu")) || root.output(0) == nullptr) return false;
  Region region(graph);
  const auto gelu = take_gelu(root, region);
  Value& result = *root.output(0);
  if (!gelu || !region.closed(result)) return false;
  const auto put = [&](const char* op_type, const char* domain, std::vector<Value*> inputs) {
    Value& fused = add_fused(graph, op_type, std::move(inputs), root, result);
    fused.producer()->domain = domain;
    context.changed(root, std::string("is the end of a decomposed ") + op_type);
    region.replace(result, fused);
    return fused.producer();
  };

  // The vendor's kernels know float32 only.
  const bool vendor = gelu->x->type.is_tensor() && gelu->x->type.dtype == DType::kFloat32;
  if (vendor) {
    const std::size_t before = region.mark();
    const auto bias = take_bias(gelu->x, region);
    const char* with_bias = gelu->tanh ? "FastGelu" : "BiasGelu";
    if (bias && region.closed(result) && may_emit_vendor(model, context, kMicrosoftDomain, with_bias)) {
      put(with_bias, kMicrosoftDomain, {bias->first, bias->second});
      return true;
    }
    region.rewind(before);
  }
  if (root.is("Gelu")) return false;
  if (may_emit(model, context, "Gelu", 20)) {
    put("Gelu", "", {gelu->x})->attributes["approximate"] = std::string(gelu->tanh ? "tanh" : "none");
    return true;
  }
  const char* vendor_name = gelu->tanh ? "FastGelu" : "Gelu";
  if (!vendor || standard_accepted(model, context, "Gelu", 20) ||
      !may_emit_vendor(model, context, kMicrosoftDomain, vendor_name))
    return false;
  put(vendor_name, kMicrosoftDomain, {gelu->x});
  return true;
}

}  // namespace

Status fuse_gelu(Model& model, PassContext& context) {
  return rewrite_backwards(*model.graph,
                           [&](Graph& graph, Node& node) { return fuse_at(graph, node, model, context); });
}

}  // namespace tarmac
