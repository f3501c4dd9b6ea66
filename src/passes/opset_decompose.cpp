#include <algorithm>
#include <set>

#include "graph/clone.h"
#include "graph/proto.h"
#include "passes/infer_shapes.h"
#include "passes/inline_call.h"
#include "passes/opset_step.h"

namespace tarmac::opset {
namespace {

/// The largest version that is not above `to`, else the smallest.
std::int64_t choose(const std::vector<int>& versions, std::int64_t to) {
  std::int64_t chosen = versions.front();
  for (const int version : versions) {
    if (version <= to) chosen = version;
  }
  return chosen;
}

Result<Function> body_of(const onnx::OpSchema& schema, const Skeleton& skeleton, const Node& node,
                         std::int64_t to, std::int64_t& written_for) {
  onnx::ModelProto wrapper;
  wrapper.set_ir_version(onnx::IR_VERSION);
  onnx::FunctionProto& body = *wrapper.add_functions();
  const onnx::NodeProto& call = skeleton.proto.graph().node(0);
  if (schema.HasFunction()) {
    written_for = choose(schema.function_opset_versions(), to);
    const onnx::FunctionProto* found = schema.GetFunction(static_cast<int>(written_for));
    if (found == nullptr) return refuse("its definition by other operators cannot be had");
    body = *found;
  } else {
    written_for = choose(schema.context_dependent_function_opset_versions(), to);
    std::vector<onnx::TypeProto> types;
    for (const Value* input : node.inputs()) {
      types.emplace_back();
      if (input != nullptr) type_to_proto(input->type, types.back());
    }
    const onnx::FunctionBodyBuildContextImpl context(call, types);
    if (!schema.BuildContextDependentFunction(context, body, static_cast<int>(written_for)))
      return refuse("ONNX's definition of it by other operators needs types that are not known");
  }
  // Outputs that the call leaves out need not be computed in the body.
  while (body.output_size() > call.output_size()) body.mutable_output()->RemoveLast();
  for (int i = 0; i < body.output_size(); ++i) {
    if (call.output(i).empty()) body.set_output(i, body.output(0));
  }
  // Parameters that have a default are given to the body as if the call had them.
  for (const auto& [name, attribute] : schema.attributes()) {
    const bool listed =
        std::find(body.attribute().begin(), body.attribute().end(), name) != body.attribute().end();
    if (listed && attribute.default_value.type() != onnx::AttributeProto::UNDEFINED)
      *body.add_attribute_proto() = attribute.default_value;
  }
  wrapper.mutable_graph()->set_name("none");
  TensorPayloads payloads(skeleton.payloads);
  TARMAC_TRY(Model model, model_from_proto(wrapper, payloads));
  return std::move(model.functions.front());
}

/// Inference of a part makes symbols of its own, which may be other sizes' names outside.
void forget_symbols(Graph& graph) {
  std::set<std::string> known;
  for (const Value* input : graph.inputs()) {
    for (const Dim& dim : input->type.shape.value_or(std::vector<Dim>{})) known.insert(dim.symbol);
  }
  for_each_node(graph, [&](Node& node) {
    for (Value* output : node.outputs()) {
      if (output == nullptr || !output->type.shape) continue;
      for (Dim& dim : *output->type.shape) {
        if (!known.contains(dim.symbol)) dim.symbol.clear();
      }
    }
  });
}

}  // namespace

Result<std::vector<Node*>> decompose(const Model& model, Node& node, std::int64_t at, std::int64_t to,
                                     std::int64_t& written_for) {
  const onnx::OpSchema* schema = find_schema(node.op_type, at);
  if (schema == nullptr) return refuse("it is not known");
  std::vector<const Value*> outputs;
  for (const Value* output : node.outputs()) {
    if (output != nullptr) outputs.push_back(output);
  }
  Model part = extract_nodes(model, {&node}, outputs);
  part.functions.clear();
  const Skeleton skeleton = to_skeleton(part, kPayloadThresholdBytes);
  TARMAC_TRY(const Function function, body_of(*schema, skeleton, node, to, written_for));
  TARMAC_CHECK_OK(inline_call(*part.graph->nodes().front(), function));
  part.opsets[""] = written_for;
  if (!infer_shapes(part)) return refuse("its definition by other operators does not fit its types");
  forget_symbols(*part.graph);

  ValueMap values;
  for (const auto* list : {&part.graph->inputs(), &part.graph->initializers()}) {
    for (const Value* value : *list) values[value] = node.graph().find_in_scope(value->name());
  }
  std::vector<const Value*> results;
  std::size_t next = 0;
  for (const Value* output : node.outputs())
    results.push_back(output == nullptr ? nullptr : part.graph->outputs()[next++]);
  return splice(node, *part.graph, results, std::move(values));
}

}  // namespace tarmac::opset
