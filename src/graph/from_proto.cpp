#include "graph/limits.h"
#include "graph/proto.h"
#include "tensor/proto.h"

namespace tarmac {
namespace {

/// What is left of a message once the fields that the graph holds are cleared.
template <typename Proto>
std::string leftover(const Proto& proto) {
  return proto.ByteSizeLong() > 0 ? proto.SerializeAsString() : std::string();
}

template <typename Proto>
Metadata take_metadata(Proto& proto) {
  Metadata metadata;
  for (auto& entry : *proto.mutable_metadata_props()) {
    metadata.emplace_back(std::move(*entry.mutable_key()), std::move(*entry.mutable_value()));
  }
  proto.clear_metadata_props();
  return metadata;
}

std::string normalized_domain(const std::string& domain) {
  return domain == "ai.onnx" ? std::string() : domain;
}

template <typename T, typename Field>
std::vector<T> to_vector(const Field& field) {
  return {field.begin(), field.end()};
}

class Importer {
 public:
  explicit Importer(PayloadSource& source) : source_(source) {}

  Result<Tensor> tensor(const onnx::TensorProto& proto) {
    if (const std::int64_t index = marker_index(proto); index >= 0) {
      return source_.payload(proto, static_cast<std::size_t>(index));
    }
    if (proto.data_location() == onnx::TensorProto::EXTERNAL) return source_.external(proto);
    return tensor_from_proto(proto);
  }

  Result<Attribute> attribute(onnx::AttributeProto& proto, Node& node) {
    if (!proto.ref_attr_name().empty() && !in_function_) {
      return make_error(ErrorCode::kInvalidModel,
                        "attribute '" + proto.name() + "' refers to a caller's attribute, outside a function",
                        node.label());
    }
    if (!proto.ref_attr_name().empty())
      return Attribute(AttributeReference{proto.ref_attr_name(), proto.type()});
    switch (proto.type()) {
      case onnx::AttributeProto::INT:
        return Attribute(std::int64_t{proto.i()});
      case onnx::AttributeProto::FLOAT:
        return Attribute(proto.f());
      case onnx::AttributeProto::STRING:
        return Attribute(std::move(*proto.mutable_s()));
      case onnx::AttributeProto::INTS:
        return Attribute(to_vector<std::int64_t>(proto.ints()));
      case onnx::AttributeProto::FLOATS:
        return Attribute(to_vector<float>(proto.floats()));
      case onnx::AttributeProto::STRINGS:
        return Attribute(to_vector<std::string>(proto.strings()));
      case onnx::AttributeProto::TENSOR: {
        TARMAC_TRY(Tensor value, tensor(proto.t()));
        return Attribute(std::move(value));
      }
      case onnx::AttributeProto::TENSORS: {
        std::vector<Tensor> values;
        for (const auto& item : proto.tensors()) {
          TARMAC_TRY(values.emplace_back(), tensor(item));
        }
        return Attribute(std::move(values));
      }
      case onnx::AttributeProto::TYPE_PROTO: {
        TARMAC_TRY(Type type, type_from_proto(proto.tp()));
        return Attribute(std::move(type));
      }
      case onnx::AttributeProto::TYPE_PROTOS: {
        std::vector<Type> types;
        for (const auto& item : proto.type_protos()) {
          TARMAC_TRY(types.emplace_back(), type_from_proto(item));
        }
        return Attribute(std::move(types));
      }
      case onnx::AttributeProto::GRAPH: {
        TARMAC_TRY(GraphPtr graph, nested(*proto.mutable_g(), node));
        return Attribute(std::move(graph));
      }
      case onnx::AttributeProto::GRAPHS: {
        std::vector<GraphPtr> graphs;
        for (auto& item : *proto.mutable_graphs()) {
          TARMAC_TRY(graphs.emplace_back(), nested(item, node));
        }
        return Attribute(std::move(graphs));
      }
      case onnx::AttributeProto::SPARSE_TENSOR:
      case onnx::AttributeProto::SPARSE_TENSORS:
        return Attribute(OpaqueAttribute{proto.SerializeAsString()});
      default:
        break;
    }
    return make_error(ErrorCode::kInvalidModel, "attribute '" + proto.name() + "' has no type", node.label());
  }

  Result<GraphPtr> nested(onnx::GraphProto& proto, Node& parent) {
    auto graph = std::make_unique<Graph>(&parent, parent.graph().names());
    TARMAC_CHECK_OK(fill(proto, *graph));
    return graph;
  }

  Status fill(onnx::GraphProto& proto, Graph& graph) {
    graph.name = std::move(*proto.mutable_name());
    graph.doc_string = std::move(*proto.mutable_doc_string());
    graph.metadata = take_metadata(proto);
    for (auto& input : *proto.mutable_input()) {
      TARMAC_CHECK_OK(claim(graph, input.name()));
      Value& value = graph.add_input(input.name(), {});
      TARMAC_CHECK_OK(describe(input, value));
    }
    for (const auto& initializer : proto.initializer()) {
      TARMAC_CHECK_OK(add_initializer(initializer, graph));
    }
    for (const auto& sparse : proto.sparse_initializer()) {
      const std::string& name = sparse.values().name();
      const Value* present = graph.find(name);
      // As with dense ones, it may be the default of an input.
      if (present == nullptr || !present->is_input() || present->initializer() ||
          present->is_sparse_initializer()) {
        TARMAC_CHECK_OK(claim(graph, name));
      }
      graph.add_sparse_initializer(name);
    }
    TARMAC_CHECK_OK(fill_nodes(*proto.mutable_node(), graph));
    for (auto& info : *proto.mutable_value_info()) {
      if (Value* value = graph.find(info.name())) TARMAC_CHECK_OK(describe(info, *value));
    }
    for (auto& output : *proto.mutable_output()) {
      TARMAC_TRY(Value * value, graph_output(output.name(), graph));
      // Main outputs are asked for by name; those of nested graphs go by position and may repeat.
      if (graph.parent() == nullptr && value->is_output()) {
        return make_error(ErrorCode::kInvalidModel,
                          "the graph output '" + output.name() + "' is listed twice", output.name());
      }
      TARMAC_CHECK_OK(describe(output, *value));
      graph.add_output(*value);
    }
    proto.clear_name();
    proto.clear_doc_string();
    proto.clear_input();
    proto.clear_output();
    proto.clear_initializer();
    proto.clear_value_info();
    proto.clear_node();
    graph.extra = leftover(proto);
    return {};
  }

  Status fill_nodes(google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes, Graph& graph) {
    for (auto& proto : nodes) TARMAC_CHECK_OK(add_node(proto, graph));
    return {};
  }

  Result<Function> function(onnx::FunctionProto& proto) {
    in_function_ = true;
    Function function;
    function.domain = normalized_domain(proto.domain());
    function.name = proto.name();
    function.overload = proto.overload();
    function.doc_string = proto.doc_string();
    function.metadata = take_metadata(proto);
    function.attributes = to_vector<std::string>(proto.attribute());
    for (const auto& opset : proto.opset_import())
      function.opsets[normalized_domain(opset.domain())] = opset.version();
    function.body = std::make_unique<Graph>();
    Graph& body = *function.body;
    body.name = function.name;
    for (const auto& input : proto.input()) {
      TARMAC_CHECK_OK(claim(body, input));
      body.add_input(input, {});
    }
    TARMAC_CHECK_OK(fill_nodes(*proto.mutable_node(), body));
    // A default has no node that a nested graph could hang on.
    for (auto& attribute_proto : *proto.mutable_attribute_proto()) {
      if (attribute_proto.type() == onnx::AttributeProto::GRAPH ||
          attribute_proto.type() == onnx::AttributeProto::GRAPHS) {
        return make_error(ErrorCode::kUnsupported,
                          "function '" + function.name + "' has a graph as an attribute default");
      }
      Node unused;
      TARMAC_TRY(Attribute value, attribute(attribute_proto, unused));
      function.defaults.emplace(attribute_proto.name(), std::move(value));
    }
    for (auto& info : *proto.mutable_value_info()) {
      if (Value* value = body.find(info.name())) TARMAC_CHECK_OK(describe(info, *value));
    }
    for (const auto& output : proto.output()) {
      TARMAC_TRY(Value * value, graph_output(output, body));
      body.add_output(*value);
    }
    proto.clear_domain();
    proto.clear_name();
    proto.clear_overload();
    proto.clear_doc_string();
    proto.clear_attribute();
    proto.clear_attribute_proto();
    proto.clear_opset_import();
    proto.clear_input();
    proto.clear_output();
    proto.clear_node();
    proto.clear_value_info();
    function.extra = leftover(proto);
    in_function_ = false;
    return function;
  }

 private:
  /// A name that is free in this graph.
  static Status claim(const Graph& graph, const std::string& name) {
    if (!name.empty() && graph.find(name) == nullptr) return {};
    return make_error(ErrorCode::kInvalidModel,
                      name.empty() ? "a value without a name" : "the value '" + name + "' is defined twice",
                      name);
  }

  template <typename Info>
  Status describe(Info& info, Value& value) {
    auto type = type_from_proto(info.type());
    if (!type) {
      type.error().node = value.name();
      return std::move(type).error();
    }
    // What is stored and what an input says first stay: a second description may disagree.
    const bool settled =
        value.type.kind != Type::Kind::kNone && (value.is_input() || value.initializer() != nullptr);
    if (type->kind != Type::Kind::kNone && !settled) value.type = *std::move(type);
    if (!info.doc_string().empty()) value.doc_string = std::move(*info.mutable_doc_string());
    if (info.metadata_props_size() > 0) value.metadata = take_metadata(info);
    return {};
  }

  Status add_initializer(const onnx::TensorProto& proto, Graph& graph) {
    auto loaded = tensor(proto);
    if (!loaded) {
      loaded.error().node = proto.name();
      return std::move(loaded).error();
    }
    if (Value* value = graph.find(proto.name());
        value != nullptr && value->is_input() && !value->initializer()) {
      if (value->type.is_tensor() && value->type.dtype != loaded->dtype()) {
        return make_error(ErrorCode::kInvalidModel,
                          std::string("the input is declared as ") + to_string(value->type.dtype) +
                              " and its initializer has type " + to_string(loaded->dtype()),
                          proto.name());
      }
      graph.set_initializer(*value, *std::move(loaded));
      return {};
    }
    TARMAC_CHECK_OK(claim(graph, proto.name()));
    graph.add_initializer(proto.name(), *std::move(loaded));
    return {};
  }

  static Result<Value*> graph_output(const std::string& name, Graph& graph) {
    if (Value* value = graph.find(name)) return value;
    return make_error(ErrorCode::kInvalidModel,
                      "the graph output '" + name + "' is computed in it by no node", name);
  }

  Status add_node(onnx::NodeProto& proto, Graph& graph) {
    std::vector<Value*> inputs;
    for (const auto& name : proto.input()) {
      inputs.push_back(name.empty() ? nullptr : graph.find_in_scope(name));
      if (!name.empty() && inputs.back() == nullptr) {
        return make_error(ErrorCode::kInvalidModel, "input '" + name + "' is computed by no earlier node",
                          proto.name());
      }
    }
    std::vector<Value*> outputs;
    for (const auto& name : proto.output()) {
      if (name.empty()) {
        outputs.push_back(nullptr);
        continue;
      }
      TARMAC_CHECK_OK(claim(graph, name));
      outputs.push_back(&graph.add_value(name));
    }
    Node& node = graph.add_node(std::move(*proto.mutable_op_type()), std::move(inputs), std::move(outputs));
    node.name = std::move(*proto.mutable_name());
    node.domain = normalized_domain(proto.domain());
    node.overload = std::move(*proto.mutable_overload());
    node.doc_string = std::move(*proto.mutable_doc_string());
    node.metadata = take_metadata(proto);
    for (auto& item : *proto.mutable_attribute()) {
      auto loaded = attribute(item, node);
      if (!loaded) {
        if (loaded.error().node.empty()) loaded.error().node = node.label();
        return std::move(loaded).error();
      }
      Attribute value = *std::move(loaded);
      if (!node.attributes.emplace(item.name(), std::move(value)).second) {
        return make_error(ErrorCode::kInvalidModel, "attribute '" + item.name() + "' is given twice",
                          node.label());
      }
    }
    proto.clear_op_type();
    proto.clear_name();
    proto.clear_domain();
    proto.clear_overload();
    proto.clear_doc_string();
    proto.clear_attribute();
    proto.clear_input();
    proto.clear_output();
    node.extra = leftover(proto);
    return {};
  }

  PayloadSource& source_;
  bool in_function_ = false;
};

/// ONNX lets a nested graph's value have the name of one that an outer graph computes later, and its inputs
/// any name. Here names are unique in a scope, so that nodes can be moved without capturing another value.
void rename_shadowing(Graph& graph) {
  const auto rename = [&](Value* value) {
    if (value == nullptr || value->is_sparse_initializer()) return;
    if (graph.parent()->graph().find_in_scope(value->name()) != nullptr) {
      graph.rename(*value, graph.fresh_name(value->name()));
    }
  };
  for (const auto& node : graph.nodes()) {
    if (graph.parent() != nullptr) {
      for (Value* output : node->outputs()) rename(output);
    }
    node->for_each_subgraph(rename_shadowing);
  }
  if (graph.parent() == nullptr) return;
  for (Value* input : graph.inputs()) rename(input);
  for (Value* initializer : graph.initializers()) rename(initializer);
}

}  // namespace

Result<Model> model_from_proto(onnx::ModelProto& proto, PayloadSource& source) {
  Importer importer(source);
  Model model;
  model.ir_version = proto.ir_version();
  for (const auto& opset : proto.opset_import())
    model.opsets[normalized_domain(opset.domain())] = opset.version();
  model.producer_name = proto.producer_name();
  model.producer_version = proto.producer_version();
  model.domain = proto.domain();
  model.model_version = proto.model_version();
  model.doc_string = proto.doc_string();
  model.metadata = take_metadata(proto);
  model.graph = std::make_unique<Graph>();
  for (auto& function : *proto.mutable_functions()) {
    TARMAC_TRY(model.functions.emplace_back(), importer.function(function));
  }
  TARMAC_CHECK_OK(importer.fill(*proto.mutable_graph(), *model.graph));
  rename_shadowing(*model.graph);
  for (const Function& function : model.functions) rename_shadowing(*function.body);
  TARMAC_CHECK_OK(check_limits(model));
  proto.clear_ir_version();
  proto.clear_opset_import();
  proto.clear_producer_name();
  proto.clear_producer_version();
  proto.clear_domain();
  proto.clear_model_version();
  proto.clear_doc_string();
  proto.clear_graph();
  proto.clear_functions();
  model.extra = leftover(proto);
  return model;
}

}  // namespace tarmac
