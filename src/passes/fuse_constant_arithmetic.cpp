#include <algorithm>
#include <cmath>

#include "passes/passes.h"
#include "passes/rewrite.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

/// Larger constants are weights: combining them saves little and costs a copy.
constexpr std::int64_t kMaxElements = 65536;

/// x ∘ c, where ∘ is + − × or ÷ and c a small constant of floats.
struct Step {
  Value* x = nullptr;
  Value* c = nullptr;
  bool additive = false;
  bool inverse = false;  ///< − or ÷
};

bool is_small_constant(const Value* value) {
  const Tensor* tensor = constant_of(value);
  return tensor != nullptr && is_floating_point(tensor->dtype()) && bit_width(tensor->dtype()) >= 16 &&
         tensor->count() > 0 && tensor->count() <= kMaxElements;
}

std::optional<Step> step_of(const Node& node) {
  const bool additive = node.is("Add") || node.is("Sub");
  const bool inverse = node.is("Sub") || node.is("Div");
  if ((!additive && !node.is("Mul") && !node.is("Div")) || node.input(0) == nullptr) return std::nullopt;
  if (is_small_constant(node.input(1))) return Step{node.input(0), node.input(1), additive, inverse};
  if (!inverse && is_small_constant(node.input(0)))
    return Step{node.input(1), node.input(0), additive, inverse};
  return std::nullopt;
}

/// The smallest number of a type that has all its significant bits, and the largest.
std::pair<double, double> normal_range(DType dtype) {
  switch (dtype) {
    case DType::kFloat16:
      return {std::ldexp(1.0, -14), 65504.0};
    case DType::kFloat64:
      return {std::ldexp(1.0, -1022), std::ldexp(1.0, 1023)};
    default:
      return {std::ldexp(1.0, -126), std::ldexp(1.0, 127)};
  }
}

/// How far to step in a constant for each element of the result's axis; 0 where it broadcasts.
std::vector<std::int64_t> strides_in(const Shape& shape, std::size_t rank) {
  std::vector<std::int64_t> strides(rank, 0);
  std::int64_t stride = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1) strides[rank - shape.size() + i] = stride;
    stride *= shape[i];
  }
  return strides;
}

std::optional<Shape> broadcast(const Shape& a, const Shape& b) {
  Shape result(std::max(a.size(), b.size()), 1);
  for (const Shape* shape : {&a, &b}) {
    for (std::size_t i = 0; i < shape->size(); ++i) {
      std::int64_t& size = result[result.size() - shape->size() + i];
      if (size != 1 && (*shape)[i] != 1 && size != (*shape)[i]) return std::nullopt;
      if ((*shape)[i] != 1) size = (*shape)[i];
    }
  }
  return result;
}

/// first ∘ second, broadcast; nullopt where that has more elements than either, or leaves the range in which
/// the type is precise.
Result<std::optional<Tensor>> combine(const Tensor& first, const Tensor& second, bool additive,
                                      bool inverse) {
  const auto shape = broadcast(first.shape(), second.shape());
  if (!shape) return std::optional<Tensor>();
  TARMAC_TRY(const std::int64_t count, element_count(*shape));
  if (count > std::max(first.count(), second.count())) return std::optional<Tensor>();
  TARMAC_TRY(const auto a, to_doubles(first));
  TARMAC_TRY(const auto b, to_doubles(second));
  const auto a_strides = strides_in(first.shape(), shape->size());
  const auto b_strides = strides_in(second.shape(), shape->size());
  const auto [smallest, largest] = normal_range(first.dtype());
  std::vector<double> values(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t rest = i;
    std::int64_t a_index = 0;
    std::int64_t b_index = 0;
    for (std::size_t axis = shape->size(); axis-- > 0;) {
      const std::int64_t position = rest % (*shape)[axis];
      rest /= (*shape)[axis];
      a_index += position * a_strides[axis];
      b_index += position * b_strides[axis];
    }
    const double x = a[static_cast<std::size_t>(a_index)];
    const double y = b[static_cast<std::size_t>(b_index)];
    const double value = additive ? (inverse ? x - y : x + y) : (inverse ? x / y : x * y);
    // A sum that nearly cancels may be there to round x, as in x + 2²³ − 2²³.
    const double least = additive ? std::ldexp(std::max(std::abs(x), std::abs(y)), -10) : smallest;
    const bool precise = std::abs(value) >= least;
    if (!precise || std::abs(value) > largest || std::isnan(value)) return std::optional<Tensor>();
    values[static_cast<std::size_t>(i)] = value;
  }
  TARMAC_TRY(Tensor tensor, from_doubles(first.dtype(), *shape, values));
  return std::optional(std::move(tensor));
}

Status merge(Graph& graph, Node& node, PassContext& context) {
  const auto second = step_of(node);
  if (!second) return {};
  const Node* before = sole_producer(graph, second->x);
  const auto first = before == nullptr ? std::nullopt : step_of(*before);
  if (!first || first->additive != second->additive) return {};
  const Tensor& a = *constant_of(first->c);
  const Tensor& b = *constant_of(second->c);
  if (a.dtype() != b.dtype()) return {};
  // The result keeps the first step's form, but x ÷ a × b is x × (b ÷ a).
  const bool swap = first->inverse && !second->inverse;
  TARMAC_TRY(auto constant, swap ? combine(b, a, first->additive, true)
                                 : combine(a, b, first->additive, first->inverse != second->inverse));
  if (!constant) return {};
  context.changed(node, "does the work of " + before->op_type + " '" + before->label() + "' before it");
  const bool inverse = first->inverse && second->inverse;
  node.op_type = first->additive ? (inverse ? "Sub" : "Add") : (inverse ? "Div" : "Mul");
  Value& value = graph.add_initializer(graph.fresh_name(node.label() + "_constant"), *std::move(constant));
  std::vector<Value*> old = node.inputs();
  node.truncate_inputs(0);
  node.add_input(first->x);
  node.add_input(&value);
  erase_unused(std::move(old));
  return {};
}

}  // namespace

Status fuse_constant_arithmetic(Model& model, PassContext& context) {
  if (model.opset() < 7) return {};  // broadcasting was an attribute
  Status status;
  visit_nodes(*model.graph, [&](Graph& graph, Node& node) {
    if (status.ok()) status = merge(graph, node, context);
  });
  return status;
}

}  // namespace tarmac
