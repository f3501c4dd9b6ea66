#include "graph/proto.h"

#include <onnx/checker.h>
#include <onnx/defs/schema.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace tarmac {

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

namespace {

using google::protobuf::Message;

/// Calls `visit` for every message of type T inside `message`, however deep; protobuf's own limit bounds the
/// recursion.
template <typename T>
void for_each_message(Message& message, const std::function<void(T&)>& visit) {
  if (auto* wanted = dynamic_cast<T*>(&message)) visit(*wanted);
  const auto* reflection = message.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      for_each_message(*reflection->MutableMessage(&message, field), visit);
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      for_each_message(*reflection->MutableRepeatedMessage(&message, field, i), visit);
    }
  }
}

bool has_bytes_elsewhere(const onnx::TensorProto& tensor) {
  return tensor.external_data_size() > 0 || tensor.data_location() == onnx::TensorProto::EXTERNAL;
}

/// Sparse tensors and training graphs are carried along unread, so nobody would check where their data lies.
Status refuse_unread_external_data(onnx::ModelProto& proto) {
  bool found = false;
  const auto look = [&](onnx::TensorProto& tensor) { found = found || has_bytes_elsewhere(tensor); };
  for_each_message<onnx::SparseTensorProto>(
      proto, [&](onnx::SparseTensorProto& sparse) { for_each_message<onnx::TensorProto>(sparse, look); });
  for (auto& training : *proto.mutable_training_info()) for_each_message<onnx::TensorProto>(training, look);
  if (!found) return {};
  return make_error(ErrorCode::kInvalidModel,
                    "external data of a sparse tensor or a training graph; save it inside");
}

/// onnx's checker prints about these to stdout and looks no further.
Status refuse_experimental(onnx::ModelProto& proto) {
  static constexpr std::array<const char*, 11> kOps = {"ATen",
                                                       "Affine",
                                                       "ConstantFill",
                                                       "Crop",
                                                       "DynamicSlice",
                                                       "GRUUnit",
                                                       "GivenTensorFill",
                                                       "ImageScaler",
                                                       "ParametricSoftplus",
                                                       "Scale",
                                                       "ScaledTanh"};
  Status status;
  for_each_message<onnx::NodeProto>(proto, [&](onnx::NodeProto& node) {
    const bool onnx_domain = node.domain().empty() || node.domain() == "ai.onnx";
    if (status && onnx_domain && std::find(kOps.begin(), kOps.end(), node.op_type()) != kOps.end()) {
      status = make_error(
          ErrorCode::kUnsupported,
          "the experimental operator " + node.op_type() + ", which ONNX removed; export the model again",
          node.name());
    }
  });
  return status;
}

Status refuse_newer(const onnx::ModelProto& proto) {
  const auto newer = [](const std::string& what, std::int64_t found, std::int64_t known) {
    return make_error(ErrorCode::kUnsupported, what + " " + std::to_string(found) +
                                                   " is newer than what the onnx library here knows (" +
                                                   std::to_string(known) +
                                                   "); export the model for an older one");
  };
  if (proto.ir_version() > onnx::IR_VERSION) return newer("IR version", proto.ir_version(), onnx::IR_VERSION);
  if (proto.ir_version() < 8 && proto.functions_size() > 0) {
    return make_error(ErrorCode::kInvalidModel, "local functions in a model of IR version " +
                                                    std::to_string(proto.ir_version()) +
                                                    "; they exist since 8");
  }
  const auto& ranges = onnx::OpSchemaRegistry::DomainToVersionRange::Instance().Map();
  const auto check = [&](const auto& imports) -> Status {
    std::map<std::string, std::int64_t> seen;
    for (const auto& import : imports) {
      const std::string domain = import.domain() == "ai.onnx" ? "" : import.domain();
      if (seen.try_emplace(domain, import.version()).first->second != import.version()) {
        return make_error(ErrorCode::kInvalidModel,
                          "two versions of the operator set '" + domain + "' are imported");
      }
      const auto range = ranges.find(domain);
      if (range != ranges.end() && import.version() > range->second.second) {
        return newer("version of the operator set '" + domain + "'", import.version(), range->second.second);
      }
    }
    return {};
  };
  TARMAC_CHECK_OK(check(proto.opset_import()));
  for (const auto& function : proto.functions()) TARMAC_CHECK_OK(check(function.opset_import()));
  return {};
}

}  // namespace

void for_each_tensor(onnx::ModelProto& proto, const std::function<void(onnx::TensorProto&)>& visit) {
  for_each_message<onnx::TensorProto>(proto, visit);
}

Status check_proto(onnx::ModelProto proto) {
  TARMAC_CHECK_OK(refuse_newer(proto));
  TARMAC_CHECK_OK(refuse_experimental(proto));
  TARMAC_CHECK_OK(refuse_unread_external_data(proto));
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
