// From the operators' rows to onnx's schemas.
#include <onnx/defs/schema.h>

#include <mutex>

#include "graph/proto.h"
#include "ops/registry.h"

namespace tarmac::ops {
namespace {

onnx::AttributeProto::AttributeType attribute_type(const AttributeValue& value) {
  if (std::holds_alternative<std::int64_t>(value)) return onnx::AttributeProto::INT;
  if (std::holds_alternative<float>(value)) return onnx::AttributeProto::FLOAT;
  if (std::holds_alternative<std::string>(value)) return onnx::AttributeProto::STRING;
  if (std::holds_alternative<std::vector<std::int64_t>>(value)) return onnx::AttributeProto::INTS;
  return onnx::AttributeProto::FLOATS;
}

/// onnx's names of types, "tensor(float)".
std::vector<std::string> type_names(const Operand& operand) {
  std::vector<std::string> names;
  for (const DType dtype : operand.dtypes) {
    onnx::TypeProto type;
    type.mutable_tensor_type()->set_elem_type(static_cast<int>(dtype));
    names.push_back(*onnx::Utils::DataTypeUtils::ToType(type));
  }
  return names;
}

Attributes given_attributes(const Operator& op, const onnx::InferenceContext& context) {
  Attributes given;
  for (const AttributeSpec& spec : op.attributes) {
    const onnx::AttributeProto* proto = context.getAttribute(spec.name);
    if (proto == nullptr) continue;
    switch (proto->type()) {
      case onnx::AttributeProto::INT:
        given.emplace(spec.name, std::int64_t{proto->i()});
        break;
      case onnx::AttributeProto::FLOAT:
        given.emplace(spec.name, proto->f());
        break;
      case onnx::AttributeProto::STRING:
        given.emplace(spec.name, proto->s());
        break;
      case onnx::AttributeProto::INTS:
        given.emplace(spec.name, std::vector<std::int64_t>(proto->ints().begin(), proto->ints().end()));
        break;
      case onnx::AttributeProto::FLOATS:
        given.emplace(spec.name, std::vector<float>(proto->floats().begin(), proto->floats().end()));
        break;
      default:
        break;
    }
  }
  return given;
}

void infer(const Operator& op, onnx::InferenceContext& context) {
  auto attributes = complete_attributes(op, given_attributes(op, context));
  if (!attributes) fail_type_inference(attributes.error().message);
  std::vector<Type> inputs(op.inputs.size());
  for (std::size_t i = 0; i < inputs.size() && i < context.getNumInputs(); ++i) {
    // onnx shows an optional input that is left out and one whose type it does not know in the same way.
    const onnx::TypeProto* proto = context.getInputType(i);
    if (proto == nullptr) {
      if (!op.inputs[i].optional) return;
      continue;
    }
    auto type = type_from_proto(*proto);
    if (!type) fail_type_inference(type.error().message);
    inputs[i] = std::move(*type);
  }
  auto outputs = infer_types(op, *attributes, inputs);
  if (!outputs) fail_shape_inference(outputs.error().message);
  for (std::size_t i = 0; i < outputs->size() && i < context.getNumOutputs(); ++i)
    type_to_proto((*outputs)[i], *context.getOutputType(i));
}

onnx::OpSchema schema_of(const Operator& op) {
  onnx::OpSchema schema(op.name, __FILE__, __LINE__);
  schema.SetDomain(kDomain).SinceVersion(static_cast<int>(op.version)).SetDoc(op.doc);
  const auto form = [](const Operand& operand) {
    return operand.optional ? onnx::OpSchema::Optional : onnx::OpSchema::Single;
  };
  for (std::size_t i = 0; i < op.inputs.size(); ++i) {
    const std::string constraint = "TI" + std::to_string(i);
    schema.Input(static_cast<int>(i), op.inputs[i].name, op.inputs[i].doc, constraint, form(op.inputs[i]));
    schema.TypeConstraint(constraint, type_names(op.inputs[i]), op.inputs[i].doc);
  }
  for (std::size_t i = 0; i < op.outputs.size(); ++i) {
    const std::string constraint = "TO" + std::to_string(i);
    schema.Output(static_cast<int>(i), op.outputs[i].name, op.outputs[i].doc, constraint,
                  form(op.outputs[i]));
    schema.TypeConstraint(constraint, type_names(op.outputs[i]), op.outputs[i].doc);
  }
  for (const AttributeSpec& spec : op.attributes)
    schema.Attr(spec.name, spec.doc, attribute_type(spec.value), spec.required);
  schema.TypeAndShapeInferenceFunction([&op](onnx::InferenceContext& context) { infer(op, context); });
  return schema;
}

}  // namespace

void register_schemas() {
  static std::once_flag once;
  std::call_once(once, [] {
    onnx::OpSchemaRegistry::DomainToVersionRange::Instance().AddDomainToVersion(
        kDomain, 1, static_cast<int>(kDomainVersion));
    for (const Operator* op : all_operators()) onnx::RegisterSchema(schema_of(*op));
  });
}

}  // namespace tarmac::ops
