#include <algorithm>
#include <set>
#include <unordered_set>

#include "graph/clone.h"
#include "graph/model_io.h"
#include "passes/inline_call.h"
#include "passes/passes.h"

namespace tarmac {
namespace {

/// Stored INT8 and INT4 weights reach their readers through DequantizeLinear; folding it would bring the
/// floats back.
bool dequantizes(const Node& node) { return node.op_type == "DequantizeLinear"; }

bool has_subgraph(const Node& node) {
  bool found = false;
  node.for_each_subgraph([&](Graph&) { found = true; });
  return found;
}

/// Bytes of the node's outputs; nullopt when a size is not known before it runs.
std::optional<std::uint64_t> output_bytes(const Node& node) {
  std::uint64_t total = 0;
  for (const Value* output : node.outputs()) {
    if (output == nullptr) continue;
    const auto shape = output->type.is_tensor() ? output->type.static_shape() : std::nullopt;
    if (!shape) return std::nullopt;
    const auto bytes = size_bytes(output->type.dtype, *shape);
    if (!bytes) return std::nullopt;
    total += *bytes;
  }
  return total;
}

/// Nodes that depend on constants only, in order, each small enough.
std::vector<Node*> foldable_nodes(const Graph& graph, const PassContext& context) {
  std::vector<Node*> nodes;
  std::unordered_set<const Value*> known;
  std::unordered_map<const Value*, std::uint64_t> constant_bytes;  // of the constants behind a value
  for (const auto& node : graph.nodes()) {
    if (!node->domain.empty() || node->is("Constant") || draws_random_numbers(*node) || dequantizes(*node) ||
        has_subgraph(*node)) {
      continue;
    }
    std::uint64_t source_bytes = 0;
    const bool constant = std::all_of(node->inputs().begin(), node->inputs().end(), [&](const Value* input) {
      if (input == nullptr) return true;
      if (const Tensor* tensor = constant_of(input)) {
        source_bytes += tensor->bytes().size();
        return tensor->dtype() != DType::kString;
      }
      if (!known.contains(input)) return false;
      source_bytes += constant_bytes[input];
      return true;
    });
    if (!constant) continue;
    const auto bytes = output_bytes(*node);
    if (!bytes || *bytes > source_bytes + context.max_folded_growth_bytes) continue;
    for (const Value* output : node->outputs()) {
      if (output == nullptr) continue;
      known.insert(output);
      constant_bytes[output] = source_bytes;
    }
    nodes.push_back(node.get());
  }
  return nodes;
}

void constants_to_initializers(Graph& graph, PassContext& context) {
  std::vector<Node*> nodes;
  for (const auto& node : graph.nodes()) nodes.push_back(node.get());
  for (Node* node : nodes) {
    node->for_each_subgraph([&](Graph& nested) { constants_to_initializers(nested, context); });
    normalize_constant(*node);
    const Tensor* tensor = node->is("Constant") ? node->attribute<Tensor>("value") : nullptr;
    if (tensor == nullptr || node->output(0)->is_output()) continue;
    Value& constant = graph.add_initializer(graph.fresh_name(node->output(0)->name() + "_value"), *tensor);
    context.changed(*node, "Constant became an initializer");
    graph.replace_uses(*node->output(0), constant);
    graph.erase(*node);
  }
}

Status fold_graph(const Model& model, Graph& graph, PassContext& context) {
  const std::vector<Node*> nodes = foldable_nodes(graph, context);
  for (const auto& node : graph.nodes()) {
    Status nested_status;
    node->for_each_subgraph([&](Graph& nested) {
      if (nested_status.ok()) nested_status = fold_graph(model, nested, context);
    });
    TARMAC_CHECK_OK(std::move(nested_status));
  }
  if (nodes.empty()) return {};
  const std::set<const Node*> folded(nodes.begin(), nodes.end());
  // Only what the rest of the graph reads is kept.
  std::vector<const Value*> outputs;
  for (const Node* node : nodes) {
    for (const Value* output : node->outputs()) {
      // A model output keeps its node; only its other readers get the constant.
      if (output == nullptr) continue;
      const bool read_outside = std::any_of(output->uses().begin(), output->uses().end(),
                                            [&](const Use& use) { return !folded.contains(use.node); });
      if (read_outside) outputs.push_back(output);
    }
  }
  if (outputs.empty()) return {};
  const Model part = extract_nodes(model, {nodes.begin(), nodes.end()}, outputs);
  auto results = context.evaluator->evaluate(part);
  if (!results) {
    // An engine that cannot run them is no fault of the model: they are computed at run time instead.
    context.declined.push_back(
        {context.pass, nodes.front()->label(), "not folded: " + results.error().str()});
    return {};
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    Value& value = *graph.find(outputs[i]->name());
    Value& constant = graph.add_initializer(graph.fresh_name(value.name() + "_folded"), (*results)[i]);
    graph.replace_uses(value, constant);
  }
  for (auto it = nodes.rbegin(); it != nodes.rend(); ++it) {
    Node& node = **it;
    const bool unused = std::all_of(node.outputs().begin(), node.outputs().end(), [](const Value* output) {
      return output == nullptr || output->unused();
    });
    if (!unused) continue;
    context.changed(node, "folded " + node.op_type + " into a constant");
    graph.erase(node);
  }
  return {};
}

}  // namespace

Status fold_constants(Model& model, PassContext& context) {
  constants_to_initializers(*model.graph, context);
  return context.evaluator == nullptr ? Status{} : fold_graph(model, *model.graph, context);
}

}  // namespace tarmac
