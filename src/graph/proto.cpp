#include "graph/proto.h"

#include <onnx/checker.h>

#include <charconv>

namespace tarmac {

Result<Type> type_from_proto(const onnx::TypeProto& proto) {
  Type type;
  type.denotation = proto.denotation();
  const auto nested = [&](Type::Kind kind, const onnx::TypeProto& element) -> Status {
    type.kind = kind;
    TARMAC_TRY(Type inner, type_from_proto(element));
    type.element = std::make_shared<const Type>(std::move(inner));
    return {};
  };
  const auto tensor = [&](Type::Kind kind, const auto& tensor_type) {
    type.kind = kind;
    type.dtype = static_cast<DType>(tensor_type.elem_type());
    if (!tensor_type.has_shape()) return;
    type.shape.emplace();
    for (const auto& dim : tensor_type.shape().dim()) {
      Dim& target = type.shape->emplace_back();
      // Some exporters write unknown sizes as -1 or 0-less numbers; a negative size is no size.
      if (dim.has_dim_value() && dim.dim_value() >= 0) target.size = dim.dim_value();
      target.symbol = dim.dim_param();
      target.denotation = dim.denotation();
    }
  };
  switch (proto.value_case()) {
    case onnx::TypeProto::kTensorType: tensor(Type::Kind::kTensor, proto.tensor_type()); break;
    case onnx::TypeProto::kSparseTensorType: tensor(Type::Kind::kSparseTensor, proto.sparse_tensor_type()); break;
    case onnx::TypeProto::kSequenceType:
      TARMAC_CHECK_OK(nested(Type::Kind::kSequence, proto.sequence_type().elem_type()));
      break;
    case onnx::TypeProto::kOptionalType:
      TARMAC_CHECK_OK(nested(Type::Kind::kOptional, proto.optional_type().elem_type()));
      break;
    case onnx::TypeProto::kMapType:
      TARMAC_CHECK_OK(nested(Type::Kind::kMap, proto.map_type().value_type()));
      type.dtype = static_cast<DType>(proto.map_type().key_type());
      break;
    case onnx::TypeProto::VALUE_NOT_SET: break;
    default: return make_error(ErrorCode::kUnsupported, "a value of an opaque type, which no target here can run");
  }
  return type;
}

void type_to_proto(const Type& type, onnx::TypeProto& proto) {
  if (!type.denotation.empty()) proto.set_denotation(type.denotation);
  const auto tensor = [&](auto& tensor_type) {
    tensor_type.set_elem_type(static_cast<int>(type.dtype));
    if (!type.shape) return;
    auto* shape = tensor_type.mutable_shape();
    for (const Dim& dim : *type.shape) {
      auto* target = shape->add_dim();
      if (dim.known()) target->set_dim_value(*dim.size);
      if (!dim.symbol.empty() && !dim.known()) target->set_dim_param(dim.symbol);
      if (!dim.denotation.empty()) target->set_denotation(dim.denotation);
    }
  };
  switch (type.kind) {
    case Type::Kind::kTensor: tensor(*proto.mutable_tensor_type()); break;
    case Type::Kind::kSparseTensor: tensor(*proto.mutable_sparse_tensor_type()); break;
    case Type::Kind::kSequence: type_to_proto(*type.element, *proto.mutable_sequence_type()->mutable_elem_type()); break;
    case Type::Kind::kOptional: type_to_proto(*type.element, *proto.mutable_optional_type()->mutable_elem_type()); break;
    case Type::Kind::kMap:
      proto.mutable_map_type()->set_key_type(static_cast<int>(type.dtype));
      type_to_proto(*type.element, *proto.mutable_map_type()->mutable_value_type());
      break;
    case Type::Kind::kNone:
    case Type::Kind::kOther: break;
  }
}

std::int64_t marker_index(const onnx::TensorProto& tensor) {
  for (const auto& entry : tensor.external_data()) {
    if (entry.key() != payload_key()) continue;
    std::int64_t index = -1;
    const std::string& digits = entry.value();
    std::from_chars(digits.data(), digits.data() + digits.size(), index);
    return index;
  }
  return -1;
}

void set_marker(onnx::TensorProto& tensor, std::size_t index) {
  auto* entry = tensor.add_external_data();
  entry->set_key(payload_key());
  entry->set_value(std::to_string(index));
}

namespace {

using Visit = std::function<void(onnx::TensorProto&)>;

void visit_graph(onnx::GraphProto& graph, const Visit& visit);

void visit_attribute(onnx::AttributeProto& attribute, const Visit& visit) {
  if (attribute.has_t()) visit(*attribute.mutable_t());
  for (auto& tensor : *attribute.mutable_tensors()) visit(tensor);
  if (attribute.has_g()) visit_graph(*attribute.mutable_g(), visit);
  for (auto& graph : *attribute.mutable_graphs()) visit_graph(graph, visit);
}

void visit_nodes(google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes, const Visit& visit) {
  for (auto& node : nodes) {
    for (auto& attribute : *node.mutable_attribute()) visit_attribute(attribute, visit);
  }
}

void visit_graph(onnx::GraphProto& graph, const Visit& visit) {
  for (auto& tensor : *graph.mutable_initializer()) visit(tensor);
  visit_nodes(*graph.mutable_node(), visit);
}

}  // namespace

void for_each_tensor(onnx::ModelProto& proto, const Visit& visit) {
  visit_graph(*proto.mutable_graph(), visit);
  for (auto& function : *proto.mutable_functions()) {
    visit_nodes(*function.mutable_node(), visit);
    for (auto& attribute : *function.mutable_attribute_proto()) visit_attribute(attribute, visit);
  }
}

Status check_proto(onnx::ModelProto proto) {
  for_each_tensor(proto, [](onnx::TensorProto& tensor) {
    if (marker_index(tensor) < 0 && tensor.data_location() != onnx::TensorProto::EXTERNAL) return;
    tensor.clear_external_data();
    tensor.clear_data_location();
    tensor.clear_dims();
    tensor.add_dims(0);
  });
  try {
    onnx::checker::check_model(proto);
  } catch (const std::exception& failure) {
    return make_error(ErrorCode::kInvalidModel, std::string("not a valid ONNX model: ") + failure.what());
  }
  return {};
}

}  // namespace tarmac
