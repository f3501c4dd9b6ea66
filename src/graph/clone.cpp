#include "graph/clone.h"

#include <cassert>

#include "graph/model_io.h"

namespace tarmac {
namespace {

GraphPtr clone_graph(const Graph& source, Node& parent, ValueMap& values) {
  auto graph = std::make_unique<Graph>(&parent, parent.graph().names());
  graph->name = source.name;
  graph->doc_string = source.doc_string;
  graph->metadata = source.metadata;
  graph->extra = source.extra;
  const auto describe = [&](const Value& original, Value& copy) {
    copy.type = original.type;
    copy.doc_string = original.doc_string;
    copy.metadata = original.metadata;
    values[&original] = &copy;
  };
  for (const Value* input : source.inputs())
    describe(*input, graph->add_input(graph->fresh_name(input->name()), {}));
  for (const Value* value : source.initializers()) {
    if (value->is_input()) {
      graph->set_initializer(*values.at(value), *value->initializer());
    } else {
      describe(*value, graph->add_initializer(graph->fresh_name(value->name()), *value->initializer()));
    }
  }
  for (const auto& node : source.nodes()) clone_node(*node, *graph, values);
  for (const Value* output : source.outputs()) graph->add_output(*values.at(output));
  return graph;
}

struct CloneAttribute {
  Node& parent;
  ValueMap& values;

  Attribute operator()(const GraphPtr& graph) const { return clone_graph(*graph, parent, values); }
  Attribute operator()(const std::vector<GraphPtr>& graphs) const {
    std::vector<GraphPtr> copies;
    for (const GraphPtr& graph : graphs) copies.push_back(clone_graph(*graph, parent, values));
    return copies;
  }
  template <typename T>
  Attribute operator()(const T& value) const {
    return value;
  }
};

Function clone_function(const Function& source) {
  Function copy;
  copy.domain = source.domain;
  copy.name = source.name;
  copy.overload = source.overload;
  copy.doc_string = source.doc_string;
  copy.attributes = source.attributes;
  copy.opsets = source.opsets;
  copy.metadata = source.metadata;
  copy.extra = source.extra;
  copy.body = std::make_unique<Graph>();
  copy.body->name = source.body->name;
  ValueMap values;
  for (const Value* input : source.body->inputs()) {
    values[input] = &copy.body->add_input(input->name(), input->type);
  }
  for (const auto& node : source.body->nodes()) clone_node(*node, *copy.body, values);
  for (const Value* output : source.body->outputs()) copy.body->add_output(*values.at(output));
  Node unused;  // defaults hold no graphs
  for (const auto& [key, value] : source.defaults)
    copy.defaults.emplace(key, std::visit(CloneAttribute{unused, values}, value));
  return copy;
}

}  // namespace

Attribute clone_attribute(const Attribute& attribute, Node& parent, ValueMap& values) {
  return std::visit(CloneAttribute{parent, values}, attribute);
}

Node& clone_node(const Node& node, Graph& target, ValueMap& values, Node* before) {
  std::vector<Value*> inputs;
  for (const Value* input : node.inputs()) inputs.push_back(input == nullptr ? nullptr : values.at(input));
  std::vector<Value*> outputs;
  for (const Value* output : node.outputs()) {
    if (output == nullptr) {
      outputs.push_back(nullptr);
      continue;
    }
    Value& copy = target.add_value(target.fresh_name(output->name()), output->type);
    copy.doc_string = output->doc_string;
    copy.metadata = output->metadata;
    values[output] = &copy;
    outputs.push_back(&copy);
  }
  Node& copy = target.add_node(node.op_type, std::move(inputs), std::move(outputs), before);
  copy.domain = node.domain;
  copy.name = node.name;
  copy.overload = node.overload;
  copy.doc_string = node.doc_string;
  copy.metadata = node.metadata;
  copy.extra = node.extra;
  for (const auto& [key, value] : node.attributes)
    copy.attributes.emplace(key, clone_attribute(value, copy, values));
  return copy;
}

namespace {

/// Makes a value of the outer model available in the copy.
void bring(const Value* value, Graph& graph, ValueMap& values) {
  if (value == nullptr || values.contains(value)) return;
  if (const Tensor* tensor = constant_of(value)) {
    values[value] = &graph.add_initializer(value->name(), *tensor);
  } else {
    values[value] = &graph.add_input(value->name(), value->type);
  }
}

/// Everything that a node reads from outside, its nested graphs included.
void bring_inputs(const Node& node, const Graph& home, Graph& graph, ValueMap& values) {
  for (const Value* input : node.inputs()) {
    const bool outside =
        input != nullptr && (&input->graph() == &home || home.find_in_scope(input->name()) == input);
    if (outside) bring(input, graph, values);
  }
  node.for_each_subgraph([&](const Graph& nested) {
    for (const auto& inner : nested.nodes()) bring_inputs(*inner, home, graph, values);
  });
}

}  // namespace

Model extract_nodes(const Model& model, const std::vector<const Node*>& nodes,
                    const std::vector<const Value*>& outputs) {
  assert(!nodes.empty());
  Model part;
  part.ir_version = model.ir_version;
  part.opsets = model.opsets;
  part.graph = std::make_unique<Graph>();
  part.graph->name = "part";
  ValueMap values;
  for (const Node* node : nodes) {
    bring_inputs(*node, node->graph(), *part.graph, values);
    clone_node(*node, *part.graph, values);
  }
  for (const Value* output : outputs) part.graph->add_output(*values.at(output));
  for (const Function& function : model.functions) part.functions.push_back(clone_function(function));
  return part;
}

}  // namespace tarmac
