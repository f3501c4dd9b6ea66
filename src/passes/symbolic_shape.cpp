#include "passes/symbolic_shape.h"

#include <algorithm>
#include <cmath>

#include "tensor/codec.h"

namespace tarmac {
namespace {

constexpr std::int64_t kMaxElements = 64;
/// Scales are computed in a handful of nodes from a shape.
constexpr int kMaxScalarDepth = 16;

}  // namespace

SymbolicDim SymbolicDim::times(const SymbolicDim& other) const {
  SymbolicDim result = *this;
  result.factor_ *= other.factor_;
  result.symbols_.insert(result.symbols_.end(), other.symbols_.begin(), other.symbols_.end());
  std::sort(result.symbols_.begin(), result.symbols_.end());
  return result;
}

std::optional<SymbolicDim> SymbolicDim::plus(const SymbolicDim& other) const {
  if (symbols_ != other.symbols_) return std::nullopt;
  SymbolicDim result = *this;
  result.factor_ += other.factor_;
  return result;
}

std::optional<SymbolicDim> SymbolicDim::divided_by(const SymbolicDim& other) const {
  if (other.factor_ == 0 || factor_ % other.factor_ != 0) return std::nullopt;
  if (!std::includes(symbols_.begin(), symbols_.end(), other.symbols_.begin(), other.symbols_.end()))
    return std::nullopt;
  SymbolicDim result = of(factor_ / other.factor_);
  std::set_difference(symbols_.begin(), symbols_.end(), other.symbols_.begin(), other.symbols_.end(),
                      std::back_inserter(result.symbols_));
  return result;
}

SymbolicDim product(const SymbolicShape& dims) {
  SymbolicDim result = SymbolicDim::of(1);
  for (const SymbolicDim& dim : dims) result = result.times(dim);
  return result;
}

std::optional<std::vector<std::int64_t>> small_integers(const Value* value) {
  const Tensor* tensor = constant_of(value);
  if (tensor == nullptr || tensor->count() > kMaxElements || !is_integer(tensor->dtype()))
    return std::nullopt;
  auto integers = to_int64s(*tensor);
  return integers ? std::optional(*std::move(integers)) : std::nullopt;
}

std::optional<std::vector<std::int64_t>> axes_of(const Node& node, std::size_t index) {
  if (const auto* axes = node.attribute<std::vector<std::int64_t>>("axes")) return *axes;
  return small_integers(node.input(index));
}

std::optional<std::size_t> axis_index(std::int64_t axis, std::size_t rank) {
  const auto signed_rank = static_cast<std::int64_t>(rank);
  if (axis < -signed_rank || axis >= signed_rank) return std::nullopt;
  return static_cast<std::size_t>(axis < 0 ? axis + signed_rank : axis);
}

SymbolicShapes::SymbolicShapes(const Graph& graph, HeadsOverride heads) : heads_(heads) { visit(graph); }

void SymbolicShapes::visit(const Graph& graph) {
  for (const Value* value : graph.inputs()) record(*value, std::nullopt);
  for (const auto& node : graph.nodes()) {
    for (std::size_t i = 0; i < node->outputs().size(); ++i) {
      const Value* output = node->output(i);
      if (output == nullptr) continue;
      record(*output, node->domain.empty() ? shape_from(*node, i) : vendor_shape(*node, i));
      if (i > 0 || !node->domain.empty() || constant_of(output) != nullptr) continue;
      if (auto found = elements_from(*node); found && found->size() <= kMaxElements)
        elements_.emplace(output, *std::move(found));
    }
    node->for_each_subgraph([&](Graph& nested) { visit(nested); });
  }
}

void SymbolicShapes::record(const Value& value, const std::optional<MaybeShape>& found) {
  const bool typed = value.type.is_tensor() && value.type.shape;
  if (!typed && !found) return;
  const std::size_t rank = typed ? value.type.shape->size() : found->size();
  SymbolicShape shape;
  for (std::size_t i = 0; i < rank; ++i) {
    const Dim* dim = typed ? &(*value.type.shape)[i] : nullptr;
    if (dim != nullptr && dim->known()) {
      shape.push_back(SymbolicDim::of(*dim->size));
    } else if (found && found->size() == rank && (*found)[i]) {
      shape.push_back(*(*found)[i]);
    } else if (dim != nullptr && !dim->symbol.empty()) {
      shape.push_back(SymbolicDim::unknown(dim->symbol));
    } else {
      // No symbol of the model has a line break.
      shape.push_back(SymbolicDim::unknown(value.name() + "\n" + std::to_string(i)));
    }
  }
  shapes_.emplace(&value, std::move(shape));
}

const SymbolicShape* SymbolicShapes::shape(const Value* value) const {
  const auto it = shapes_.find(value);
  if (it != shapes_.end()) return &it->second;
  const Tensor* tensor = constant_of(value);
  if (tensor == nullptr) return nullptr;
  SymbolicShape shape;
  for (const std::int64_t size : tensor->shape()) shape.push_back(SymbolicDim::of(size));
  return &shapes_.emplace(value, std::move(shape)).first->second;
}

std::optional<double> SymbolicShapes::scalar(const Value* value, int depth) const {
  if (value == nullptr || depth > kMaxScalarDepth) return std::nullopt;
  if (const Tensor* tensor = constant_of(value)) {
    if (tensor->count() != 1) return std::nullopt;
    const auto number = to_doubles(*tensor);
    return number ? std::optional(number->front()) : std::nullopt;
  }
  const SymbolicShape* dims = shape(value);
  if (dims != nullptr && !product(*dims).is(1)) return std::nullopt;
  if (const auto found = elements(value)) {
    if (found->size() == 1 && found->front() && found->front()->known())
      return static_cast<double>(found->front()->factor());
    return std::nullopt;
  }
  const Node* node = value->producer();
  if (node == nullptr || !node->domain.empty()) return std::nullopt;
  const auto first = scalar(node->input(0), depth + 1);
  if (!first) return std::nullopt;
  const std::string& op = node->op_type;
  if (op == "Sqrt") return std::sqrt(*first);
  if (op == "Reciprocal") return 1.0 / *first;
  if (op == "Identity" || op == "Unsqueeze" || op == "Squeeze" || op == "Reshape") return first;
  if (op == "Cast")
    return is_floating_point(static_cast<DType>(node->attribute_or<std::int64_t>("to", 0))) ? first
                                                                                            : std::nullopt;
  const auto second = scalar(node->input(1), depth + 1);
  if (!second) return std::nullopt;
  const bool real = value->type.is_tensor() && is_floating_point(value->type.dtype);
  if (op == "Mul") return *first * *second;
  if (op == "Div" && real) return *first / *second;
  if (op == "Pow" && real) return std::pow(*first, *second);
  return std::nullopt;
}

std::optional<std::vector<std::int64_t>> SymbolicShapes::integers(const Value* value) const {
  const auto found = elements(value);
  if (!found) return std::nullopt;
  std::vector<std::int64_t> numbers;
  for (const MaybeDim& element : *found) {
    if (!element || !element->known()) return std::nullopt;
    numbers.push_back(element->factor());
  }
  return numbers;
}

std::optional<SymbolicShapes::MaybeShape> SymbolicShapes::elements(const Value* value) const {
  const auto it = elements_.find(value);
  if (it != elements_.end()) return it->second;
  const Tensor* tensor = constant_of(value);
  if (tensor == nullptr || tensor->shape().size() > 1 || tensor->count() > kMaxElements ||
      (!is_integer(tensor->dtype()) && tensor->dtype() != DType::kBool))
    return std::nullopt;
  const auto numbers = to_int64s(*tensor);  // a condition of Where as 0 and 1
  if (!numbers) return std::nullopt;
  MaybeShape result;
  for (const std::int64_t number : *numbers) result.emplace_back(SymbolicDim::of(number));
  return result;
}

std::optional<SymbolicShapes::MaybeShape> SymbolicShapes::elements_from(const Node& node) const {
  const std::string& op = node.op_type;
  if (op == "Shape") {
    const SymbolicShape* dims = shape(node.input(0));
    if (dims == nullptr) return std::nullopt;
    const auto rank = static_cast<std::int64_t>(dims->size());
    const auto clamp = [rank](std::int64_t at) {
      return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank);
    };
    const std::int64_t start = clamp(node.attribute_or<std::int64_t>("start", 0));
    const std::int64_t end = clamp(node.attribute_or<std::int64_t>("end", rank));
    MaybeShape result;
    for (std::int64_t i = start; i < end; ++i) result.emplace_back((*dims)[static_cast<std::size_t>(i)]);
    return result;
  }
  if (op == "ConstantOfShape") {
    const auto length = integers(node.input(0));
    const auto* fill = node.attribute<Tensor>("value");
    if (!length || length->size() > 1 || fill == nullptr || !is_integer(fill->dtype())) return std::nullopt;
    const auto number = to_int64s(*fill);
    const std::int64_t count = length->empty() ? 1 : length->front();
    if (!number || number->size() != 1 || count < 0 || count > kMaxElements) return std::nullopt;
    return MaybeShape(static_cast<std::size_t>(count), SymbolicDim::of(number->front()));
  }
  if (op == "Concat") {
    MaybeShape result;
    for (const Value* part : node.inputs()) {
      const auto found = elements(part);
      if (!found) return std::nullopt;
      result.insert(result.end(), found->begin(), found->end());
      if (result.size() > kMaxElements) return std::nullopt;
    }
    return result;
  }
  const auto first = elements(node.input(0));
  if (!first) return std::nullopt;
  if (op == "Identity" || op == "Squeeze") return first;
  if (op == "Cast")
    return is_integer(static_cast<DType>(node.attribute_or<std::int64_t>("to", 0))) ? first : std::nullopt;
  if (op == "Unsqueeze" || op == "Reshape") {
    const SymbolicShape* dims = shape(node.output(0));
    return dims != nullptr && dims->size() <= 1 ? first : std::nullopt;
  }
  if (op == "Gather") {
    const auto indices = integers(node.input(1));
    if (!indices) return std::nullopt;
    MaybeShape result;
    for (const std::int64_t index : *indices) {
      const auto at = axis_index(index, first->size());
      if (!at) return std::nullopt;
      result.push_back((*first)[*at]);
    }
    return result;
  }
  if (op == "Slice") {
    const auto starts = integers(node.input(1));
    const auto ends = integers(node.input(2));
    const auto steps =
        node.input(4) == nullptr ? std::optional(std::vector<std::int64_t>{1}) : integers(node.input(4));
    if (!starts || !ends || !steps || starts->size() != 1 || ends->size() != 1 ||
        *steps != std::vector<std::int64_t>{1})
      return std::nullopt;
    const auto size = static_cast<std::int64_t>(first->size());
    const auto clamp = [size](std::int64_t at) {
      return std::clamp<std::int64_t>(at < 0 ? at + size : at, 0, size);
    };
    const std::int64_t start = clamp(starts->front());
    return MaybeShape(first->begin() + start, first->begin() + std::max(start, clamp(ends->front())));
  }
  const auto second = elements(node.input(1));
  if (!second || (first->size() != second->size() && first->size() != 1 && second->size() != 1))
    return std::nullopt;
  MaybeShape result;
  for (std::size_t i = 0; i < std::max(first->size(), second->size()); ++i) {
    const MaybeDim& a = (*first)[first->size() == 1 ? 0 : i];
    const MaybeDim& b = (*second)[second->size() == 1 ? 0 : i];
    MaybeDim element;
    if (op == "Mul") {
      if (a && b) element = a->times(*b);
    } else if (op == "Div") {
      if (a && b && a->known() && b->known() && a->factor() >= 0 && b->factor() > 0) {
        element = SymbolicDim::of(a->factor() / b->factor());
      } else if (a && b) {
        element = a->divided_by(*b);
      }
    } else if (op == "Add" || op == "Sub") {
      if (a && b && a->known() && b->known())
        element = SymbolicDim::of(op == "Add" ? a->factor() + b->factor() : a->factor() - b->factor());
    } else if (op == "Mod") {
      if (a && b && a->known() && b->known() && a->factor() >= 0 && b->factor() > 0)
        element = SymbolicDim::of(a->factor() % b->factor());
    } else if (op == "Equal") {
      // Symbols stand for sizes, which are never negative.
      const bool differs = a && b && ((a->known() && a->factor() < 0) != (b->known() && b->factor() < 0));
      if (differs || (a && b && (*a == *b || (a->known() && b->known()))))
        element = SymbolicDim::of(!differs && *a == *b ? 1 : 0);
    } else if (op == "Where") {
      const auto third = elements(node.input(2));
      if (!third || !a || !a->known() || (third->size() != 1 && third->size() <= i)) return std::nullopt;
      element = a->factor() != 0 ? b : (*third)[third->size() == 1 ? 0 : i];
    } else {
      return std::nullopt;
    }
    result.push_back(std::move(element));
  }
  return result;
}

}  // namespace tarmac
