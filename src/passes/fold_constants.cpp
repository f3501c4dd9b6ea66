#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "base/file.h"
#include "graph/clone.h"
#include "passes/inline_call.h"
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "tensor/codec.h"
#include "tensor/movement.h"
#include "tensor/transpose.h"

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

/// Whether the node's results may be stored: they are no larger than their sources and the cap.
bool may_store(const Node& node, std::uint64_t source_bytes, const PassContext& context) {
  const auto bytes = output_bytes(node);
  return bytes && *bytes <= source_bytes + context.max_folded_growth_bytes;
}

/// Without those whose results nothing reads in the end: dead code costs no run.
std::vector<Node*> read_ones(const std::vector<Node*>& nodes) {
  std::unordered_set<const Node*> candidates(nodes.begin(), nodes.end());
  std::unordered_set<const Node*> read;
  for (auto it = nodes.rbegin(); it != nodes.rend(); ++it) {
    const bool is_read =
        std::any_of((*it)->outputs().begin(), (*it)->outputs().end(), [&](const Value* output) {
          return output != nullptr &&
                 (output->is_output() ||
                  std::any_of(output->uses().begin(), output->uses().end(), [&](const Use& use) {
                    return !candidates.contains(use.node) || read.contains(use.node);
                  }));
        });
    if (is_read) read.insert(*it);
  }
  std::vector<Node*> result;
  std::copy_if(nodes.begin(), nodes.end(), std::back_inserter(result),
               [&](Node* node) { return read.contains(node); });
  return result;
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
    if (!may_store(*node, source_bytes, context)) continue;
    for (const Value* output : node->outputs()) {
      if (output == nullptr) continue;
      known.insert(output);
      constant_bytes[output] = source_bytes;
    }
    nodes.push_back(node.get());
  }
  return read_ones(nodes);
}

/// A node that contradicts itself is left for the engine to refuse.
Result<std::optional<Tensor>> known_or_none(Result<Tensor> result) {
  if (result) return std::optional(*std::move(result));
  if (result.error().code == ErrorCode::kInvalidInput) return std::optional<Tensor>();
  return std::move(result).error();
}

/// A Cast of a few whole numbers of any type, which every type that it goes to holds exactly.
Result<std::optional<Tensor>> cast_exactly(const Node& cast, const Tensor& source) {
  constexpr double kMaxExact = 1U << 24U;  // float32 holds every integer up to it
  const auto to = static_cast<DType>(cast.attribute_or<std::int64_t>("to", 0));
  const bool holds =
      to == DType::kFloat32 || to == DType::kFloat64 || to == DType::kInt32 || to == DType::kInt64;
  if (!holds || source.count() > 1024) return std::optional<Tensor>();
  const auto numbers = to_doubles(source);
  const bool whole = numbers && std::all_of(numbers->begin(), numbers->end(), [](double number) {
                       return std::abs(number) <= kMaxExact && number == std::floor(number);
                     });
  if (!whole) return std::optional<Tensor>();
  return known_or_none(from_doubles(to, source.shape(), *numbers));
}

/// The constants that a node reads; empty when an input is none or is left out.
std::vector<Tensor> constant_inputs(const Node& node) {
  std::vector<Tensor> tensors;
  for (const Value* input : node.inputs()) {
    const Tensor* tensor = constant_of(input);
    if (tensor == nullptr) return {};
    tensors.push_back(*tensor);
  }
  return tensors;
}

/// The result of a node that only moves elements of constants, or is as simple; nullopt for other nodes.
Result<std::optional<Tensor>> moved(const Node& node) {
  const Tensor* source = constant_of(node.input(0));
  if (!node.domain.empty() || source == nullptr || bit_width(source->dtype()) < 8)
    return std::optional<Tensor>();
  const std::string& op = node.op_type;
  if (op == "Transpose") {
    const auto perm = permutation_of(node, source->shape().size());
    return perm ? known_or_none(transpose(*source, *perm)) : std::optional<Tensor>();
  }
  if (op == "Reshape" || op == "Flatten" || op == "Squeeze" || op == "Unsqueeze" || op == "Identity") {
    const Type& type = node.output(0)->type;
    const auto shape = type.is_tensor() ? type.static_shape() : std::nullopt;
    if (shape) return known_or_none(source->reshaped(*shape));
  }
  if (op == "Cast") return cast_exactly(node, *source);
  const std::vector<Tensor> inputs = constant_inputs(node);
  if (op == "Concat" && !inputs.empty())
    return known_or_none(concatenate(inputs, node.attribute_or<std::int64_t>("axis", 1)));
  if (inputs.size() != 2) return std::optional<Tensor>();
  // The type said that the result is small; a model may lie about it.
  const auto as_said = [&](const Result<Shape>& shape) {
    return shape.ok() && node.output(0)->type.static_shape() == *shape;
  };
  if (op == "Gather") {
    const auto axis = node.attribute_or<std::int64_t>("axis", 0);
    if (as_said(gather_shape(inputs[0].shape(), inputs[1].shape(), axis)))
      return known_or_none(gather(inputs[0], inputs[1], axis));
  }
  if (op == "Expand") {
    const auto shape = to_int64s(inputs[1]);
    if (shape && as_said(expand_shape(inputs[0].shape(), *shape)))
      return known_or_none(expand(inputs[0], *shape));
  }
  return std::optional<Tensor>();
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

/// Computes nodes that only move weights without an engine, one after the other: each takes the bytes of its
/// result and no more.
Status fold_movement(Graph& graph, PassContext& context) {
  std::vector<Node*> nodes;
  for (const auto& node : graph.nodes()) nodes.push_back(node.get());
  for (Node* node : nodes) {
    if (node->output(0) == nullptr || node->output(0)->uses().empty()) continue;
    std::uint64_t source_bytes = 0;
    for (const Value* input : node->inputs()) {
      if (const Tensor* tensor = constant_of(input)) source_bytes += tensor->bytes().size();
    }
    if (!may_store(*node, source_bytes, context)) continue;
    TARMAC_TRY(const std::optional<Tensor> result, moved(*node));
    if (!result) continue;
    for (const Value* input : node->inputs()) {
      if (const Tensor* tensor = constant_of(input)) release_pages(tensor->bytes());
    }
    Value& value = *node->output(0);
    Value& constant = graph.add_initializer(graph.fresh_name(value.name() + "_folded"), *result);
    if (!graph.replace_uses(value, constant)) continue;
    context.changed(*node, "folded " + node->op_type + " into a constant");
    graph.erase(*node);
  }
  return {};
}

/// Constants of one run of the engine; more are folded in several runs, so that memory does not grow with the
/// model.
constexpr std::uint64_t kMaxRunBytes = std::uint64_t{32} << 20U;

/// Splits nodes into runs: those that read each other's results stay together.
std::vector<std::vector<Node*>> runs_of(const std::vector<Node*>& nodes) {
  std::unordered_map<const Node*, std::size_t> group;  // index into `members`
  std::vector<std::vector<Node*>> members;
  for (Node* node : nodes) {
    std::size_t own = members.size();
    members.push_back({node});
    for (const Value* input : node->inputs()) {
      const auto producer = input == nullptr ? group.end() : group.find(input->producer());
      if (producer == group.end() || producer->second == own) continue;
      // The smaller group joins the larger: n nodes move at most n·log n times.
      std::size_t other = producer->second;
      if (members[own].size() > members[other].size()) std::swap(own, other);
      for (Node* moved_node : members[own]) {
        members[other].push_back(moved_node);
        if (moved_node != node) group[moved_node] = other;
      }
      members[own].clear();
      own = other;
    }
    group[node] = own;
  }
  std::unordered_map<const Node*, std::size_t> run;
  std::vector<std::uint64_t> bytes;
  for (const auto& group_members : members) {
    if (group_members.empty()) continue;
    std::uint64_t group_bytes = 0;
    for (const Node* node : group_members) {
      for (const Value* input : node->inputs()) {
        if (const Tensor* tensor = constant_of(input)) group_bytes += tensor->bytes().size();
      }
    }
    if (bytes.empty() || bytes.back() + group_bytes > kMaxRunBytes) bytes.push_back(0);
    bytes.back() += group_bytes;
    for (const Node* node : group_members) run[node] = bytes.size() - 1;
  }
  std::vector<std::vector<Node*>> runs(bytes.size());
  for (Node* node : nodes) runs[run.at(node)].push_back(node);  // in the graph's order
  return runs;
}

Status fold_run(const Model& model, Graph& graph, const std::vector<Node*>& nodes, PassContext& context) {
  const std::unordered_set<const Node*> folded(nodes.begin(), nodes.end());
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
  auto results = context.evaluator->evaluate(extract_nodes(model, {nodes.begin(), nodes.end()}, outputs));
  if (!results) {
    // An engine that cannot run them is no fault of the model: they are computed at run time instead.
    context.decline(*nodes.front(), "not folded: " + results.error().str());
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

Status fold_graph(const Model& model, Graph& graph, PassContext& context) {
  for (const auto& node : graph.nodes()) {
    Status nested_status;
    node->for_each_subgraph([&](Graph& nested) {
      if (nested_status.ok()) nested_status = fold_graph(model, nested, context);
    });
    TARMAC_CHECK_OK(std::move(nested_status));
  }
  TARMAC_CHECK_OK(fold_movement(graph, context));
  if (context.evaluator == nullptr) return {};
  for (const auto& nodes : runs_of(foldable_nodes(graph, context)))
    TARMAC_CHECK_OK(fold_run(model, graph, nodes, context));
  return {};
}

}  // namespace

Status fold_constants(Model& model, PassContext& context) {
  constants_to_initializers(*model.graph, context);
  return fold_graph(model, *model.graph, context);
}

}  // namespace tarmac
