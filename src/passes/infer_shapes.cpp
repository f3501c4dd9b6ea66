#include "passes/infer_shapes.h"

#include <google/protobuf/arena.h>
#include <onnx/shape_inference/implementation.h>

#include "graph/proto.h"
#include "ops/registry.h"
#include "passes/bounded_schemas.h"

namespace tarmac {
namespace {

/// A type that an inference found, taken over where it says more than what is there.
void refine(Type& known, Type inferred) {
  if (known.kind != Type::Kind::kTensor || inferred.kind != Type::Kind::kTensor || !known.shape) {
    if (inferred.kind != Type::Kind::kNone) known = std::move(inferred);
    return;
  }
  if (!inferred.shape || inferred.shape->size() != known.shape->size()) return;
  for (std::size_t i = 0; i < known.shape->size(); ++i) {
    Dim& dim = (*known.shape)[i];
    const Dim& other = (*inferred.shape)[i];
    if (dim.known()) continue;
    if (other.known() || dim.symbol.empty()) dim = other;
  }
}

Status take_types(const google::protobuf::RepeatedPtrField<onnx::ValueInfoProto>& infos, Graph& graph) {
  for (const auto& info : infos) {
    Value* value = graph.find(info.name());
    if (value == nullptr || value->is_input()) continue;
    TARMAC_TRY(Type type, type_from_proto(info.type()));
    refine(value->type, std::move(type));
  }
  return {};
}

/// Walks proto and graph together; both hold the same nodes in the same order.
Status take_graph(const onnx::GraphProto& proto, Graph& graph) {
  TARMAC_CHECK_OK(take_types(proto.value_info(), graph));
  TARMAC_CHECK_OK(take_types(proto.output(), graph));
  int index = 0;
  for (const auto& node : graph.nodes()) {
    const onnx::NodeProto& node_proto = proto.node(index++);
    for (const auto& attribute : node_proto.attribute()) {
      if (attribute.type() != onnx::AttributeProto::GRAPH) continue;
      const auto it = node->attributes.find(attribute.name());
      if (it == node->attributes.end()) continue;
      if (const auto* nested = std::get_if<GraphPtr>(&it->second))
        TARMAC_CHECK_OK(take_graph(attribute.g(), **nested));
    }
  }
  return {};
}

}  // namespace

Status infer_shapes(Model& model) {
  ops::register_schemas();
  // Inference allocates and frees as much as it computes.
  google::protobuf::Arena arena;
  auto& proto = *google::protobuf::Arena::CreateMessage<onnx::ModelProto>(&arena);
  to_bare_proto(model, kPayloadThresholdBytes, proto);
  const int nodes_before = proto.graph().node_size();
  try {
    onnx::ShapeInferenceOptions options;
    options.check_type = true;
    options.error_mode = 0;  // a node that cannot be inferred leaves its outputs unknown
    options.enable_data_propagation = true;
    onnx::shape_inference::InferShapes(proto, &bounded_schemas(), options);
  } catch (const std::exception& failure) {
    return make_error(ErrorCode::kInvalidModel, std::string("shape inference failed: ") + failure.what());
  }
  if (proto.graph().node_size() != nodes_before) {
    return make_error(ErrorCode::kInternal, "shape inference changed the graph");
  }
  return take_graph(proto.graph(), *model.graph);
}

Status fix_input_shape(Model& model, const std::string& input, const Shape& shape) {
  Graph& graph = *model.graph;
  Value* value = graph.find(input);
  if (value == nullptr || !value->is_input()) {
    std::string names;
    for (const Value* candidate : graph.inputs())
      names += (names.empty() ? "'" : ", '") + candidate->name() + "'";
    return make_error(ErrorCode::kNotFound, "no model input '" + input + "'; the inputs are " + names);
  }
  if (!value->type.is_tensor() || (value->type.shape && value->type.shape->size() != shape.size())) {
    return make_error(ErrorCode::kInvalidInput, "shape " + to_string(shape) + " does not fit input '" +
                                                    input + "' of type " + to_string(value->type));
  }
  std::map<std::string, std::int64_t> symbols;
  if (!value->type.shape) value->type.shape.emplace(shape.size());
  for (std::size_t i = 0; i < shape.size(); ++i) {
    Dim& dim = (*value->type.shape)[i];
    if (shape[i] == kOpenSize) continue;
    const bool clash = shape[i] < 0 || (dim.known() && *dim.size != shape[i]);
    const auto bound = dim.symbol.empty() ? symbols.end() : symbols.find(dim.symbol);
    if (clash || (bound != symbols.end() && bound->second != shape[i])) {
      return make_error(ErrorCode::kInvalidInput, "shape " + to_string(shape) + " contradicts input '" +
                                                      input + "' of type " + to_string(value->type));
    }
    if (!dim.symbol.empty()) symbols[dim.symbol] = shape[i];
    dim = Dim::of(shape[i]);
  }
  for (Value* other : graph.inputs()) {
    if (!other->type.shape) continue;
    for (Dim& dim : *other->type.shape) {
      if (const auto it = symbols.find(dim.symbol); !dim.symbol.empty() && it != symbols.end())
        dim = Dim::of(it->second);
    }
  }
  // What was derived from the symbols is derived again; declared output types stay, refined.
  for_each_node(graph, [](Node& node) {
    for (Value* output : node.outputs()) {
      if (output != nullptr && !output->is_output()) output->type = {};
    }
  });
  return infer_shapes(model);
}

}  // namespace tarmac
