#include "passes/shape_values.h"

#include <algorithm>
#include <array>
#include <limits>

#include "tensor/codec.h"

namespace tarmac {
namespace {

using Integers = std::vector<std::int64_t>;
using Found = std::optional<ShapeValue>;

bool is_index_type(DType dtype) {
  return dtype == DType::kInt64 || dtype == DType::kInt32 || dtype == DType::kBool;
}

std::optional<Integers> integers(const Found& value) {
  if (!value || !value->known()) return std::nullopt;
  Integers numbers;
  for (const Dim& element : value->elements) numbers.push_back(*element.size);
  return numbers;
}

/// Symbols of a type mean one size wherever they occur in a model; denotations are of no interest here.
Dim plain(const Dim& dim) { return dim.known() ? Dim::of(*dim.size) : Dim::named(dim.symbol); }

/// Index into [0, size], counting from the back where negative.
std::int64_t clamp_index(std::int64_t index, std::int64_t size) {
  return std::clamp<std::int64_t>(index < 0 ? index + size : index, 0, size);
}

Found shape_of(const Node& node) {
  const Value* input = node.input(0);
  if (input == nullptr || !input->type.is_tensor() || !input->type.shape) return std::nullopt;
  const auto rank = static_cast<std::int64_t>(input->type.shape->size());
  const std::int64_t start = clamp_index(node.attribute_or<std::int64_t>("start", 0), rank);
  const std::int64_t end = clamp_index(node.attribute_or<std::int64_t>("end", rank), rank);
  ShapeValue result;
  for (std::int64_t i = start; i < end; ++i)
    result.elements.push_back(plain((*input->type.shape)[static_cast<std::size_t>(i)]));
  return result;
}

/// Product of all elements: known, or the only symbol when all others are 1.
Dim product(const std::vector<Dim>& elements) {
  std::int64_t number = 1;
  std::string symbol;
  for (const Dim& element : elements) {
    if (!element.known()) {
      if (element.symbol.empty() || !symbol.empty()) return {};
      symbol = element.symbol;
    } else if (__builtin_mul_overflow(number, *element.size, &number)) {
      return {};
    }
  }
  if (symbol.empty()) return Dim::of(number);
  return number == 1 ? Dim::named(symbol) : Dim{};
}

Found size_of(const Node& node) {
  const Value* input = node.input(0);
  if (input == nullptr || !input->type.is_tensor() || !input->type.shape) return std::nullopt;
  return ShapeValue{true, DType::kInt64, {product(*input->type.shape)}};
}

Found gather(const Node& node, const Found& data, const Found& indices) {
  if (!data || data->is_scalar || node.attribute_or<std::int64_t>("axis", 0) > 0) return std::nullopt;
  const auto positions = integers(indices);
  if (!positions) return std::nullopt;
  ShapeValue result{indices->is_scalar, data->dtype, {}};
  const auto size = static_cast<std::int64_t>(data->elements.size());
  for (std::int64_t i : *positions) {
    if (i < 0) i += size;
    if (i < 0 || i >= size) return std::nullopt;
    result.elements.push_back(data->elements[static_cast<std::size_t>(i)]);
  }
  return result;
}

Found slice(const Found& data, const std::optional<Integers>& starts, const std::optional<Integers>& ends,
            const std::optional<Integers>& steps) {
  if (!data || data->is_scalar || !starts || !ends || starts->size() != 1 || ends->size() != 1)
    return std::nullopt;
  const auto largest = static_cast<std::int64_t>(kMaxShapeElements);
  const std::int64_t step = steps && steps->size() == 1 ? std::min(steps->front(), largest) : 1;
  if (step <= 0) return std::nullopt;
  const auto size = static_cast<std::int64_t>(data->elements.size());
  ShapeValue result{false, data->dtype, {}};
  for (std::int64_t i = clamp_index(starts->front(), size); i < clamp_index(ends->front(), size); i += step)
    result.elements.push_back(data->elements[static_cast<std::size_t>(i)]);
  return result;
}

/// The vector of a scalar or back; lengths must agree.
Found with_rank(Found data, bool is_scalar) {
  if (!data || (is_scalar && data->elements.size() != 1)) return std::nullopt;
  data->is_scalar = is_scalar;
  return data;
}

Found reshape(const Found& data, const std::optional<Integers>& shape) {
  if (!data || !shape || shape->size() > 1) return std::nullopt;
  const bool fits = shape->empty() || shape->front() == -1 ||
                    shape->front() == static_cast<std::int64_t>(data->elements.size());
  return fits ? with_rank(data, shape->empty()) : std::nullopt;
}

Found cast(const Node& node, Found data) {
  const auto to = static_cast<DType>(node.attribute_or<std::int64_t>("to", 0));
  if (!data || (to != DType::kInt64 && to != DType::kInt32)) return std::nullopt;
  for (const Dim& element : data->elements) {
    const bool fits = !element.known() || to == DType::kInt64 ||
                      (*element.size >= std::numeric_limits<std::int32_t>::min() &&
                       *element.size <= std::numeric_limits<std::int32_t>::max());
    if (!fits) return std::nullopt;
  }
  data->dtype = to;
  return data;
}

Dim calculate(const std::string& op, const Dim& a, const Dim& b) {
  if (a.known() && b.known()) {
    std::int64_t result = 0;
    const std::int64_t x = *a.size;
    const std::int64_t y = *b.size;
    if (op == "Add") return __builtin_add_overflow(x, y, &result) ? Dim{} : Dim::of(result);
    if (op == "Sub") return __builtin_sub_overflow(x, y, &result) ? Dim{} : Dim::of(result);
    if (op == "Mul") return __builtin_mul_overflow(x, y, &result) ? Dim{} : Dim::of(result);
    if (op == "Min") return Dim::of(std::min(x, y));
    if (op == "Max") return Dim::of(std::max(x, y));
    // Of negative numbers engines round differently.
    if ((op == "Div" || op == "Mod") && x >= 0 && y > 0) return Dim::of(op == "Div" ? x / y : x % y);
    if (op == "Equal") return Dim::of(x == y ? 1 : 0);
    return {};
  }
  const auto is = [](const Dim& dim, std::int64_t number) { return dim.known() && *dim.size == number; };
  const auto keeps = [&](const Dim& kept, const Dim& other, bool is_left) {
    if (kept.known() || kept.symbol.empty()) return false;
    if (op == "Mul") return is(other, 1);
    if (op == "Add") return is(other, 0);
    return is_left && ((op == "Sub" && is(other, 0)) || (op == "Div" && is(other, 1)));
  };
  if (keeps(a, b, true)) return a;
  if (keeps(b, a, false)) return b;
  if (op == "Equal") {
    if (!a.symbol.empty() && a.symbol == b.symbol) return Dim::of(1);
    // A size is never negative.
    const auto differ = [](const Dim& symbol, const Dim& number) {
      return !symbol.symbol.empty() && number.known() && *number.size < 0;
    };
    if (differ(a, b) || differ(b, a)) return Dim::of(0);
  }
  if (!a.symbol.empty() && a.symbol == b.symbol) {
    if (op == "Sub") return Dim::of(0);
    if (op == "Min" || op == "Max") return a;
  }
  return {};
}

Found elementwise(const std::string& op, const Found& a, const Found& b) {
  if (!a || !b) return std::nullopt;
  const std::size_t count = std::max(a->elements.size(), b->elements.size());
  const auto fits = [&](const ShapeValue& value) {
    return value.elements.size() == count || value.elements.size() == 1;
  };
  if (!fits(*a) || !fits(*b)) return std::nullopt;
  ShapeValue result{a->is_scalar && b->is_scalar, op == "Equal" ? DType::kBool : a->dtype, {}};
  for (std::size_t i = 0; i < count; ++i) {
    const auto element = [&](const ShapeValue& value) {
      return value.elements[value.elements.size() == 1 ? 0 : i];
    };
    result.elements.push_back(calculate(op, element(*a), element(*b)));
  }
  return result;
}

Found where(const Found& condition, const Found& yes, const Found& no) {
  if (!condition || !yes || !no) return std::nullopt;
  const std::size_t count = std::max({condition->elements.size(), yes->elements.size(), no->elements.size()});
  ShapeValue result{condition->is_scalar && yes->is_scalar && no->is_scalar, yes->dtype, {}};
  for (const auto* value : {&condition, &yes, &no}) {
    if ((*value)->elements.size() != count && (*value)->elements.size() != 1) return std::nullopt;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const auto element = [&](const ShapeValue& value) {
      return value.elements[value.elements.size() == 1 ? 0 : i];
    };
    const Dim choice = element(*condition);
    result.elements.push_back(!choice.known() ? Dim{} : *choice.size != 0 ? element(*yes) : element(*no));
  }
  return result;
}

Found constant_of_shape(const Node& node, const Found& shape) {
  const auto sizes = integers(shape);
  if (!sizes || shape->is_scalar || sizes->size() > 1) return std::nullopt;
  const std::int64_t count = sizes->empty() ? 1 : sizes->front();
  const Tensor* fill = node.attribute<Tensor>("value");
  if (fill == nullptr || !is_index_type(fill->dtype()) || count < 0 ||
      count > static_cast<std::int64_t>(kMaxShapeElements))
    return std::nullopt;
  const auto numbers = to_int64s(*fill);
  if (!numbers || numbers->size() != 1) return std::nullopt;
  return ShapeValue{sizes->empty(), fill->dtype(),
                    std::vector<Dim>(static_cast<std::size_t>(count), Dim::of(numbers->front()))};
}

}  // namespace

bool ShapeValue::known() const {
  return std::all_of(elements.begin(), elements.end(), [](const Dim& element) { return element.known(); });
}

std::optional<ShapeValue> ShapeValues::find(const Value* value) const {
  if (value == nullptr) return std::nullopt;
  if (const auto it = values_.find(value); it != values_.end()) return it->second;
  const Tensor* tensor = constant_of(value);
  if (tensor == nullptr || !is_index_type(tensor->dtype()) || tensor->shape().size() > 1 ||
      tensor->count() > static_cast<std::int64_t>(kMaxShapeElements)) {
    return std::nullopt;
  }
  const auto numbers = to_int64s(*tensor);
  if (!numbers) return std::nullopt;
  ShapeValue result{tensor->shape().empty(), tensor->dtype(), {}};
  for (const std::int64_t number : *numbers) result.elements.push_back(Dim::of(number));
  return result;
}

void ShapeValues::visit(const Node& node) {
  if (!node.domain.empty()) return;
  const std::string& op = node.op_type;
  const auto in = [&](std::size_t i) { return find(node.input(i)); };
  // Lists are attributes in old opsets and inputs in new ones.
  const auto list = [&](const char* attribute, std::size_t input) -> std::optional<Integers> {
    if (const auto* values = node.attribute<Integers>(attribute)) return *values;
    return integers(in(input));
  };
  Found result;
  if (op == "Shape") {
    result = shape_of(node);
  } else if (op == "Size") {
    result = size_of(node);
  } else if (op == "Identity") {
    result = in(0);
  } else if (op == "Gather") {
    result = gather(node, in(0), in(1));
  } else if (op == "Slice") {
    result = slice(in(0), list("starts", 1), list("ends", 2), integers(in(4)));
    if (node.input(4) != nullptr && !integers(in(4))) result.reset();
  } else if (op == "Concat") {
    ShapeValue all;
    for (const Value* input : node.inputs()) {
      const Found part = find(input);
      const bool has_length =
          part || (input->type.static_shape() && input->type.static_shape()->size() == 1 &&
                   is_index_type(input->type.dtype));
      if (!has_length || (part && part->is_scalar)) return;
      all.dtype = part ? part->dtype : input->type.dtype;
      const auto unknown =
          std::vector<Dim>(part ? 0 : static_cast<std::size_t>(input->type.static_shape()->front()));
      const auto& elements = part ? part->elements : unknown;
      if (all.elements.size() + elements.size() > kMaxShapeElements) return;
      all.elements.insert(all.elements.end(), elements.begin(), elements.end());
    }
    result = all;
  } else if (op == "Squeeze") {
    result = with_rank(in(0), true);
  } else if (op == "Unsqueeze") {
    const Found data = in(0);
    if (data && data->is_scalar && list("axes", 1) && list("axes", 1)->size() == 1)
      result = with_rank(data, false);
  } else if (op == "Reshape") {
    result = reshape(in(0), integers(in(1)));
  } else if (op == "Cast") {
    result = cast(node, in(0));
  } else if (op == "Where") {
    result = where(in(0), in(1), in(2));
  } else if (op == "ConstantOfShape") {
    result = constant_of_shape(node, in(0));
  } else if (op == "ReduceProd" && node.inputs().size() == 1 && !node.attributes.contains("axes")) {
    if (const Found data = in(0))
      result = ShapeValue{node.attribute_or<std::int64_t>("keepdims", 1) == 0 || data->is_scalar,
                          data->dtype,
                          {product(data->elements)}};
  } else {
    static constexpr std::array<const char*, 8> kBinary = {"Add", "Sub", "Mul", "Div",
                                                           "Mod", "Min", "Max", "Equal"};
    const bool is_binary =
        node.inputs().size() == 2 && std::find(kBinary.begin(), kBinary.end(), op) != kBinary.end();
    if (is_binary) result = elementwise(op, in(0), in(1));
  }
  const Value* output = node.output(0);
  if (result && output != nullptr && result->elements.size() <= kMaxShapeElements)
    values_.emplace(output, *std::move(result));
}

}  // namespace tarmac
