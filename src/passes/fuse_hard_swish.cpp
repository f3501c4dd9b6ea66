#include <algorithm>
#include <limits>

#include "passes/passes.h"
#include "passes/region.h"

namespace tarmac {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// The bounds that one Clip, Relu, Min or Max sets; no value for other nodes and bounds that are not
/// constant.
struct Bounds {
  Value* input = nullptr;
  double low = -kInfinity;
  double high = kInfinity;
};

std::optional<Bounds> take_bounds(const Value* value, Region& region) {
  const std::size_t before = region.mark();
  if (const Node* relu = region.take(value, "Relu")) return Bounds{relu->input(0), 0, kInfinity};
  if (const Node* clip = region.take(value, "Clip")) {
    // Attributes before opset 11, inputs since.
    Bounds bounds{clip->input(0), clip->attribute_or<float>("min", -std::numeric_limits<float>::infinity()),
                  clip->attribute_or<float>("max", std::numeric_limits<float>::infinity())};
    const auto low = scalar_beside(clip->input(1), clip->input(0));
    const auto high = scalar_beside(clip->input(2), clip->input(0));
    if ((low || clip->input(1) == nullptr) && (high || clip->input(2) == nullptr)) {
      bounds.low = low.value_or(bounds.low);
      bounds.high = high.value_or(bounds.high);
      return bounds;
    }
  }
  for (const bool least : {true, false}) {
    const Node* node = region.take(value, least ? "Min" : "Max");
    for (std::size_t i = 0; node != nullptr && node->inputs().size() == 2 && i < 2; ++i) {
      const auto [input, bound] = operands(*node, i);
      const auto number = scalar_beside(bound, input);
      if (number) return least ? Bounds{input, -kInfinity, *number} : Bounds{input, *number, kInfinity};
    }
  }
  region.rewind(before);
  return std::nullopt;
}

/// The number that an Add or Mul has for one operand, and the other operand.
std::optional<std::pair<Value*, double>> number_in(const Node& node) {
  for (std::size_t i = 0; i < 2; ++i) {
    const auto [term, other] = operands(node, i);
    if (const auto number = scalar_beside(other, term)) return std::pair(term, *number);
  }
  return std::nullopt;
}

/// min(max(slope·x + offset, low), high)
struct Ramp {
  Value* x = nullptr;
  double slope = 1;
  double offset = 0;
  double low = -kInfinity;
  double high = kInfinity;
};

/// Goes one step into slope·x + offset.
bool take_linear(Ramp& ramp, Region& region) {
  const std::size_t before = region.mark();
  if (const Node* add = region.take(ramp.x, "Add")) {
    if (const auto found = number_in(*add)) {
      ramp.offset += ramp.slope * found->second;
      ramp.x = found->first;
      return true;
    }
  } else if (const Node* mul = region.take(ramp.x, "Mul")) {
    if (const auto found = number_in(*mul)) {
      ramp.slope *= found->second;
      ramp.x = found->first;
      return true;
    }
  } else if (const Node* div = region.take(ramp.x, "Div")) {
    const auto number = scalar_beside(div->input(1), div->input(0));
    if (number && *number != 0) {
      ramp.slope /= *number;
      ramp.x = div->input(0);
      return true;
    }
  }
  region.rewind(before);
  return false;
}

/// With `x` given, the ramp must be of that x.
std::optional<Ramp> take_ramp(Value* value, const Value* x, Region& region) {
  Ramp ramp;
  ramp.x = value;
  for (int layers = 0; layers < 3; ++layers) {
    const auto bounds = take_bounds(ramp.x, region);
    if (!bounds || bounds->input == nullptr || !(bounds->low <= bounds->high)) break;
    const double low = std::clamp(bounds->low, ramp.low, ramp.high);
    ramp.high = std::clamp(bounds->high, ramp.low, ramp.high);
    ramp.low = low;
    ramp.x = bounds->input;
  }
  if (ramp.x == value) return std::nullopt;
  for (int steps = 0; steps < 4 && ramp.x != x && has_one_reader(*ramp.x); ++steps) {
    if (!take_linear(ramp, region)) break;
  }
  return ramp.offset != 0 && (x == nullptr || ramp.x == x) ? std::optional(ramp) : std::nullopt;
}

/// The ramp of a HardSigmoid node.
std::optional<Ramp> take_hard_sigmoid(const Value* value, const Value* x, Region& region) {
  const Node* node = region.take(value, "HardSigmoid");
  if (node == nullptr || node->input(0) != x) return std::nullopt;
  return Ramp{node->input(0), node->attribute_or<float>("alpha", 0.2F),
              node->attribute_or<float>("beta", 0.5F), 0, 1};
}

/// Whether scale · ramp rises from 0 to 1.
bool is_unit(const Ramp& ramp, double scale) {
  return ramp.low == 0 && scale > 0 && nearly(scale * ramp.high, 1, ramp.x->type.dtype);
}

bool fusable(const Value* x) { return x != nullptr && is_float_up_to_32(x->type); }

/// Both operators take bfloat16 since opset 22.
std::int64_t since(const Value& x, std::int64_t version) {
  return x.type.dtype == DType::kBFloat16 ? 22 : version;
}

Result<bool> fuse_at(Graph& graph, Node& root, Model& model, PassContext& context) {
  Value* result = root.output(0);
  const bool end = root.is("Mul") || root.is("Div") || root.is("Clip") || root.is("Min") || root.is("Max") ||
                   root.is("Relu");
  if (!end || result == nullptr) return false;
  Region region(graph);
  const Product product = take_product(result, region);
  const std::size_t before = region.mark();

  for (std::size_t i = 0; product.factors.size() == 2 && i < 2; ++i) {
    region.rewind(before);
    Value* x = product.factors[i];
    Value* gate = product.factors[1 - i];
    if (!fusable(x) || gate == nullptr) continue;
    auto ramp = take_hard_sigmoid(gate, x, region);
    if (!ramp) ramp = take_ramp(gate, x, region);
    const DType dtype = x->type.dtype;
    if (!ramp || !is_unit(*ramp, product.scale) || !nearly(product.scale * ramp->slope, 1.0 / 6, dtype) ||
        !nearly(product.scale * ramp->offset, 0.5, dtype) || !region.closed(*result))
      continue;
    if (!may_emit(model, context, "HardSwish", since(*x, 14))) return false;
    Value& fused = add_fused(graph, "HardSwish", {x}, root, *result);
    context.changed(root, "is the end of a decomposed HardSwish");
    region.replace(*result, fused);
    return true;
  }
  if (product.factors.size() != 1) return false;
  const auto ramp = take_ramp(product.factors[0], nullptr, region);
  if (!ramp || !fusable(ramp->x) || !is_unit(*ramp, product.scale) || !region.closed(*result) ||
      !may_emit(model, context, "HardSigmoid", since(*ramp->x, 6)))
    return false;
  Value& fused = add_fused(graph, "HardSigmoid", {ramp->x}, root, *result);
  fused.producer()->attributes["alpha"] = static_cast<float>(product.scale * ramp->slope);
  fused.producer()->attributes["beta"] = static_cast<float>(product.scale * ramp->offset);
  context.changed(root, "is the end of a decomposed HardSigmoid");
  region.replace(*result, fused);
  return true;
}

}  // namespace

Status fuse_hard_swish(Model& model, PassContext& context) {
  return rewrite_backwards(*model.graph,
                           [&](Graph& graph, Node& node) { return fuse_at(graph, node, model, context); });
}

}  // namespace tarmac
