#include "passes/convert_opset.h"

#include <algorithm>
#include <deque>
#include <iterator>

#include "graph/model_io.h"
#include "passes/infer_shapes.h"
#include "passes/opset_step.h"
#include "passes/passes.h"

namespace tarmac {
namespace {

using opset::find_schema;
using opset::Step;

/// The IR version that each operator set came with (the table of releases in ONNX's Versioning.md); sets that
/// are not listed came with the one before.
constexpr std::pair<std::int64_t, std::int64_t> kIrVersions[] = {{7, 3},   {9, 4},   {10, 5},  {11, 6},
                                                                 {12, 7},  {15, 8},  {19, 9},  {21, 10},
                                                                 {23, 11}, {24, 12}, {25, 13}, {28, 14}};

/// From IR version 4 on an initializer need not be an input.
bool has_plain_initializers(const Model& model) {
  bool found = false;
  const auto look = [&](const Graph& graph) {
    for (const Value* value : graph.initializers()) found = found || !value->is_input();
  };
  look(*model.graph);
  for_each_node(*model.graph, [&](const Node& node) { node.for_each_subgraph(look); });
  return found;
}

/// Trailing outputs that nothing reads and that need not be there go: some meant another mode of the
/// operator. The node is made anew for it; nodes with nested graphs stay.
Node& without_unused_outputs(Node& node, const onnx::OpSchema& schema) {
  // Each output of a list is one part of the result, read or not.
  const auto& declared = schema.outputs();
  if (!declared.empty() && declared.back().GetOption() == onnx::OpSchema::Variadic) return node;
  std::size_t count = node.outputs().size();
  // Where any number of outputs is allowed, their number says something.
  if (!schema.outputs().empty() && schema.outputs().back().GetOption() == onnx::OpSchema::Variadic)
    return node;
  const auto may_go = [&](std::size_t i) {
    const bool optional =
        i >= schema.outputs().size() || schema.outputs()[i].GetOption() == onnx::OpSchema::Optional;
    return optional && (node.output(i) == nullptr || node.output(i)->unused());
  };
  while (count > 1 && may_go(count - 1)) --count;
  bool has_subgraph = false;
  node.for_each_subgraph([&](Graph&) { has_subgraph = true; });
  if (count == node.outputs().size() || has_subgraph) return node;
  Graph& graph = node.graph();
  std::vector<Value*> outputs;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) {
    const Value* output = node.output(i);
    names.push_back(output == nullptr ? std::string() : output->name());
    outputs.push_back(output == nullptr ? nullptr
                                        : &graph.add_value(graph.fresh_name(names.back()), output->type));
  }
  Node& copy = graph.add_node(node.op_type, node.inputs(), outputs, &node);
  copy.name = node.name;
  copy.doc_string = node.doc_string;
  copy.attributes = std::move(node.attributes);
  copy.metadata = std::move(node.metadata);
  copy.extra = std::move(node.extra);
  for (std::size_t i = 0; i < count; ++i) {
    if (outputs[i] != nullptr) graph.replace_uses(*node.output(i), *outputs[i]);
  }
  graph.erase(node);
  for (std::size_t i = 0; i < count; ++i) {
    if (outputs[i] != nullptr) graph.rename(*outputs[i], names[i]);
  }
  return copy;
}

class Converter {
 public:
  Converter(const Model& model, std::int64_t to) : model_(model), to_(to) {}

  Status run(const std::vector<Node*>& nodes, std::int64_t from) {
    for (Node* node : nodes) work_.emplace_back(node, from);
    while (!work_.empty()) {
      const auto [node, at] = work_.front();
      work_.pop_front();
      if (!node->domain.empty()) continue;
      TARMAC_CHECK_OK(at <= to_ ? up(node, at) : down(node, at));
    }
    return {};
  }

 private:
  /// A node and all in its nested graphs.
  void add(Node& node, std::int64_t at) {
    work_.emplace_back(&node, at);
    node.for_each_subgraph([&](const Graph& nested) {
      for_each_node(nested, [&](Node& inner) { work_.emplace_back(&inner, at); });
    });
  }

  Error failure(const Node& node, std::int64_t at, Error error) const {
    if (error.code != ErrorCode::kUnsupported) return error;
    error.message = "cannot take " + node.op_type + " from opset " + std::to_string(at) + " to " +
                    std::to_string(to_) + ": " + error.message;
    error.node = node.label();
    return error;
  }

  Status up(Node* node, std::int64_t at) {
    while (true) {
      const onnx::OpSchema* now = find_schema(node->op_type, at);
      if (now == nullptr) return failure(*node, at, opset::refuse("the operator does not exist there"));
      const onnx::OpSchema* next = find_schema(node->op_type, to_);
      if (next->since_version() == now->since_version()) return {};
      for (std::int64_t version = at + 1; version <= to_; ++version) {
        next = find_schema(node->op_type, version);
        if (next->since_version() != now->since_version()) break;
      }
      node = &without_unused_outputs(*node, *next);
      const std::int64_t version = next->since_version();
      TARMAC_CHECK_OK(adapt(*node, *now, opset::find_upgrade(node->op_type, version), version));
      TARMAC_CHECK_OK(fit(*node, *now, version));
      at = version;
    }
  }

  Status down(Node* node, std::int64_t at) {
    while (true) {
      const onnx::OpSchema* now = find_schema(node->op_type, at);
      if (now == nullptr) return failure(*node, at, opset::refuse("the operator does not exist there"));
      const std::int64_t since = now->since_version();
      if (since <= to_) return {};
      if (const auto* before = find_schema(node->op_type, since - 1))
        node = &without_unused_outputs(*node, *before);
      const auto adapter = opset::find_downgrade(node->op_type, since);
      Status status = adapt(*node, *now, adapter, since - 1);
      // A node that an adapter has rewritten is no longer what ONNX's definition would stand for.
      const bool is_rewritten = status && adapter != nullptr;
      if (status) status = fit(*node, *now, since - 1);
      if (!status) return is_rewritten ? status : replace(*node, *now, at, std::move(status));
      at = since - 1;
    }
  }

  /// Puts ONNX's definition by other operators in the place of a node that cannot be had; `reason` where
  /// there is none.
  Status replace(Node& node, const onnx::OpSchema& schema, std::int64_t at, Status reason) {
    bool has_subgraph = false;  // whose nodes are on the list as well
    node.for_each_subgraph([&](Graph&) { has_subgraph = true; });
    const bool has_definition = schema.HasFunction() || schema.HasContextDependentFunction();
    if (reason.error().code != ErrorCode::kUnsupported || has_subgraph || !has_definition) return reason;
    std::int64_t written_for = at;
    auto parts = opset::decompose(model_, node, at, to_, written_for);
    if (!parts) {
      reason.error().message += ", and " + parts.error().message;
      return reason;
    }
    for (Node* part : *parts) add(*part, written_for);
    return {};
  }

  Status adapt(Node& node, const onnx::OpSchema& now, opset::Adapter adapter, std::int64_t version) {
    if (adapter == nullptr) return {};
    Step step{node, {}};
    if (auto status = adapter(step); !status) return failure(node, now.since_version(), status.error());
    for (Node* added : step.added) add(*added, version);
    return {};
  }

  /// To the definition that `version` of the set has.
  Status fit(Node& node, const onnx::OpSchema& now, std::int64_t version) {
    const onnx::OpSchema* then = find_schema(node.op_type, version);
    const Status status = then == nullptr || then->Deprecated()
                              ? Status(opset::refuse("the operator does not exist there"))
                              : opset::fit(node, now, *then);
    return status ? Status{} : Status(failure(node, now.since_version(), status.error()));
  }

  const Model& model_;
  const std::int64_t to_;
  std::deque<std::pair<Node*, std::int64_t>> work_;
};

}  // namespace

std::int64_t ir_version_of_opset(std::int64_t opset) {
  std::int64_t ir_version = 3;
  for (const auto& [since, version] : kIrVersions) {
    if (since <= opset) ir_version = version;
  }
  return ir_version;
}

std::int64_t newest_opset() {
  return onnx::OpSchemaRegistry::DomainToVersionRange::Instance().Map().at("").second;
}

Status convert_opset(Model& model, std::int64_t to) {
  if (to < kOldestOpset || to > newest_opset()) {
    return make_error(ErrorCode::kUsage, "there is no conversion to opset " + std::to_string(to) +
                                             "; choose one from " + std::to_string(kOldestOpset) + " to " +
                                             std::to_string(newest_opset()));
  }
  if (model.opset() == to || model.opset() == 0) return {};
  if (model.opset() < kOldestOpset) {
    return make_error(ErrorCode::kUnsupported,
                      "opset " + std::to_string(model.opset()) + " is older than " +
                          std::to_string(kOldestOpset) +
                          ", where conversion begins; export the model for a newer one");
  }
  Model result = clone_model(model);
  PassContext context;
  TARMAC_CHECK_OK(inline_functions(result, context));
  TARMAC_CHECK_OK(infer_shapes(result));
  std::vector<Node*> nodes;
  for_each_node(*result.graph, [&](Node& node) { nodes.push_back(&node); });
  TARMAC_CHECK_OK(Converter(result, to).run(nodes, result.opset()));
  result.opsets[""] = to;
  const std::int64_t paired =
      std::max(ir_version_of_opset(to), std::int64_t{has_plain_initializers(result) ? 4 : 3});
  result.ir_version = to > model.opset() ? std::max(paired, model.ir_version) : paired;
  TARMAC_CHECK_OK(infer_shapes(result));
  TARMAC_CHECK_OK(verify_model(result));
  model = std::move(result);
  return {};
}

Status upgrade_opset(Model& model, PassContext& context) {
  const std::int64_t wanted =
      context.max_opset == 0 ? context.wanted_opset : std::min(context.wanted_opset, context.max_opset);
  const std::int64_t present = model.opset();
  if (wanted <= present) return {};
  const std::string what = "opset " + std::to_string(present) + " to " + std::to_string(wanted);
  const auto decline = [&](const Error& error) {
    context.declined.push_back(
        {context.pass, error.node.empty() ? "model" : error.node, what + ": " + error.message});
    return Status{};
  };
  Model upgraded = clone_model(model);
  if (auto status = convert_opset(upgraded, wanted); !status) return decline(status.error());
  if (context.support != nullptr) {
    if (auto status = context.support->accepts_changed(upgraded, present); !status)
      return decline(status.error());
  }
  model = std::move(upgraded);
  context.changes.push_back({context.pass, "model", "raised from " + what});
  return {};
}

}  // namespace tarmac
