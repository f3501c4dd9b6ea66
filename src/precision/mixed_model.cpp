#include "precision/mixed_model.h"

#include <array>
#include <cassert>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "graph/model_io.h"
#include "precision/casts.h"
#include "precision/rounding.h"
#include "precision/strong_types.h"

namespace tarmac {
namespace {

constexpr auto kFloat32Number = static_cast<std::int64_t>(DType::kFloat32);

class Writer {
 public:
  Writer(Model& model, const PrecisionUnits& units, const std::vector<bool>& float32, DType type)
      : model_(model), units_(units), float32_(float32), type_(type) {}

  Status write(const Model& source) {
    pair(*source.graph, *model_.graph);
    TARMAC_CHECK_OK(write_graph(*model_.graph));
    return {};
  }

 private:
  /// The copy holds the same nodes and values in the same order.
  void pair(const Graph& source, Graph& copy) {
    for (std::size_t i = 0; i < source.inputs().size(); ++i) sources_[copy.inputs()[i]] = source.inputs()[i];
    for (std::size_t i = 0; i < source.initializers().size(); ++i) {
      assert(copy.initializers()[i]->name() == source.initializers()[i]->name());
      sources_[copy.initializers()[i]] = source.initializers()[i];
    }
    auto at = source.nodes().begin();
    for (const auto& node : copy.nodes()) {
      const Node& original = **at++;
      nodes_[node.get()] = &original;
      for (std::size_t i = 0; i < node->outputs().size(); ++i) {
        if (node->output(i) != nullptr) sources_[node->output(i)] = original.output(i);
      }
      std::vector<Graph*> nested;
      node->for_each_subgraph([&](Graph& graph) { nested.push_back(&graph); });
      std::size_t next = 0;
      original.for_each_subgraph([&](Graph& graph) { pair(graph, *nested[next++]); });
    }
    graphs_[&copy] = &source;
  }

  Status write_graph(Graph& graph) {
    std::vector<Node*> nodes;
    for (const auto& node : graph.nodes()) nodes.push_back(node.get());
    const std::vector<Value*> initializers(graph.initializers().begin(), graph.initializers().end());
    for (Value* value : graph.inputs()) TARMAC_CHECK_OK(write_value(*value));
    for (Value* value : initializers) {
      if (!value->is_input()) TARMAC_CHECK_OK(write_constant(*value));
    }
    for (Node* node : nodes) {
      if (constant_of(node->output(0)) != nullptr) {
        TARMAC_CHECK_OK(write_constant(*node->output(0)));
        continue;
      }
      TARMAC_CHECK_OK(write_attributes(*node));
      for (Value* output : std::vector<Value*>(node->outputs())) {
        if (output != nullptr) TARMAC_CHECK_OK(write_value(*output));
      }
      Status nested_status;
      node->for_each_subgraph([&](Graph& nested) {
        if (nested_status) nested_status = write_graph(nested);
      });
      TARMAC_CHECK_OK(nested_status);
    }
    return {};
  }

  [[nodiscard]] DType of(int unit) const {
    return float32_[static_cast<std::size_t>(unit)] ? DType::kFloat32 : type_;
  }

  /// The type that output `i` of a graph must have; kUndefined where it does not matter.
  [[nodiscard]] DType output_type(const Graph& graph, std::size_t i) const {
    const int unit = graph.parent() == nullptr ? units_.output(i) : units_.border(*graphs_.at(&graph), i);
    if (unit != PrecisionUnits::kNone) return of(unit);
    return is_float32(graphs_.at(&graph)->outputs()[i]) ? DType::kFloat32 : DType::kUndefined;
  }

  /// Where a value is wanted as `type`.
  struct Wanted {
    std::vector<Use> readers;
    std::vector<std::size_t> outputs;
    [[nodiscard]] bool empty() const { return readers.empty() && outputs.empty(); }
  };
  [[nodiscard]] Wanted wanted_as(const Value& value, DType type) const {
    Wanted wanted;
    for (const Use& use : value.uses()) {
      const auto original = nodes_.find(use.node);
      if (original == nodes_.end()) continue;  // a cast of ours
      const int unit = units_.reader(*original->second, use.index);
      if (unit != PrecisionUnits::kNone && of(unit) == type) wanted.readers.push_back(use);
    }
    const Graph& graph = value.graph();
    for (std::size_t i = 0; value.is_output() && i < graph.outputs().size(); ++i) {
      if (graph.outputs()[i] == &value && output_type(graph, i) == type) wanted.outputs.push_back(i);
    }
    return wanted;
  }

  Status write_value(Value& value) {
    const Value* source = sources_.at(&value);
    const int unit = units_.producer(*source);
    if (unit == PrecisionUnits::kNone) return {};
    const DType home = of(unit);
    value.type.kind = Type::Kind::kTensor;
    value.type.dtype = home;
    if (value.is_input() && value.initializer() != nullptr) {
      TARMAC_TRY(Tensor tensor, stored_as(*value.initializer(), home));
      value.graph().set_initializer(value, std::move(tensor));
    }
    const DType other = home == type_ ? DType::kFloat32 : type_;
    const Wanted wanted = wanted_as(value, other);
    if (wanted.empty()) return {};
    if (wanted.outputs.empty()) {
      cast_for_readers(value, other, wanted.readers);
      return {};
    }
    // One cast serves the output and the readers.
    Graph& graph = value.graph();
    cast_output(graph, wanted.outputs.front(), other);
    Value& cast = *graph.outputs()[wanted.outputs.front()];
    for (const std::size_t i : wanted.outputs) graph.set_output(i, cast);
    for (const Use& use : wanted.readers) use.node->set_input(use.index, &cast);
    return {};
  }

  /// A weight is stored in each type in which it is read.
  Status write_constant(Value& value) {
    const Tensor tensor = *constant_of(&value);
    if (tensor.dtype() != DType::kFloat32) return {};
    const Wanted small = wanted_as(value, type_);
    if (small.empty()) return {};
    TARMAC_TRY(Tensor converted, stored_as(tensor, type_));
    Graph& graph = value.graph();
    if (wanted_as(value, DType::kFloat32).empty()) {
      value.type = Type::tensor(type_, converted.shape());
      if (value.producer() != nullptr) {
        value.producer()->attributes["value"] = std::move(converted);
      } else {
        graph.set_initializer(value, std::move(converted));
      }
      return {};
    }
    Value& copy =
        graph.add_initializer(graph.fresh_name(value.name() + "_" + to_string(type_)), std::move(converted));
    for (const Use& use : small.readers) use.node->set_input(use.index, &copy);
    for (const std::size_t i : small.outputs) graph.set_output(i, copy);
    return {};
  }

  Status write_attributes(Node& node) {
    const int unit = units_.unit_of(*nodes_.at(&node));
    if (unit == PrecisionUnits::kNone || of(unit) != type_) return {};
    const auto number = static_cast<std::int64_t>(type_);
    const Value* result = nodes_.at(&node)->output(0);
    if (node.is("Attention")) node.attributes.emplace("softmax_precision", kFloat32Number);
    if (result == nullptr || units_.producer(*result) != unit) return {};
    if (node.is("ConstantOfShape")) {
      const Tensor* fill = node.attribute<Tensor>("value");
      const Tensor zero = Tensor::from<float>({1}, std::vector<float>{0});
      TARMAC_TRY(Tensor converted, stored_as(fill == nullptr ? zero : *fill, type_));
      node.attributes["value"] = std::move(converted);
    }
    if (node.is("EyeLike")) node.attributes["dtype"] = number;
    constexpr std::array<std::pair<const char*, const char*>, 6> kTypeAttributes = {
        {{"Cast", "to"},
         {"DequantizeLinear", "output_dtype"},
         {"HannWindow", "output_datatype"},
         {"HammingWindow", "output_datatype"},
         {"BlackmanWindow", "output_datatype"},
         {"MelWeightMatrix", "output_datatype"}}};
    for (const auto& [op_type, key] : kTypeAttributes) {
      if (!node.is(op_type)) continue;
      // Left out, the windows' type is float32; DequantizeLinear then follows its scale.
      const std::int64_t now =
          node.attribute_or<std::int64_t>(key, std::string_view(key) == "output_datatype" ? 1 : 0);
      if (now == kFloat32Number) node.attributes[key] = number;
    }
    return {};
  }

  Model& model_;
  const PrecisionUnits& units_;
  const std::vector<bool>& float32_;
  const DType type_;
  std::unordered_map<const Value*, const Value*> sources_;  // of the copy → of the source
  std::unordered_map<const Node*, const Node*> nodes_;
  std::unordered_map<const Graph*, const Graph*> graphs_;
};

}  // namespace

Result<Model> make_mixed_model(const Model& source, const PrecisionUnits& units,
                               const std::vector<bool>& float32, DType type) {
  Model model = clone_model(source);
  TARMAC_CHECK_OK(Writer(model, units, float32, type).write(source));
  remove_needless_casts(*model.graph);
  // A model of another domain's operators alone may now have casts; 13 is the first that knows bfloat16.
  model.opsets.emplace("", 13);
  TARMAC_CHECK_OK(check_strong_types(model));
  TARMAC_CHECK_OK(verify_model(model));
  return model;
}

}  // namespace tarmac
