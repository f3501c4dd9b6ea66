#include "precision/casts.h"

#include <cassert>

#include "precision/rounding.h"

namespace tarmac {
namespace {

Value& add_cast(Value& value, DType dtype, const std::string& name) {
  Graph& graph = value.graph();
  Node* before = value.producer() != nullptr ? value.producer()->next()
                 : graph.nodes().empty()     ? nullptr
                                             : graph.nodes().front().get();
  Value& result = graph.add_op("Cast", {&value}, name, before);
  result.type = value.type;
  result.type.dtype = dtype;
  result.producer()->name = graph.fresh_name(name + "_cast");
  result.producer()->attributes.emplace("to", static_cast<std::int64_t>(dtype));
  return result;
}

}  // namespace

Value& cast_for_readers(Value& value, DType dtype, const std::vector<Use>& readers) {
  Value& result = add_cast(value, dtype, value.name() + "_" + to_string(dtype));
  for (const Use& use : readers) use.node->set_input(use.index, &result);
  return result;
}

Status cast_behind_input(Value& input, DType dtype) {
  const std::vector<Use> readers = input.uses();
  if (!readers.empty()) cast_for_readers(input, DType::kFloat32, readers);
  input.type.dtype = dtype;
  if (input.initializer() != nullptr) {
    TARMAC_TRY(Tensor tensor, stored_as(*input.initializer(), dtype));
    input.graph().set_initializer(input, std::move(tensor));
  }
  return {};
}

void cast_output(Graph& graph, std::size_t i, DType dtype) {
  Value& value = *graph.outputs()[i];
  assert(value.producer() != nullptr);
  const std::string name = value.name();
  graph.rename(value, graph.fresh_name(name + "_" + to_string(value.type.dtype)));
  Value& result = add_cast(value, dtype, name);
  graph.set_output(i, result);
  if (result.name() != name) graph.rename(result, name);
  result.doc_string = std::move(value.doc_string);
  value.doc_string.clear();
}

std::size_t remove_needless_casts(Graph& graph) {
  std::size_t removed = 0;
  std::vector<Node*> nodes;
  for (const auto& node : graph.nodes()) nodes.push_back(node.get());
  for (Node* node : nodes) {
    node->for_each_subgraph([&](Graph& nested) { removed += remove_needless_casts(nested); });
    if (!node->is("Cast") || !node->input(0)->type.is_tensor()) continue;
    const auto type = static_cast<std::int64_t>(node->input(0)->type.dtype);
    if (node->attribute_or<std::int64_t>("to", 0) != type) continue;
    if (!graph.replace_uses(*node->output(0), *node->input(0))) continue;
    graph.erase(*node);
    ++removed;
  }
  return removed;
}

}  // namespace tarmac
