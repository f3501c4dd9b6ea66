#include "precision/float_slots.h"

#include <onnx/defs/schema.h>

#include <algorithm>

namespace tarmac {
namespace {

const onnx::OpSchema* schema_of(const Model& model, const Node& node) {
  const auto version = model.opsets.find(node.domain);
  if (version == model.opsets.end()) return nullptr;
  return onnx::OpSchemaRegistry::Schema(node.op_type, static_cast<int>(version->second), node.domain);
}

std::string onnx_name(DType type) { return type == DType::kFloat16 ? "tensor(float16)" : "tensor(bfloat16)"; }

bool admits(const onnx::OpSchema::FormalParameter& parameter, DType type) {
  const std::string wanted = onnx_name(type);
  const auto& types = parameter.GetTypes();
  return std::any_of(types.begin(), types.end(), [&](const auto* known) { return *known == wanted; });
}

bool slot_admits(const std::vector<onnx::OpSchema::FormalParameter>& parameters, std::size_t i, DType type) {
  if (parameters.empty()) return false;
  if (i >= parameters.size()) {
    const bool variadic = parameters.back().GetOption() == onnx::OpSchema::Variadic;
    return variadic && admits(parameters.back(), type);
  }
  return admits(parameters[i], type);
}

bool has_slot(const onnx::OpSchema& schema, DType type) {
  const auto any = [&](const auto& parameters) {
    return std::any_of(parameters.begin(), parameters.end(),
                       [&](const auto& parameter) { return admits(parameter, type); });
  };
  return any(schema.inputs()) || any(schema.outputs());
}

}  // namespace

bool is_float32(const Value* value) {
  return value != nullptr && value->type.is_tensor() && value->type.dtype == DType::kFloat32;
}

bool FloatSlots::input_may_be(const Node& node, std::size_t i) const {
  if (node.is("BitCast")) return false;  // both sides have one width
  // The region of interest is positions; it has a type of its own.
  if (node.is("Resize") && i == 1) return false;
  const onnx::OpSchema* schema = schema_of(model_, node);
  return schema != nullptr && slot_admits(schema->inputs(), i, type_);
}

bool FloatSlots::output_may_be(const Node& node, std::size_t i) const {
  if (node.is("BitCast")) return false;
  // Mean and deviation have the type in which the stage computes them (stash_type), float32 here.
  if (node.is("LayerNormalization") && i > 0) return false;
  const onnx::OpSchema* schema = schema_of(model_, node);
  return schema != nullptr && slot_admits(schema->outputs(), i, type_);
}

std::string FloatSlots::obstacle(const Node& node) const {
  const onnx::OpSchema* schema = schema_of(model_, node);
  if (schema == nullptr) return "onnx has no schema for this operator, so its types are not known";
  const std::string found =
      node.op_type + "-" + std::to_string(schema->SinceVersion()) + " takes no " + to_string(type_);
  const auto& versions = onnx::OpSchemaRegistry::DomainToVersionRange::Instance().Map();
  const auto range = versions.find(node.domain);
  if (range == versions.end()) return found;
  for (int version = schema->SinceVersion() + 1; version <= range->second.second; ++version) {
    const onnx::OpSchema* newer = onnx::OpSchemaRegistry::Schema(node.op_type, version, node.domain);
    if (newer != nullptr && newer->SinceVersion() == version && has_slot(*newer, type_))
      return found + "; version " + std::to_string(version) + " does: raise the model's opset to it";
  }
  return found;
}

}  // namespace tarmac
