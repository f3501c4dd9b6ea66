#include "ops/operator.h"

#include <algorithm>

namespace tarmac::ops {
namespace {

const char* kind_of(const AttributeValue& value) {
  constexpr const char* kKinds[] = {"an integer", "a float", "a string", "a list of integers",
                                    "a list of floats"};
  return kKinds[value.index()];
}

std::string names_of(const std::vector<DType>& dtypes) {
  std::string text;
  for (const DType dtype : dtypes) text += (text.empty() ? "" : ", ") + std::string(to_string(dtype));
  return text;
}

}  // namespace

Result<Attributes> complete_attributes(const Operator& op, const Attributes& given) {
  Attributes complete;
  for (const AttributeSpec& spec : op.attributes) {
    const auto found = given.find(spec.name);
    if (found == given.end() && spec.required) {
      return make_error(ErrorCode::kInvalidModel,
                        std::string(op.name) + " needs the attribute '" + spec.name + "': " + spec.doc);
    }
    if (found != given.end() && found->second.index() != spec.value.index()) {
      return make_error(ErrorCode::kInvalidModel, std::string(op.name) + ": the attribute '" + spec.name +
                                                      "' is " + kind_of(found->second) + ", expected " +
                                                      kind_of(spec.value));
    }
    complete.emplace(spec.name, found == given.end() ? spec.value : found->second);
  }
  for (const auto& [name, value] : given) {
    if (complete.contains(name)) continue;
    return make_error(ErrorCode::kInvalidModel, std::string(op.name) + " has no attribute '" + name + "'");
  }
  return complete;
}

Result<Attributes> attributes_of(const Operator& op, const Node& node) {
  Attributes given;
  for (const auto& [name, attribute] : node.attributes) {
    const bool fits = std::visit(
        [&, key = name](const auto& held) {
          using Held = std::decay_t<decltype(held)>;
          if constexpr (std::is_constructible_v<AttributeValue, std::in_place_type_t<Held>, const Held&>) {
            given.emplace(key, held);
            return true;
          } else {
            return false;
          }
        },
        attribute);
    if (!fits) {
      return make_error(ErrorCode::kInvalidModel,
                        std::string(op.name) + ": the attribute '" + name + "' is neither number nor text",
                        node.label());
    }
  }
  auto complete = complete_attributes(op, given);
  if (!complete) return make_error(complete.error().code, complete.error().message, node.label());
  return complete;
}

Result<std::vector<Type>> infer_types(const Operator& op, const Attributes& attributes,
                                      std::span<const Type> inputs) {
  if (inputs.size() > op.inputs.size()) {
    return make_error(ErrorCode::kInvalidInput, std::string(op.name) + " has " +
                                                    std::to_string(op.inputs.size()) +
                                                    " inputs, it was given " + std::to_string(inputs.size()));
  }
  std::vector<Type> all(inputs.begin(), inputs.end());
  all.resize(op.inputs.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Operand& operand = op.inputs[i];
    const std::string which = std::string(op.name) + ": the input '" + operand.name + "' ";
    if (all[i].kind == Type::Kind::kNone) {
      if (operand.optional) continue;
      return make_error(ErrorCode::kInvalidInput, which + "is missing");
    }
    if (!all[i].is_tensor())
      return make_error(ErrorCode::kInvalidInput, which + "is " + to_string(all[i]) + ", not a tensor");
    const DType dtype = all[i].dtype;
    if (dtype == DType::kUndefined) continue;
    if (std::find(operand.dtypes.begin(), operand.dtypes.end(), dtype) == operand.dtypes.end()) {
      return make_error(ErrorCode::kInvalidInput,
                        which + "is " + to_string(dtype) + ", expected one of " + names_of(operand.dtypes));
    }
  }
  return op.infer(attributes, all);
}

}  // namespace tarmac::ops
