#include "tune/twin_model.h"

#include <map>
#include <set>

#include "graph/clone.h"
#include "graph/model_io.h"

namespace tarmac {
namespace {

using NodesByName = std::map<std::string, Node*>;

NodesByName by_name(const Graph& graph) {
  NodesByName nodes;
  for (const auto& node : graph.nodes()) nodes.emplace(node->name, node.get());
  return nodes;
}

/// A group's output in both forms, in the model that is being made.
struct Twins {
  Value* plain = nullptr;
  Value* quantized = nullptr;
};

/// Copies groups of the quantised model into the float one.
class TwinMaker {
 public:
  TwinMaker(const TwinParts& parts, Model& made)
      : groups_(parts.groups),
        graph_(*made.graph),
        quantized_(by_name(*parts.quantized.graph)),
        plain_(by_name(graph_)) {}

  /// `behind`: what stands for the group's output wherever it is read, given its twins.
  template <typename F>
  Status add(const FusionGroup& group, F&& behind) {
    const auto end = quantized_.find(group.nodes.back());
    const auto plain_end = plain_.find(group.nodes.back());
    if (end == quantized_.end() || plain_end == plain_.end()) {
      return make_error(ErrorCode::kInternal, "the quantised model has lost this node of a group",
                        group.nodes.back());
    }
    own_ = {group.nodes.begin(), group.nodes.end()};
    before_ = plain_end->second->next();
    const Value* output = end->second->output(0);
    const auto pair = pair_behind(group, *output);
    TARMAC_TRY(Value * copy, bring(*(pair.empty() ? output : pair.back())));
    // Later groups round what they read themselves: what they see may be the float twin.
    for (const Value* value : pair) copies_.erase(value);
    TARMAC_TRY(copies_[output], behind(Twins{plain_end->second->output(0), copy}, before_));
    return {};
  }

 private:
  /// Where the group's kernel writes INT8: what QuantizeLinear and DequantizeLinear behind it make.
  [[nodiscard]] std::vector<const Value*> pair_behind(const FusionGroup& group, const Value& output) const {
    if (!groups_.rules.pairs_after_weighted || !group.weighted()) return {};
    for (const Use& use : output.uses()) {
      if (!use.node->is("QuantizeLinear")) continue;
      const Value* quantized = use.node->output(0);
      if (!quantized->uses().empty()) return {quantized, quantized->uses().front().node->output(0)};
    }
    return {};
  }

  /// The node computes what only the quantised twin has.
  [[nodiscard]] bool is_of_twin(const Node& node) const {
    return own_.contains(node.name) || groups_.movement.contains(node.name) || !plain_.contains(node.name);
  }

  /// What stands for a value of the quantised model in the one that is being made.
  Result<Value*> bring(const Value& value) {
    if (const auto known = copies_.find(&value); known != copies_.end()) return known->second;
    Node* producer = value.producer();
    Value* found = nullptr;
    if (const Tensor* stored = value.initializer(); producer == nullptr && stored != nullptr) {
      found = graph_.find(value.name());
      const bool same = found != nullptr && found->initializer() != nullptr &&
                        found->initializer()->bytes().data() == stored->bytes().data();
      if (!same) found = &graph_.add_initializer(graph_.fresh_name(value.name()), *stored);
    } else if (producer == nullptr) {
      found = graph_.find(value.name());
    } else if (is_of_twin(*producer)) {
      for (const Value* input : producer->inputs()) {
        if (input != nullptr) TARMAC_CHECK_OK(bring(*input));
      }
      Node& copy = clone_node(*producer, graph_, copies_, before_);
      copy.name = copy.output(0)->name() + "_twin";
      return copies_.at(&value);
    } else {
      found = plain_.at(producer->name)->output(value.output_index());
    }
    if (found == nullptr) {
      return make_error(ErrorCode::kInternal, "the float model has no such value as the quantised one",
                        value.name());
    }
    copies_[&value] = found;
    return found;
  }

  const FusionGroups& groups_;
  Graph& graph_;
  NodesByName quantized_;
  NodesByName plain_;
  ValueMap copies_;
  std::set<std::string> own_;  // nodes of the group in work
  Node* before_ = nullptr;     // where its twin goes
};

/// Nodes were added where their groups end, which need not be where later twins read them.
Status put_in_order(Model& model) {
  if (!model.graph->sort()) return make_error(ErrorCode::kInternal, "twins of groups made a cycle");
  return verify_model(model);
}

}  // namespace

void name_nodes(Model& model) {
  for (const auto& node : model.graph->nodes()) {
    if (node->name.empty()) node->name = node->label();
  }
}

Result<NoiseModel> make_noise_model(const TwinParts& parts) {
  NoiseModel made{clone_model(parts.model), {}};
  Graph& graph = *made.model.graph;
  TwinMaker maker(parts, made.model);
  for (const FusionGroup& group : parts.groups.groups) {
    const auto power = [&](Value& value, const std::string& base, Node* before) {
      Value& sum = graph.add_op("ReduceSumSquare", {&value}, base, before);
      sum.producer()->attributes.emplace("keepdims", std::int64_t{0});
      sum.type = Type::tensor(DType::kFloat32, Shape{});
      graph.add_output(sum);
      return sum.name();
    };
    TARMAC_CHECK_OK(maker.add(group, [&](const Twins& twins, Node* before) -> Result<Value*> {
      // In this order: the other way round OpenVINO fuses it into the kernel of the quantised twin, before
      // the activation.
      Value& noise = graph.add_op("Sub", {twins.quantized, twins.plain}, group.name + "_error", before);
      noise.type = twins.plain->type;
      made.groups.push_back(
          {power(*twins.plain, group.name + "_signal", before), power(noise, group.name + "_noise", before)});
      return twins.plain;
    }));
  }
  TARMAC_CHECK_OK(put_in_order(made.model));
  return made;
}

Result<ToggledModel> make_toggled_model(const TwinParts& parts) {
  ToggledModel made{clone_model(parts.model), {}};
  Graph& graph = *made.model.graph;
  made.input = graph.fresh_name("int8_groups");
  const auto count = static_cast<std::int64_t>(parts.groups.groups.size());
  Value& switches = graph.add_input(made.input, Type::tensor(DType::kBool, Shape{count}));
  TwinMaker maker(parts, made.model);
  std::int64_t index = 0;
  for (const FusionGroup& group : parts.groups.groups) {
    TARMAC_CHECK_OK(maker.add(group, [&](const Twins& twins, Node* before) -> Result<Value*> {
      Value& place =
          graph.add_initializer(graph.fresh_name(group.name + "_index"),
                                Tensor::from<std::int64_t>({}, std::vector<std::int64_t>{index++}));
      Value& on = graph.add_op("Gather", {&switches, &place}, group.name + "_is_int8", before);
      on.type = Type::tensor(DType::kBool, Shape{});
      Value& chosen =
          graph.add_op("Where", {&on, twins.quantized, twins.plain}, group.output + "_chosen", before);
      chosen.type = twins.plain->type;
      Node* where = chosen.producer();
      graph.replace_uses(*twins.plain, chosen);
      where->set_input(2, twins.plain);
      return &chosen;
    }));
  }
  TARMAC_CHECK_OK(put_in_order(made.model));
  return made;
}

}  // namespace tarmac
