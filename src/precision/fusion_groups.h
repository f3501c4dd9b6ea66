// A model as engines run it in INT8: groups of nodes that become one kernel each, and what lies between them.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "targets/fusion.h"

namespace tarmac {

/// What an engine runs as one INT8 kernel. Nodes and values by name: found again in clones of the model.
struct FusionGroup {
  std::string name;  ///< Node::label() of its anchor: a node of FusionRules::weighted or ::arithmetic
  std::string op_type;
  std::vector<std::string> nodes;   ///< labels: the anchor, then the activations folded behind it, in order
  std::vector<std::string> inputs;  ///< values of the activations that the anchor reads
  std::string weights;              ///< value of the stored weights; empty without
  std::string output;               ///< value behind the last node

  [[nodiscard]] bool weighted() const { return !weights.empty(); }
};

/// A node with stored weights, or one that rules name, that stays in float, and why.
struct KeptInFloat {
  std::string node;
  std::string op_type;
  std::string reason;
};

struct FusionGroups {
  std::vector<FusionGroup> groups;  ///< in the order of their anchors
  std::vector<KeptInFloat> kept;
  /// Labels of the nodes between groups that only move values and can do so in INT8.
  std::set<std::string> movement;
  FusionRules rules;
};

/// The groups of the main graph. Arithmetic counts only where it stands between weighted groups (or other
/// arithmetic that does): a Q/DQ pair that nothing fuses costs time and accuracy. Types must be inferred
/// (passes/infer_shapes.h).
FusionGroups find_fusion_groups(const Model& model, const FusionRules& rules);

/// The same without the groups that `reasons` names, which stay in float, nor the arithmetic that only stood
/// between those.
FusionGroups keep_in_float(const Model& model, FusionGroups groups,
                           const std::map<std::string, std::string>& reasons);

/// The values whose ranges quantize_static() needs: what the groups read, taken before the nodes that only
/// move it.
std::vector<std::string> observed_values(const Model& model, const FusionGroups& groups);

/// The inputs of nodes through which a group reads one of its inputs: its anchor's, and those of the nodes of
/// `movement` before it. The values they read have one scale; those that no such node makes are rounded.
struct Reading {
  std::vector<Use> uses;
  std::vector<Value*> points;  ///< that are rounded
};
Reading reading(const FusionGroups& groups, const FusionGroup& group, std::size_t input, const Graph& graph);

}  // namespace tarmac
