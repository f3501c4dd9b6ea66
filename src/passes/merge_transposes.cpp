#include "passes/passes.h"
#include "passes/rewrite.h"

namespace tarmac {
namespace {

using Permutation = std::vector<std::int64_t>;

std::optional<std::size_t> rank_of_either(const Node& first, const Node& second) {
  for (const Node* node : {&first, &second}) {
    if (const auto* perm = node->attribute<Permutation>("perm")) return perm->size();
    if (const auto rank = rank_of(node->input(0))) return rank;
  }
  return std::nullopt;
}

void merge(const Graph& graph, Node& node, PassContext& context) {
  if (!node.is("Transpose")) return;
  // Elementwise nodes in between compute the same on either side of a Transpose.
  std::vector<Node*> between;
  Node* first = node.input(0)->producer();
  while (first != nullptr && is_elementwise(*first) && sole_producer(graph, first->output(0)) == first) {
    between.push_back(first);
    first = first->input(0) == nullptr ? nullptr : first->input(0)->producer();
  }
  if (first == nullptr || !first->is("Transpose")) return;
  if (!between.empty() && sole_producer(graph, first->output(0)) != first) return;
  const auto rank = rank_of_either(*first, node);
  if (!rank) return;
  const auto inner = permutation_of(*first, *rank);
  const auto outer = permutation_of(node, *rank);
  if (!inner || !outer) return;
  Permutation both(*rank);
  bool identity = true;
  for (std::size_t i = 0; i < *rank; ++i) {
    both[i] = (*inner)[static_cast<std::size_t>((*outer)[i])];
    identity = identity && both[i] == static_cast<std::int64_t>(i);
  }
  context.changed(node, (identity ? "undoes Transpose '" : "does the work of Transpose '") + first->label() +
                            "' before it");
  Value& source = *first->input(0);
  for (Node* moved : between) moved->output(0)->type.shape = source.type.shape;
  Value* input = between.empty() ? &source : node.input(0);
  if (!between.empty()) replace_input(*between.back(), 0, &source);
  if (identity) {
    pass_on(node, *input);
  } else {
    node.attributes["perm"] = both;
    replace_input(node, 0, input);
  }
}

}  // namespace

Status merge_transposes(Model& model, PassContext& context) {
  visit_nodes(*model.graph, [&](Graph& graph, Node& node) { merge(graph, node, context); });
  return {};
}

}  // namespace tarmac
