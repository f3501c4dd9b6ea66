#include "passes/inline_call.h"

namespace tarmac {
namespace {

using Attributes = std::map<std::string, Attribute, std::less<>>;

/// Values around a graph that is copied within its own scope stand for themselves.
void keep_outer(const Graph& graph, ValueMap& values) {
  for (const auto& node : graph.nodes()) {
    for (Value* input : node->inputs()) values.try_emplace(input, input);
    node->for_each_subgraph([&](const Graph& nested) { keep_outer(nested, values); });
  }
  for (Value* output : graph.outputs()) values.try_emplace(output, output);
}

/// Replaces references to the caller's attributes, in nested graphs too; one that nobody gives goes.
void resolve_attributes(Node& node, const Node& call, const Function& function) {
  std::vector<std::pair<std::string, std::string>> references;
  for (const auto& [key, value] : node.attributes) {
    if (const auto* reference = std::get_if<AttributeReference>(&value))
      references.emplace_back(key, reference->name);
  }
  for (const auto& [key, name] : references) {
    node.attributes.erase(key);
    const auto given = call.attributes.find(name);
    const auto fallback = function.defaults.find(name);
    const bool is_given = given != call.attributes.end();
    if (!is_given && fallback == function.defaults.end()) continue;
    ValueMap values;
    if (is_given) call.for_each_subgraph([&](const Graph& nested) { keep_outer(nested, values); });
    node.attributes.emplace(key, clone_attribute(is_given ? given->second : fallback->second, node, values));
  }
  normalize_constant(node);
  node.for_each_subgraph([&](const Graph& nested) {
    for (const auto& inner : nested.nodes()) resolve_attributes(*inner, call, function);
  });
}

}  // namespace

Result<std::vector<Node*>> splice(Node& call, const Graph& body, const std::vector<const Value*>& results,
                                  ValueMap values) {
  Graph& graph = call.graph();
  std::vector<Node*> nodes;
  for (const auto& inner : body.nodes()) {
    Node& copy = clone_node(*inner, graph, values, &call);
    std::size_t inputs = copy.inputs().size();
    while (inputs > 0 && copy.inputs()[inputs - 1] == nullptr) --inputs;
    copy.truncate_inputs(inputs);
    if (!copy.name.empty()) copy.name = call.label() + "/" + copy.name;
    nodes.push_back(&copy);
  }
  for (std::size_t i = 0; i < call.outputs().size(); ++i) {
    Value* output = call.output(i);
    if (output == nullptr) continue;
    Value* result = i < results.size() && results[i] != nullptr ? values.at(results[i]) : nullptr;
    if (result == nullptr) {
      if (output->unused()) continue;
      return make_error(
          ErrorCode::kInvalidModel,
          "output '" + output->name() + "' of the call of " + call.op_type + " has no value in its body",
          call.label());
    }
    if (result->type.kind == Type::Kind::kNone) result->type = output->type;
    if (graph.replace_uses(*output, *result)) continue;
    // The body hands an input on, or one value twice: a graph output needs a node of its own.
    Value& copy = graph.add_value(graph.fresh_name(output->name() + "_copy"), output->type);
    nodes.push_back(&graph.add_node("Identity", {result}, {&copy}, &call));
    graph.replace_uses(*output, copy);
  }
  graph.erase(call);
  return nodes;
}

Result<std::vector<Node*>> inline_call(Node& call, const Function& function) {
  const Graph& body = *function.body;
  if (call.inputs().size() > body.inputs().size() || call.outputs().size() > body.outputs().size()) {
    return make_error(
        ErrorCode::kInvalidModel,
        "the call of the local function " + function.name + " has " + std::to_string(call.inputs().size()) +
            " inputs and " + std::to_string(call.outputs().size()) + " outputs; the function has " +
            std::to_string(body.inputs().size()) + " and " + std::to_string(body.outputs().size()),
        call.label());
  }
  ValueMap values;
  for (std::size_t i = 0; i < body.inputs().size(); ++i) values[body.inputs()[i]] = call.input(i);
  // Resolved in a copy of the body: the call is gone afterwards.
  Graph copy(nullptr, nullptr);
  ValueMap inner;
  for (const Value* input : body.inputs()) inner[input] = &copy.add_input(input->name(), input->type);
  ValueMap outer;
  for (const Value* input : body.inputs()) outer[inner.at(input)] = values.at(input);
  for (const auto& node : body.nodes()) {
    Node& resolved = clone_node(*node, copy, inner);
    resolve_attributes(resolved, call, function);
    for (Value* output : resolved.outputs()) {
      if (output != nullptr) output->type = {};  // noted for no call in particular
    }
  }
  // What graphs of the call's attributes read stands for itself.
  call.for_each_subgraph([&](const Graph& nested) { keep_outer(nested, outer); });
  std::vector<const Value*> results;
  for (const Value* output : body.outputs()) results.push_back(inner.at(output));
  return splice(call, copy, results, std::move(outer));
}

void normalize_constant(Node& node) {
  if (!node.is("Constant") || node.attributes.size() != 1) return;
  const auto tensor = std::visit(
      [](const auto& value) -> std::optional<Tensor> {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::int64_t> || std::is_same_v<T, float>) {
          return Tensor::from<T>({}, std::vector<T>{value});
        } else if constexpr (std::is_same_v<T, std::vector<std::int64_t>> ||
                             std::is_same_v<T, std::vector<float>>) {
          return Tensor::from({static_cast<std::int64_t>(value.size())}, value);
        } else if constexpr (std::is_same_v<T, std::string>) {
          auto strings = Tensor::of_strings({}, {value});
          return strings ? std::optional(*std::move(strings)) : std::nullopt;
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          auto strings = Tensor::of_strings({static_cast<std::int64_t>(value.size())}, value);
          return strings ? std::optional(*std::move(strings)) : std::nullopt;
        } else {
          return std::nullopt;
        }
      },
      node.attributes.begin()->second);
  if (!tensor) return;
  node.attributes.clear();
  node.attributes.emplace("value", *tensor);
}

}  // namespace tarmac
