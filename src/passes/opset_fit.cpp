#include <onnx/defs/data_type_utils.h>

#include <algorithm>
#include <limits>

#include "graph/proto.h"
#include "passes/opset_step.h"
#include "tensor/proto.h"

namespace tarmac::opset {
namespace {

using Formal = onnx::OpSchema::FormalParameter;

/// The formal parameter of the i-th input or output; null beyond the end.
const Formal* formal_at(const std::vector<Formal>& formals, std::size_t i) {
  if (i < formals.size()) return &formals[i];
  const bool variadic = !formals.empty() && formals.back().GetOption() == onnx::OpSchema::Variadic;
  return variadic ? &formals.back() : nullptr;
}

/// Whether the type is unknown or among those that the parameter takes.
bool takes(const Formal& formal, const Type& type) {
  const bool known = type.kind != Type::Kind::kNone && type.kind != Type::Kind::kOther &&
                     !(type.kind == Type::Kind::kTensor && type.dtype == DType::kUndefined);
  if (!known) return true;
  onnx::TypeProto proto;
  type_to_proto(type, proto);
  try {
    return formal.GetTypes().count(onnx::Utils::DataTypeUtils::ToType(proto)) != 0;
  } catch (const std::exception&) {
    return true;  // an element of unknown type inside a sequence or an optional
  }
}

Status check_values(const std::vector<Value*>& values, const std::vector<Formal>& formals, const char* kind) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Formal* formal = formal_at(formals, i);
    const bool used = values[i] != nullptr && (*kind == 'i' || !values[i]->unused());
    if (formal == nullptr) {
      if (used) return refuse(std::string(kind) + " " + std::to_string(i) + " does not exist there");
      continue;
    }
    if (!used) {
      if (formal->GetOption() == onnx::OpSchema::Single && values[i] == nullptr)
        return refuse(std::string(kind) + " '" + formal->GetName() + "' may not be left out there");
      continue;
    }
    if (!takes(*formal, values[i]->type)) {
      return refuse(std::string(kind) + " '" + formal->GetName() + "' cannot be " +
                    to_string(values[i]->type) + " there");
    }
  }
  for (std::size_t i = values.size(); i < formals.size(); ++i) {
    if (formals[i].GetOption() == onnx::OpSchema::Single)
      return refuse(std::string(kind) + " '" + formals[i].GetName() + "' may not be left out there");
  }
  return {};
}

int type_of(const Attribute& attribute) {
  if (const auto* reference = std::get_if<AttributeReference>(&attribute)) return reference->type;
  static constexpr int kTypes[] = {
      onnx::AttributeProto::INT,       onnx::AttributeProto::FLOAT,        onnx::AttributeProto::STRING,
      onnx::AttributeProto::TENSOR,    onnx::AttributeProto::GRAPH,        onnx::AttributeProto::TYPE_PROTO,
      onnx::AttributeProto::INTS,      onnx::AttributeProto::FLOATS,       onnx::AttributeProto::STRINGS,
      onnx::AttributeProto::TENSORS,   onnx::AttributeProto::GRAPHS,       onnx::AttributeProto::TYPE_PROTOS,
      onnx::AttributeProto::UNDEFINED, onnx::AttributeProto::SPARSE_TENSOR};
  return kTypes[attribute.index()];
}

/// The default of an attribute where it is a number, text, or list of integers; nullopt for none.
std::optional<Attribute> default_of(const onnx::OpSchema::Attribute& attribute) {
  const onnx::AttributeProto& value = attribute.default_value;
  switch (value.type()) {
    case onnx::AttributeProto::INT:
      return Attribute(std::int64_t{value.i()});
    case onnx::AttributeProto::FLOAT:
      return Attribute(value.f());
    case onnx::AttributeProto::STRING:
      return Attribute(value.s());
    case onnx::AttributeProto::INTS:
      return Attribute(std::vector<std::int64_t>(value.ints().begin(), value.ints().end()));
    default:
      return std::nullopt;
  }
}

bool equal(const Attribute& a, const Attribute& b) {
  return std::visit(
      [&](const auto& x) {
        using T = std::decay_t<decltype(x)>;
        if constexpr (std::is_same_v<T, std::int64_t> || std::is_same_v<T, float> ||
                      std::is_same_v<T, std::string> || std::is_same_v<T, std::vector<std::int64_t>>) {
          const T* y = std::get_if<T>(&b);
          return y != nullptr && x == *y;
        } else {
          return false;
        }
      },
      a);
}

}  // namespace

Status fit(Node& node, const onnx::OpSchema& from, const onnx::OpSchema& to) {
  TARMAC_CHECK_OK(check_values(node.inputs(), to.inputs(), "input"));
  TARMAC_CHECK_OK(check_values(node.outputs(), to.outputs(), "output"));
  const auto& before = from.attributes();
  const auto& after = to.attributes();
  std::vector<std::string> superfluous;
  for (const auto& [name, value] : node.attributes) {
    const auto known = after.find(name);
    if (known != after.end() && known->second.type == type_of(value)) continue;
    const auto old = before.find(name);
    const auto normal = old == before.end() ? std::nullopt : default_of(old->second);
    if (!normal || !equal(value, *normal)) return refuse("attribute " + name + " does not exist there");
    superfluous.push_back(name);
  }
  for (const auto& [name, attribute] : after) {
    if (attribute.required && !node.attributes.contains(name))
      return refuse("attribute " + name + " is missing");
  }
  for (const std::string& name : superfluous) node.attributes.erase(name);
  for (const auto& [name, attribute] : before) {
    const auto kept = after.find(name);
    if (kept == after.end() || node.attributes.contains(name)) continue;
    auto normal = default_of(attribute);
    const auto other = default_of(kept->second);
    if (normal && (!other || !equal(*normal, *other))) node.attributes.emplace(name, *std::move(normal));
  }
  return {};
}

}  // namespace tarmac::opset
