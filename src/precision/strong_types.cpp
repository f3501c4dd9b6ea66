#include "precision/strong_types.h"

#include <onnx/defs/schema.h>

#include <algorithm>
#include <map>

#include "graph/model_io.h"
#include "passes/infer_shapes.h"

namespace tarmac {
namespace {

using Parameters = std::vector<onnx::OpSchema::FormalParameter>;

/// "tensor(float)" as onnx writes a dtype.
std::string onnx_name(DType dtype) {
  if (dtype == DType::kFloat32) return "tensor(float)";
  if (dtype == DType::kFloat64) return "tensor(double)";
  return std::string("tensor(") + to_string(dtype) + ")";
}

Status mismatch(const Node& node, const std::string& what) {
  return make_error(ErrorCode::kInternal, "not strongly typed: " + node.op_type + " " + what, node.label());
}

Status check_slots(const Node& node, const std::vector<Value*>& values, const Parameters& parameters,
                   std::map<std::string, DType>& variables) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] == nullptr || !values[i]->type.is_tensor() || parameters.empty()) continue;
    const auto& parameter = parameters[std::min(i, parameters.size() - 1)];
    const DType dtype = values[i]->type.dtype;
    if (dtype == DType::kUndefined) continue;
    const auto& types = parameter.GetTypes();
    const std::string name = onnx_name(dtype);
    if (std::none_of(types.begin(), types.end(), [&](const auto* known) { return *known == name; }))
      return mismatch(node, "takes no " + name + " as '" + values[i]->name() + "'");
    const bool mixes = parameter.GetOption() == onnx::OpSchema::Variadic && !parameter.GetIsHomogeneous();
    if (mixes) continue;
    const auto [known, fresh] = variables.emplace(parameter.GetTypeStr(), dtype);
    if (!fresh && known->second != dtype)
      return mismatch(
          node, "mixes " + onnx_name(known->second) + " and " + name + " ('" + values[i]->name() + "')");
  }
  return {};
}

Status check_border(const Node& node, const Value* a, const Value* b) {
  const bool known = a != nullptr && b != nullptr && a->type.is_tensor() && b->type.is_tensor() &&
                     a->type.dtype != DType::kUndefined && b->type.dtype != DType::kUndefined;
  if (!known || a->type.dtype == b->type.dtype) return {};
  return mismatch(node, "has " + onnx_name(a->type.dtype) + " '" + a->name() +
                            "' on one side of its body and " + onnx_name(b->type.dtype) + " '" + b->name() +
                            "' on the other");
}

Status check_borders(const Node& node) {
  if (node.is("If")) {
    for (const char* branch : {"then_branch", "else_branch"}) {
      const Graph& graph = **node.attribute<GraphPtr>(branch);
      for (std::size_t i = 0; i < graph.outputs().size(); ++i)
        TARMAC_CHECK_OK(check_border(node, node.output(i), graph.outputs()[i]));
    }
  }
  if (node.is("Loop")) {
    const Graph& body = **node.attribute<GraphPtr>("body");
    const std::size_t carried = body.inputs().size() - 2;
    for (std::size_t i = 0; i < carried; ++i) {
      TARMAC_CHECK_OK(check_border(node, node.input(2 + i), body.inputs()[2 + i]));
      TARMAC_CHECK_OK(check_border(node, body.inputs()[2 + i], body.outputs()[1 + i]));
    }
    for (std::size_t i = 1; i < body.outputs().size(); ++i)
      TARMAC_CHECK_OK(check_border(node, node.output(i - 1), body.outputs()[i]));
  }
  return {};
}

Status check_graph(const Graph& graph, const std::map<std::string, std::int64_t>& opsets) {
  for (const auto& node : graph.nodes()) {
    const auto version = opsets.find(node->domain);
    const onnx::OpSchema* schema =
        version == opsets.end()
            ? nullptr
            : onnx::OpSchemaRegistry::Schema(node->op_type, static_cast<int>(version->second), node->domain);
    if (schema != nullptr) {
      std::map<std::string, DType> variables;
      TARMAC_CHECK_OK(check_slots(*node, node->inputs(), schema->inputs(), variables));
      TARMAC_CHECK_OK(check_slots(*node, node->outputs(), schema->outputs(), variables));
      TARMAC_CHECK_OK(check_borders(*node));
    }
    Status nested_status;
    node->for_each_subgraph([&](const Graph& nested) {
      if (nested_status) nested_status = check_graph(nested, opsets);
    });
    TARMAC_CHECK_OK(nested_status);
  }
  return {};
}

/// Both graphs hold the same nodes in the same order.
Status compare_types(const Graph& declared, const Graph& inferred) {
  auto at = inferred.nodes().begin();
  for (const auto& node : declared.nodes()) {
    const Node& other = **at++;
    for (std::size_t i = 0; i < node->outputs().size(); ++i) {
      if (node->output(i) == nullptr) continue;
      const Type& ours = node->output(i)->type;
      const Type& theirs = other.output(i)->type;
      if (ours.is_tensor() && theirs.is_tensor() && ours.dtype != theirs.dtype &&
          theirs.dtype != DType::kUndefined && ours.dtype != DType::kUndefined) {
        return mismatch(*node, "gives " + onnx_name(theirs.dtype) + " as '" + node->output(i)->name() +
                                   "', which is declared " + onnx_name(ours.dtype));
      }
    }
    std::vector<const Graph*> nested;
    other.for_each_subgraph([&](const Graph& graph) { nested.push_back(&graph); });
    Status nested_status;
    std::size_t next = 0;
    node->for_each_subgraph([&](const Graph& graph) {
      if (nested_status) nested_status = compare_types(graph, *nested[next]);
      ++next;
    });
    TARMAC_CHECK_OK(nested_status);
  }
  return {};
}

}  // namespace

Status check_strong_types(const Model& model) {
  TARMAC_CHECK_OK(check_graph(*model.graph, model.opsets));
  Model inferred = clone_model(model);
  for_each_node(*inferred.graph, [](Node& node) {
    for (Value* output : node.outputs()) {
      if (output != nullptr && !output->is_output()) output->type = {};
    }
  });
  TARMAC_CHECK_OK(infer_shapes(inferred));
  return compare_types(*model.graph, *inferred.graph);
}

}  // namespace tarmac
