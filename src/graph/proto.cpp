#include "graph/proto.h"

#include <charconv>

namespace tarmac {

Result<Tensor> TensorPayloads::payload(const onnx::TensorProto& /*marked*/, std::size_t index) {
  return tensors_.at(index);
}

Result<Tensor> TensorPayloads::external(const onnx::TensorProto& /*tensor*/) {
  return make_error(ErrorCode::kInvalidModel, "external data in a model that is not a file");
}

Result<DType> dtype_from_proto(int data_type) {
  if (data_type > 0 && data_type <= static_cast<int>(DType::kInt2)) return static_cast<DType>(data_type);
  if (onnx::TensorProto::DataType_IsValid(data_type) && data_type != 0) {
    return make_error(ErrorCode::kUnsupported, "the data type " +
                                                   onnx::TensorProto::DataType_Name(
                                                       static_cast<onnx::TensorProto::DataType>(data_type)) +
                                                   ", which no target here can run");
  }
  return make_error(ErrorCode::kInvalidModel,
                    "data type " + std::to_string(data_type) + " is not one that ONNX defines");
}

Result<Type> type_from_proto(const onnx::TypeProto& proto) {
  Type type;
  type.denotation = proto.denotation();
  const auto nested = [&](Type::Kind kind, const onnx::TypeProto& element) -> Status {
    type.kind = kind;
    TARMAC_TRY(Type inner, type_from_proto(element));
    type.element = std::make_shared<const Type>(std::move(inner));
    return {};
  };
  const auto tensor = [&](Type::Kind kind, const auto& tensor_type) -> Status {
    type.kind = kind;
    // An element type of 0 is how outputs of nested graphs say that they do not know.
    if (tensor_type.elem_type() != 0) {
      TARMAC_TRY(type.dtype, dtype_from_proto(tensor_type.elem_type()));
    }
    if (!tensor_type.has_shape()) return {};
    type.shape.emplace();
    for (const auto& dim : tensor_type.shape().dim()) {
      Dim& target = type.shape->emplace_back();
      // Some exporters write unknown sizes as -1.
      if (dim.has_dim_value() && dim.dim_value() >= 0) target.size = dim.dim_value();
      target.symbol = dim.dim_param();
      target.denotation = dim.denotation();
    }
    return {};
  };
  switch (proto.value_case()) {
    case onnx::TypeProto::kTensorType:
      TARMAC_CHECK_OK(tensor(Type::Kind::kTensor, proto.tensor_type()));
      break;
    case onnx::TypeProto::kSparseTensorType:
      TARMAC_CHECK_OK(tensor(Type::Kind::kSparseTensor, proto.sparse_tensor_type()));
      break;
    case onnx::TypeProto::kSequenceType:
      TARMAC_CHECK_OK(nested(Type::Kind::kSequence, proto.sequence_type().elem_type()));
      break;
    case onnx::TypeProto::kOptionalType:
      TARMAC_CHECK_OK(nested(Type::Kind::kOptional, proto.optional_type().elem_type()));
      break;
    case onnx::TypeProto::kMapType: {
      TARMAC_CHECK_OK(nested(Type::Kind::kMap, proto.map_type().value_type()));
      TARMAC_TRY(type.dtype, dtype_from_proto(proto.map_type().key_type()));
      break;
    }
    case onnx::TypeProto::VALUE_NOT_SET:
      break;
    default:
      return make_error(ErrorCode::kUnsupported, "a value of an opaque type, which no target here can run");
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
    case Type::Kind::kTensor:
      tensor(*proto.mutable_tensor_type());
      break;
    case Type::Kind::kSparseTensor:
      tensor(*proto.mutable_sparse_tensor_type());
      break;
    case Type::Kind::kSequence:
      type_to_proto(*type.element, *proto.mutable_sequence_type()->mutable_elem_type());
      break;
    case Type::Kind::kOptional:
      type_to_proto(*type.element, *proto.mutable_optional_type()->mutable_elem_type());
      break;
    case Type::Kind::kMap:
      proto.mutable_map_type()->set_key_type(static_cast<int>(type.dtype));
      type_to_proto(*type.element, *proto.mutable_map_type()->mutable_value_type());
      break;
    case Type::Kind::kNone:
    case Type::Kind::kOther:
      break;
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

void for_each_tensor(onnx::ModelProto& proto, const std::function<void(onnx::TensorProto&)>& visit) {
  for_each_message<onnx::TensorProto>(proto, visit);
}

}  // namespace tarmac
