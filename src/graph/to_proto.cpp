#include "graph/proto.h"
#include "tensor/proto.h"

namespace tarmac {
namespace {

template <typename Proto>
void put_metadata(const Metadata& metadata, Proto& proto) {
  for (const auto& [key, value] : metadata) {
    auto* entry = proto.add_metadata_props();
    entry->set_key(key);
    entry->set_value(value);
  }
}

/// Sets optional text only where there is some, so that a round trip adds no empty fields.
#define TARMAC_SET_TEXT(proto, field, text) \
  if (!(text).empty()) (proto).set_##field(text)

class Exporter {
 public:
  /// `bare`: without doc strings, metadata and the like, and with the data of markers called external.
  explicit Exporter(std::size_t threshold, bool bare = false) : threshold_(threshold), bare_(bare) {}

  void tensor(const Tensor& value, onnx::TensorProto& proto) {
    if (value.dtype() == DType::kString || value.bytes().size() < threshold_) {
      tensor_to_proto(value, proto);
      return;
    }
    proto.set_data_type(static_cast<int>(value.dtype()));
    for (const std::int64_t size : value.shape()) proto.add_dims(size);
    if (bare_) {
      proto.set_data_location(onnx::TensorProto::EXTERNAL);
      return;
    }
    set_marker(proto, payloads.size());
    payloads.push_back(value);
  }

  void attribute(const std::string& name, const Attribute& value, onnx::AttributeProto& proto) {
    if (const auto* opaque = std::get_if<OpaqueAttribute>(&value)) {
      proto.ParseFromString(opaque->proto);
      return;
    }
    proto.set_name(name);
    std::visit([&](const auto& held) { put(held, proto); }, value);
  }

  void info(const Value& value, onnx::ValueInfoProto& proto) {
    proto.set_name(value.name());
    if (value.type.kind != Type::Kind::kNone) type_to_proto(value.type, *proto.mutable_type());
    if (bare_) return;
    TARMAC_SET_TEXT(proto, doc_string, value.doc_string);
    put_metadata(value.metadata, proto);
  }

  void node(const Node& source, onnx::NodeProto& proto) {
    if (!bare_ && !source.extra.empty()) proto.ParseFromString(source.extra);
    proto.set_op_type(source.op_type);
    TARMAC_SET_TEXT(proto, domain, source.domain);
    TARMAC_SET_TEXT(proto, name, source.name);
    TARMAC_SET_TEXT(proto, overload, source.overload);
    for (const Value* input : source.inputs()) proto.add_input(input != nullptr ? input->name() : "");
    for (const Value* output : source.outputs()) proto.add_output(output != nullptr ? output->name() : "");
    for (const auto& [name, value] : source.attributes) attribute(name, value, *proto.add_attribute());
    if (bare_) return;
    TARMAC_SET_TEXT(proto, doc_string, source.doc_string);
    put_metadata(source.metadata, proto);
  }

  void graph(const Graph& source, onnx::GraphProto& proto) {
    if (!source.extra.empty()) proto.ParseFromString(source.extra);
    proto.set_name(source.name.empty() ? "graph" : source.name);
    TARMAC_SET_TEXT(proto, doc_string, source.doc_string);
    put_metadata(source.metadata, proto);
    for (const Value* input : source.inputs()) info(*input, *proto.add_input());
    for (const Value* output : source.outputs()) info(*output, *proto.add_output());
    for (const Value* value : source.initializers()) {
      auto* initializer = proto.add_initializer();
      tensor(*value->initializer(), *initializer);
      initializer->set_name(value->name());
    }
    for (const auto& item : source.nodes()) {
      node(*item, *proto.add_node());
      for (const Value* output : item->outputs()) {
        if (output != nullptr && !output->is_output() && worth_noting(*output))
          info(*output, *proto.add_value_info());
      }
    }
  }

  void function(const Function& source, onnx::FunctionProto& proto) {
    if (!source.extra.empty()) proto.ParseFromString(source.extra);
    proto.set_name(source.name);
    proto.set_domain(source.domain);
    TARMAC_SET_TEXT(proto, overload, source.overload);
    TARMAC_SET_TEXT(proto, doc_string, source.doc_string);
    put_metadata(source.metadata, proto);
    for (const auto& name : source.attributes) proto.add_attribute(name);
    for (const auto& [name, value] : source.defaults) attribute(name, value, *proto.add_attribute_proto());
    for (const auto& [domain, version] : source.opsets) {
      auto* opset = proto.add_opset_import();
      opset->set_domain(domain);
      opset->set_version(version);
    }
    for (const Value* input : source.body->inputs()) {
      proto.add_input(input->name());
      if (worth_noting(*input)) info(*input, *proto.add_value_info());
    }
    for (const Value* output : source.body->outputs()) proto.add_output(output->name());
    for (const auto& item : source.body->nodes()) {
      node(*item, *proto.add_node());
      for (const Value* output : item->outputs()) {
        if (output != nullptr && worth_noting(*output)) info(*output, *proto.add_value_info());
      }
    }
  }

  std::vector<Tensor> payloads;

 private:
  [[nodiscard]] bool worth_noting(const Value& value) const {
    return value.type.kind != Type::Kind::kNone ||
           (!bare_ && (!value.metadata.empty() || !value.doc_string.empty()));
  }

  void put(std::int64_t value, onnx::AttributeProto& proto) {
    proto.set_type(onnx::AttributeProto::INT);
    proto.set_i(value);
  }
  void put(float value, onnx::AttributeProto& proto) {
    proto.set_type(onnx::AttributeProto::FLOAT);
    proto.set_f(value);
  }
  void put(const std::string& value, onnx::AttributeProto& proto) {
    proto.set_type(onnx::AttributeProto::STRING);
    proto.set_s(value);
  }
  void put(const Tensor& value, onnx::AttributeProto& proto) {
    proto.set_type(onnx::AttributeProto::TENSOR);
    tensor(value, *proto.mutable_t());
  }
  void put(const GraphPtr& value, onnx::AttributeProto& proto) {
    proto.set_type(onnx::AttributeProto::GRAPH);
    graph(*value, *proto.mutable_g());
  }
  void put(const Type& value, onnx::AttributeProto& proto) {
    proto.set_type(onnx::AttributeProto::TYPE_PROTO);
    type_to_proto(value, *proto.mutable_tp());
  }
  void put(const std::vector<std::int64_t>& values, onnx::AttributeProto& proto) {
    proto.set_type(onnx::AttributeProto::INTS);
    for (const auto value : values) proto.add_ints(value);
  }
  void put(const std::vector<float>& values, onnx::AttributeProto& proto) {
    proto.set_type(onnx::AttributeProto::FLOATS);
    for (const auto value : values) proto.add_floats(value);
  }
  void put(const std::vector<std::string>& values, onnx::AttributeProto& proto) {
    proto.set_type(onnx::AttributeProto::STRINGS);
    for (const auto& value : values) proto.add_strings(value);
  }
  void put(const std::vector<Tensor>& values, onnx::AttributeProto& proto) {
    proto.set_type(onnx::AttributeProto::TENSORS);
    for (const auto& value : values) tensor(value, *proto.add_tensors());
  }
  void put(const std::vector<GraphPtr>& values, onnx::AttributeProto& proto) {
    proto.set_type(onnx::AttributeProto::GRAPHS);
    for (const auto& value : values) graph(*value, *proto.add_graphs());
  }
  void put(const std::vector<Type>& values, onnx::AttributeProto& proto) {
    proto.set_type(onnx::AttributeProto::TYPE_PROTOS);
    for (const auto& value : values) type_to_proto(value, *proto.add_type_protos());
  }
  void put(const AttributeReference& value, onnx::AttributeProto& proto) {
    proto.set_type(static_cast<onnx::AttributeProto::AttributeType>(value.type));
    proto.set_ref_attr_name(value.name);
  }
  void put(const OpaqueAttribute& /*value*/, onnx::AttributeProto& /*proto*/) {}

  std::size_t threshold_;
  bool bare_;
};

void put_opsets(const Model& model, onnx::ModelProto& proto) {
  proto.set_ir_version(model.ir_version);
  for (const auto& [domain, version] : model.opsets) {
    auto* opset = proto.add_opset_import();
    opset->set_domain(domain);
    opset->set_version(version);
  }
}

}  // namespace

Skeleton to_skeleton(const Model& model, std::size_t threshold_bytes) {
  Skeleton skeleton;
  onnx::ModelProto& proto = skeleton.proto;
  if (!model.extra.empty()) proto.ParseFromString(model.extra);
  put_opsets(model, proto);
  TARMAC_SET_TEXT(proto, producer_name, model.producer_name);
  TARMAC_SET_TEXT(proto, producer_version, model.producer_version);
  TARMAC_SET_TEXT(proto, domain, model.domain);
  if (model.model_version != 0) proto.set_model_version(model.model_version);
  TARMAC_SET_TEXT(proto, doc_string, model.doc_string);
  put_metadata(model.metadata, proto);
  Exporter exporter(threshold_bytes);
  exporter.graph(*model.graph, *proto.mutable_graph());
  for (const Function& function : model.functions) exporter.function(function, *proto.add_functions());
  skeleton.payloads = std::move(exporter.payloads);
  return skeleton;
}

void to_bare_proto(const Model& model, std::size_t threshold_bytes, onnx::ModelProto& proto) {
  put_opsets(model, proto);
  Exporter exporter(threshold_bytes, true);
  exporter.graph(*model.graph, *proto.mutable_graph());
  for (const Function& function : model.functions) exporter.function(function, *proto.add_functions());
}

#undef TARMAC_SET_TEXT

}  // namespace tarmac
