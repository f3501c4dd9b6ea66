#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace tarmac {
namespace {

using Axes = std::vector<std::int64_t>;

bool has_axes(const Node& node) {
  return node.attributes.contains("axes") || (node.inputs().size() > 1 && node.input(1) != nullptr);
}

bool contains(const Axes& axes, std::size_t axis) {
  return std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(axis)) != axes.end();
}

/// A dimension of a value in a chain: an axis of the chain's input, or one that was inserted.
constexpr std::int64_t kInserted = -1;

/// Follows `dims` through a Squeeze or Unsqueeze; squeezed axes of the chain's input are noted.
bool follow(const Node& node, Axes& dims, Axes& squeezed) {
  const auto listed = constant_integers(node, "axes", 1);
  if (!listed) return false;
  const bool removes = node.op_type == "Squeeze";
  const auto axes = positive_axes(*listed, dims.size() + (removes ? 0 : listed->size()));
  if (!axes) return false;
  Axes result;
  if (removes) {
    for (std::size_t i = 0; i < dims.size(); ++i) {
      if (!contains(*axes, i)) {
        result.push_back(dims[i]);
      } else if (dims[i] != kInserted) {
        squeezed.push_back(dims[i]);
      }
    }
  } else {
    std::size_t next = 0;
    for (std::size_t i = 0; i < dims.size() + axes->size(); ++i)
      result.push_back(contains(*axes, i) ? kInserted : dims[next++]);
  }
  dims = std::move(result);
  return true;
}

/// Ones before each axis that stays, and after the last.
Axes count_ones(const Axes& dims, const Axes& squeezed) {
  Axes ones(1, 0);
  for (const std::int64_t dim : dims) {
    if (dim == kInserted || std::find(squeezed.begin(), squeezed.end(), dim) != squeezed.end()) {
      ++ones.back();
    } else {
      ones.push_back(0);
    }
  }
  return ones;
}

/// Where the `more` − `fewer` extra ones stand in the longer shape.
std::optional<Axes> extra_ones(const Axes& more, const Axes& fewer) {
  Axes axes;
  std::int64_t position = 0;
  for (std::size_t i = 0; i < more.size(); ++i) {
    if (more[i] < fewer[i]) return std::nullopt;
    for (std::int64_t k = fewer[i]; k < more[i]; ++k) axes.push_back(position + k);
    position += more[i] + 1;
  }
  return axes;
}

void merge_pair(Graph& graph, Node& node, const Node& first, std::int64_t opset, PassContext& context) {
  Value& source = *first.input(0);
  const auto rank = rank_of(&source);
  const std::string what = "does the work of " + first.op_type + " '" + first.label() + "' before it";
  if (node.op_type == "Squeeze" && !has_axes(node)) {  // takes every 1, whoever put it there
    if (first.op_type == "Squeeze" || constant_integers(first, "axes", 1)) {
      context.changed(node, what);
      replace_input(node, 0, &source);
    }
    return;
  }
  if (!rank) return;
  Axes original(*rank);
  for (std::size_t i = 0; i < *rank; ++i) original[i] = static_cast<std::int64_t>(i);
  Axes dims = original;
  Axes squeezed;
  if (!follow(first, dims, squeezed) || !follow(node, dims, squeezed)) return;
  const Axes before = count_ones(original, squeezed);
  const Axes after = count_ones(dims, {});
  if (before == after) {
    context.changed(node, "undoes " + first.op_type + " '" + first.label() + "' before it");
    pass_on(node, source);
    return;
  }
  const auto inserted = extra_ones(after, before);
  const auto removed = extra_ones(before, after);
  if (!inserted && !removed) return;  // both at once is a Reshape
  context.changed(node, what);
  node.op_type = inserted ? "Unsqueeze" : "Squeeze";
  set_integers(graph, node, "axes", 1, opset >= 13, inserted ? *inserted : *removed);
  replace_input(node, 0, &source);
}

/// `first` gives the node's result itself: its readers move over.
void take_over(Graph& graph, Node& node, Node& first) {
  Value& result = *first.output(0);
  Type type = node.output(0)->type;
  graph.replace_uses(*node.output(0), result);
  std::vector<Value*> inputs = node.inputs();
  graph.erase(node);
  result.type = std::move(type);
  erase_unused(std::move(inputs));
}

bool same_axes(const Node& node, Axes first_axes, std::size_t wide_rank) {
  const auto listed = constant_integers(node, "axes", 1);
  if (!listed) return false;
  auto own = positive_axes(*listed, wide_rank);
  auto other = positive_axes(std::move(first_axes), wide_rank);
  if (!own || !other) return false;
  std::sort(own->begin(), own->end());
  std::sort(other->begin(), other->end());
  return own == other;
}

/// Reduce and Unsqueeze of the same axes: reduce with keepdims = 1; with Squeeze: keepdims = 0.
void merge_reduction(Graph& graph, Node& node, Node& first, PassContext& context) {
  const bool arg = first.op_type == "ArgMax" || first.op_type == "ArgMin";
  if (!arg && !first.op_type.starts_with("Reduce")) return;
  const bool inserts = node.op_type == "Unsqueeze";
  if ((first.attribute_or<std::int64_t>("keepdims", 1) != 0) == inserts) return;
  const auto rank = rank_of(first.input(0));
  const auto axes = arg ? std::optional(Axes{first.attribute_or<std::int64_t>("axis", 0)})
                        : constant_integers(first, "axes", 1);
  if (!rank || !axes || axes->empty() || !same_axes(node, *axes, *rank)) return;
  context.changed(node, first.op_type + " '" + first.label() + "' " + (inserts ? "keeps" : "drops") +
                            " its dimensions itself");
  first.attributes["keepdims"] = static_cast<std::int64_t>(inserts ? 1 : 0);
  take_over(graph, node, first);
}

/// Gather of one index and Unsqueeze or Squeeze of its axis: the index gains or loses a dimension.
void merge_gather(Graph& graph, Node& node, Node& first, PassContext& context) {
  const Tensor* index = constant_of(first.input(1));
  const auto rank = rank_of(first.input(0));
  const bool inserts = node.op_type == "Unsqueeze";
  if (!first.is("Gather") || index == nullptr || !rank || index->count() != 1) return;
  if (index->shape().size() != (inserts ? 0U : 1U)) return;
  if (!same_axes(node, {first.attribute_or<std::int64_t>("axis", 0)}, *rank)) return;
  const auto reshaped = index->reshaped(inserts ? Shape{1} : Shape{});
  if (!reshaped) return;
  context.changed(node, "Gather '" + first.label() + "' takes an index of the rank that is needed");
  replace_input(first, 1, &graph.add_initializer(graph.fresh_name(first.label() + "_index"), *reshaped));
  take_over(graph, node, first);
}

void merge(Graph& graph, Node& node, std::int64_t opset, PassContext& context) {
  if ((!node.is("Squeeze") && !node.is("Unsqueeze")) || node.input(0) == nullptr) return;
  Node* first = node.input(0)->producer();
  if (first == nullptr || !first->domain.empty()) return;
  if (first->op_type == "Squeeze" || first->op_type == "Unsqueeze") {
    merge_pair(graph, node, *first, opset, context);
  } else if (sole_producer(graph, node.input(0)) == first) {
    if (first->op_type == "Gather") {
      merge_gather(graph, node, *first, context);
    } else {
      merge_reduction(graph, node, *first, context);
    }
  }
}

}  // namespace

Status merge_squeezes(Model& model, PassContext& context) {
  visit_nodes(*model.graph, [&](Graph& graph, Node& node) { merge(graph, node, model.opset(), context); });
  return {};
}

}  // namespace tarmac
