// Copies of nodes, and of parts of a model as models of their own.
#pragma once

#include <unordered_map>
#include <vector>

#include "graph/graph.h"

namespace tarmac {

/// Which value of the copy stands for which original; nested graphs read through it.
using ValueMap = std::unordered_map<const Value*, Value*>;

/// A copy of `node` in `target`, before `before` or last. Inputs must be in `values`; the outputs are made
/// under names that are free there and added to it. Nested graphs are copied, weights shared.
Node& clone_node(const Node& node, Graph& target, ValueMap& values, Node* before = nullptr);

/// A copy of an attribute for `parent`; as clone_node() for the graphs in it.
Attribute clone_attribute(const Attribute& attribute, Node& parent, ValueMap& values);

/// The given nodes (in execution order, all of one graph) as a model: what they read and none of them makes
/// becomes an input or, if constant, an initializer; `outputs` become its outputs. Operator sets and
/// functions come along. Names of values are kept.
Model extract_nodes(const Model& model, const std::vector<const Node*>& nodes,
                    const std::vector<const Value*>& outputs);

}  // namespace tarmac
