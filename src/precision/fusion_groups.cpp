#include "precision/fusion_groups.h"

#include <algorithm>
#include <map>
#include <utility>

#include "passes/rewrite.h"

namespace tarmac {
namespace {

bool is_float(const Value* value) {
  return value != nullptr && value->type.is_tensor() && value->type.dtype == DType::kFloat32;
}

bool is_activation_tensor(const Value* value) { return is_float(value) && constant_of(value) == nullptr; }

bool named(const FusionRules::Names& names, const Node& node) {
  return node.domain.empty() && names.contains(node.op_type);
}

bool joins_batches(const Node& node) {
  if (!node.is("Concat")) return false;
  const auto rank = static_cast<std::int64_t>(rank_of(node.output(0)).value_or(0));
  const std::int64_t axis = node.attribute_or<std::int64_t>("axis", 0);
  return axis == 0 || axis + rank == 0;
}

/// Why a node with stored weights must stay in float; empty when it can be quantised.
std::string weighted_obstacle(const Node& node) {
  const Tensor* weights = constant_of(node.input(1));
  if (weights->dtype() != DType::kFloat32)
    return std::string("its weights are ") + to_string(weights->dtype());
  if (weights->count() == 0) return "its weights are empty";
  if (node.is("MatMul") && weights->shape().size() != 2) return "its weights are no matrix";
  if (node.is("ConvTranspose") && node.attribute_or<std::int64_t>("group", 1) != 1)
    return "a grouped transposed convolution";
  if (node.is("Gemm") &&
      (node.attribute_or<std::int64_t>("transA", 0) != 0 || node.attribute_or<float>("alpha", 1.0F) != 1.0F ||
       node.attribute_or<float>("beta", 1.0F) != 1.0F)) {
    return "a Gemm with alpha, beta or transA";
  }
  if (!is_float(node.input(0))) return "its input is not known to be float32";
  const Node* producer = node.input(0)->producer();
  if (node.is("MatMul") && producer != nullptr && joins_batches(*producer))
    return "OpenVINO does not compile an INT8 product behind a Concat of batches";
  return {};
}

/// Inputs that hold activations, where the node only moves their values; none where it does not.
std::vector<Value*> moved_inputs(const Node& node) {
  if (node.outputs().empty() || !is_float(node.output(0))) return {};
  std::vector<Value*> inputs;
  if (node.is("Concat")) {
    if (joins_batches(node)) return {};
    inputs = node.inputs();
  } else if (node.input(0) != nullptr) {
    inputs = {node.input(0)};
  }
  if (node.is("MaxPool") && node.outputs().size() > 1) return {};  // indices are of the float values
  if (node.is("Pad")) {
    // Zero is exact in every scale; other paddings and reflections of nothing else are not needed.
    const bool zeros = node.attribute_or<std::string>("mode", "constant") == "constant" &&
                       node.attribute_or<float>("value", 0.0F) == 0.0F &&
                       (node.input(2) == nullptr || uniform_value(node.input(2)) == 0.0);
    if (!zeros) return {};
  }
  if (node.is("Resize") && node.attribute_or<std::string>("mode", "nearest") == "cubic") return {};
  return std::all_of(inputs.begin(), inputs.end(), is_activation_tensor) ? inputs : std::vector<Value*>();
}

class Finder {
 public:
  Finder(const Model& model, const FusionRules& rules) : graph_(*model.graph) { found_.rules = rules; }

  FusionGroups run() {
    for (const auto& node : graph_.nodes()) {
      if (named(rules().movement, *node) && !moved_inputs(*node).empty()) {
        found_.movement.insert(node->label());
      }
    }
    for (const auto& node : graph_.nodes()) classify(*node);
    return std::move(found_);
  }

 private:
  [[nodiscard]] const FusionRules& rules() const { return found_.rules; }

  void classify(const Node& node) {
    if (folded_.contains(&node)) return;
    if (named(rules().weighted, node) && constant_of(node.input(1)) != nullptr) {
      if (const std::string reason = weighted_obstacle(node); !reason.empty()) {
        keep(node, reason);
      } else {
        add(node, {node.input(0)}, node.input(1)->name());
      }
    } else if (named(rules().arithmetic, node)) {
      classify_arithmetic(node);
    } else if (node.domain.empty() && node.input(1) != nullptr &&
               (node.is("Conv") || node.is("ConvTranspose") || node.is("Gemm") || node.is("MatMul"))) {
      keep(node, constant_of(node.input(1)) == nullptr ? "its second input is computed at run time"
                                                       : "the target has no INT8 kernel for it");
    }
  }

  void classify_arithmetic(const Node& node) {
    const bool pool = node.is("AveragePool") || node.is("GlobalAveragePool");
    const std::vector<Value*> inputs = pool ? std::vector<Value*>{node.input(0)} : node.inputs();
    const bool activations = std::all_of(inputs.begin(), inputs.end(), is_activation_tensor);
    if (!activations) return;  // e.g. a bias: part of what it stands behind
    const auto rank = rank_of(inputs[0]);
    const bool feature_maps = rank && *rank >= 3 && rank == rank_of(inputs.back());
    if (!feature_maps && !node.is("MatMul")) return;
    add(node, inputs, {});
  }

  void add(const Node& node, const std::vector<Value*>& inputs, std::string weights) {
    FusionGroup group;
    group.name = node.label();
    group.op_type = node.op_type;
    group.nodes = {node.label()};
    for (const Value* input : inputs) group.inputs.push_back(input->name());
    group.weights = std::move(weights);
    const Value* last = node.output(0);
    while (const Value* next = behind_activation(*last, group.nodes)) last = next;
    group.output = last->name();
    found_.groups.push_back(std::move(group));
  }

  /// The value behind an activation that is the only reader of `value`, or behind x·sigmoid(x); null without.
  const Value* behind_activation(const Value& value, std::vector<std::string>& nodes) {
    const auto fold = [&](const Node& node) {
      folded_.insert(&node);
      nodes.push_back(node.label());
    };
    if (value.is_output()) return nullptr;
    const auto& uses = value.uses();
    if (uses.size() == 1) {
      const Node& reader = *uses[0].node;
      if (&reader.graph() != &graph_ || !folds(reader, value)) return nullptr;
      fold(reader);
      return reader.output(0);
    }
    if (uses.size() != 2) return nullptr;
    const Node* gate = uses[0].node->is("Mul") ? uses[1].node : uses[0].node;
    const Node* product = uses[0].node->is("Mul") ? uses[0].node : uses[1].node;
    const bool swish = (gate->is("Sigmoid") || gate->is("HardSigmoid")) &&
                       named(rules().activations, *gate) && product->is("Mul") &&
                       has_one_reader(*gate->output(0)) &&
                       (product->input(0) == gate->output(0) || product->input(1) == gate->output(0));
    if (!swish) return nullptr;
    fold(*gate);
    fold(*product);
    return product->output(0);
  }

  /// Whether the kernel that makes `value` computes `reader` as well: a function of each element, or
  /// arithmetic with a constant.
  [[nodiscard]] bool folds(const Node& reader, const Value& value) const {
    if (!named(rules().activations, reader) || !is_float(reader.output(0))) return false;
    const auto& inputs = reader.inputs();
    return std::all_of(inputs.begin(), inputs.end(), [&](const Value* input) {
      return input == nullptr || input == &value || constant_of(input) != nullptr;
    });
  }

  void keep(const Node& node, const std::string& reason) {
    found_.kept.push_back({node.label(), node.op_type, reason});
  }

  const Graph& graph_;
  FusionGroups found_;
  std::set<const Node*> folded_;
};

void collect(const FusionGroups& groups, const Use& use, Reading& reading) {
  if (std::find(reading.uses.begin(), reading.uses.end(), use) != reading.uses.end()) return;
  reading.uses.push_back(use);
  Value* value = use.node->input(use.index);
  Node* producer = value->producer();
  if (producer != nullptr && groups.movement.contains(producer->label())) {
    const std::size_t inputs = moved_inputs(*producer).size();
    for (std::size_t i = 0; i < inputs; ++i) collect(groups, {producer, i}, reading);
  } else if (std::find(reading.points.begin(), reading.points.end(), value) == reading.points.end()) {
    reading.points.push_back(value);
  }
}

/// Arithmetic stays a group while a group makes one of its inputs and a group reads its result.
void drop_lonely_arithmetic(const Graph& graph, FusionGroups& found) {
  while (true) {
    std::set<std::string> made;
    std::set<std::string> read;
    std::vector<bool> fed;
    for (const FusionGroup& group : found.groups) made.insert(group.output);
    for (const FusionGroup& group : found.groups) {
      bool by_group = group.weighted();
      for (std::size_t i = 0; i < group.inputs.size(); ++i) {
        for (const Value* point : reading(found, group, i, graph).points) {
          read.insert(point->name());
          by_group = by_group || made.contains(point->name());
        }
      }
      fed.push_back(by_group);
    }
    std::vector<FusionGroup> stay;
    for (std::size_t i = 0; i < found.groups.size(); ++i) {
      FusionGroup& group = found.groups[i];
      if (group.weighted() || (fed[i] && read.contains(group.output))) {
        stay.push_back(std::move(group));
      } else {
        found.kept.push_back({group.name, group.op_type, "no INT8 kernel before or behind it"});
      }
    }
    const bool done = stay.size() == found.groups.size();
    found.groups = std::move(stay);
    if (done) return;
  }
}

Node* find_anchor(const FusionGroup& group, const Graph& graph) {
  // One of the readers of its first input.
  for (const Use& use : graph.find(group.inputs.front())->uses()) {
    if (use.node->label() == group.name) return use.node;
  }
  return nullptr;
}

}  // namespace

FusionGroups find_fusion_groups(const Model& model, const FusionRules& rules) {
  FusionGroups found = Finder(model, rules).run();
  drop_lonely_arithmetic(*model.graph, found);
  return found;
}

FusionGroups keep_in_float(const Model& model, FusionGroups groups,
                           const std::map<std::string, std::string>& reasons) {
  const auto kept =
      std::stable_partition(groups.groups.begin(), groups.groups.end(),
                            [&](const FusionGroup& group) { return !reasons.contains(group.name); });
  for (auto group = kept; group != groups.groups.end(); ++group)
    groups.kept.push_back({group->name, group->op_type, reasons.at(group->name)});
  groups.groups.erase(kept, groups.groups.end());
  drop_lonely_arithmetic(*model.graph, groups);
  return groups;
}

Reading reading(const FusionGroups& groups, const FusionGroup& group, std::size_t input, const Graph& graph) {
  Reading found;
  collect(groups, {find_anchor(group, graph), input}, found);
  return found;
}

std::vector<std::string> observed_values(const Model& model, const FusionGroups& groups) {
  std::vector<std::string> names;
  std::set<std::string> seen;
  const auto add = [&](const std::string& name) {
    if (seen.insert(name).second) names.push_back(name);
  };
  for (const FusionGroup& group : groups.groups) {
    for (std::size_t i = 0; i < group.inputs.size(); ++i) {
      for (const Value* point : reading(groups, group, i, *model.graph).points) add(point->name());
    }
    if (groups.rules.pairs_after_weighted && group.weighted()) add(group.output);
  }
  return names;
}

}  // namespace tarmac
