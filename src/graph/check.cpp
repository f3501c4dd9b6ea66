#include <onnx/checker.h>
#include <onnx/defs/schema.h>

#include <algorithm>
#include <array>
#include <map>
#include <new>

#include "base/edge.h"
#include "graph/proto.h"

namespace tarmac {
namespace {

/// Well-formed UTF-8 (Unicode 15, table 3-7): no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto follows = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return byte(i) >= low && byte(i) <= high;
  };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned lead = byte(i);
    if (lead < 0x80) {
      i += 1;
    } else if (lead >= 0xC2 && lead <= 0xDF && follows(i + 1)) {
      i += 2;
    } else if (lead >= 0xE0 && lead <= 0xEF &&
               follows(i + 1, lead == 0xE0 ? 0xA0 : 0x80, lead == 0xED ? 0x9F : 0xBF) && follows(i + 2)) {
      i += 3;
    } else if (lead >= 0xF0 && lead <= 0xF4 &&
               follows(i + 1, lead == 0xF0 ? 0x90 : 0x80, lead == 0xF4 ? 0x8F : 0xBF) && follows(i + 2) &&
               follows(i + 3)) {
      i += 4;
    } else {
      return false;
    }
  }
  return true;
}

/// Names go into reports, JSON and file names; protobuf only complains on stderr.
Status refuse_broken_text(onnx::ModelProto& proto) {
  using google::protobuf::FieldDescriptor;
  Status status;
  for_each_message<google::protobuf::Message>(proto, [&](google::protobuf::Message& message) {
    const auto* reflection = message.GetReflection();
    std::vector<const FieldDescriptor*> fields;
    reflection->ListFields(message, &fields);
    for (const FieldDescriptor* field : fields) {
      if (field->type() != FieldDescriptor::TYPE_STRING) continue;
      const int count = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
      for (int i = 0; i < count; ++i) {
        std::string scratch;
        const std::string& text = field->is_repeated()
                                      ? reflection->GetRepeatedStringReference(message, field, i, &scratch)
                                      : reflection->GetStringReference(message, field, &scratch);
        if (!is_utf8(text)) {
          status = make_error(ErrorCode::kInvalidModel,
                              "the text in " + field->full_name() + " is not UTF-8; the file may be damaged");
        }
      }
    }
  });
  return status;
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

Status check_proto(onnx::ModelProto proto) {
  TARMAC_CHECK_OK(refuse_broken_text(proto));
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
  // The checker wants a rank; exporters leave it out where they do not know it, and every engine reads that.
  for (auto* list : {proto.mutable_graph()->mutable_input(), proto.mutable_graph()->mutable_output()}) {
    for (auto& info : *list) {
      if (info.type().has_tensor_type()) info.mutable_type()->mutable_tensor_type()->mutable_shape();
    }
  }
  try {
    onnx::checker::check_model(proto);
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  } catch (const std::exception& failure) {
    return make_error(ErrorCode::kInvalidModel, std::string("not a valid ONNX model: ") + failure.what());
  }
  return {};
}

}  // namespace tarmac
