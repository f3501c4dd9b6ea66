#include "graph/type.h"

namespace tarmac {

Type Type::tensor(DType dtype, std::optional<std::vector<Dim>> shape) {
  Type type;
  type.kind = Kind::kTensor;
  type.dtype = dtype;
  type.shape = std::move(shape);
  return type;
}

Type Type::tensor(DType dtype, const Shape& shape) {
  std::vector<Dim> dims;
  dims.reserve(shape.size());
  for (const std::int64_t size : shape) dims.push_back(Dim::of(size));
  return tensor(dtype, std::optional(std::move(dims)));
}

std::optional<Shape> Type::static_shape() const {
  if (!shape) return std::nullopt;
  Shape sizes;
  sizes.reserve(shape->size());
  for (const Dim& dim : *shape) {
    if (!dim.known()) return std::nullopt;
    sizes.push_back(*dim.size);
  }
  return sizes;
}

bool Type::operator==(const Type& other) const {
  const bool same_element = element == other.element ||
                            (element != nullptr && other.element != nullptr && *element == *other.element);
  return same_element && kind == other.kind && dtype == other.dtype && shape == other.shape &&
         denotation == other.denotation;
}

std::string to_string(const Type& type) {
  const auto inner = [&] { return type.element ? to_string(*type.element) : std::string("?"); };
  switch (type.kind) {
    case Type::Kind::kNone:
      return "?";
    case Type::Kind::kOther:
      return "opaque";
    case Type::Kind::kSequence:
      return "seq(" + inner() + ")";
    case Type::Kind::kOptional:
      return "optional(" + inner() + ")";
    case Type::Kind::kMap:
      return std::string("map(") + to_string(type.dtype) + ", " + inner() + ")";
    case Type::Kind::kTensor:
    case Type::Kind::kSparseTensor:
      break;
  }
  std::string text = type.kind == Type::Kind::kSparseTensor ? "sparse " : "";
  text += to_string(type.dtype);
  if (!type.shape) return text;
  text += '[';
  for (std::size_t i = 0; i < type.shape->size(); ++i) {
    const Dim& dim = (*type.shape)[i];
    if (i > 0) text += ", ";
    text += dim.known() ? std::to_string(*dim.size) : dim.symbol.empty() ? "?" : dim.symbol;
  }
  return text + "]";
}

}  // namespace tarmac
