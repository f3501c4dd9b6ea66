#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace tarmac {
namespace {

using Sizes = std::vector<std::int64_t>;

/// The node keeps all elements in their order.
bool reinterprets(const Node& node) {
  return node.is("Reshape") || node.is("Flatten") || node.is("Squeeze") || node.is("Unsqueeze");
}

/// A size of the target shape: known, one that stands at the same place in the input (0), or neither.
struct Target {
  std::optional<std::int64_t> size;
  bool as_input = false;
};

/// The shape input of a Reshape with allowzero = 0; one size may be left to the element count (−1).
std::optional<Sizes> shape_input(const std::vector<Target>& targets) {
  const auto unknown = std::count_if(targets.begin(), targets.end(),
                                     [](const Target& target) { return !target.size.has_value(); });
  Sizes sizes;
  bool open = false;
  for (const Target& target : targets) {
    if (target.size == 0) return std::nullopt;  // would be read as "as in the input"
    if (target.size) {
      sizes.push_back(*target.size);
    } else if (target.as_input && unknown > 1) {
      sizes.push_back(0);
    } else if (!open) {
      open = true;
      sizes.push_back(-1);
    } else {
      return std::nullopt;
    }
  }
  return sizes;
}

/// From what is known of the result.
std::optional<Sizes> shape_from_types(const Type& from, const Type& to) {
  if (!to.is_tensor() || !to.shape) return std::nullopt;
  std::vector<Target> targets;
  for (std::size_t i = 0; i < to.shape->size(); ++i) {
    const Dim& dim = (*to.shape)[i];
    const bool as_input = from.is_tensor() && from.shape && i < from.shape->size() &&
                          same_dim((*from.shape)[i], dim) && !dim.known();
    targets.push_back({dim.size, as_input});
  }
  return shape_input(targets);
}

/// A shape put together from constants and one computed size: that one follows from the element count.
std::optional<Sizes> shape_from_parts(const Value* shape) {
  const Node* concat = shape == nullptr ? nullptr : shape->producer();
  if (concat == nullptr || !concat->is("Concat")) return std::nullopt;
  Sizes sizes;
  bool open = false;
  for (const Value* input : concat->inputs()) {
    if (const auto part = constant_integers(input)) {
      sizes.insert(sizes.end(), part->begin(), part->end());
      continue;
    }
    const auto part = input == nullptr ? std::nullopt : input->type.static_shape();
    if (open || !part || *part != Shape{1}) return std::nullopt;
    open = true;
    sizes.push_back(-1);
  }
  return std::count(sizes.begin(), sizes.end(), -1) == 1 ? std::optional(sizes) : std::nullopt;
}

void set_shape(Graph& graph, Node& node, const Sizes& sizes) {
  node.op_type = "Reshape";
  for (const char* name : {"allowzero", "axis", "axes"}) node.attributes.erase(name);
  set_integers(graph, node, "shape", 1, true, sizes);
}

/// A computed shape of which enough is known becomes a constant.
void settle_shape(Graph& graph, Node& node, PassContext& context) {
  if (!node.is("Reshape") || node.input(0) == nullptr || constant_of(node.input(1)) != nullptr) return;
  if (node.attribute_or<std::int64_t>("allowzero", 0) != 0) return;
  auto sizes = shape_from_types(node.input(0)->type, node.output(0)->type);
  if (!sizes) sizes = shape_from_parts(node.input(1));
  if (!sizes) return;
  context.changed(node, "its shape is known up to what the element count says");
  set_shape(graph, node, *sizes);
}

/// Whether the node's result depends on the elements of its input only, not on their shape.
bool ignores_input_shape(const Node& node) {
  if (!node.is("Reshape")) return false;
  const auto sizes = constant_integers(node.input(1));
  return sizes && (node.attribute_or<std::int64_t>("allowzero", 0) != 0 ||
                   std::find(sizes->begin(), sizes->end(), 0) == sizes->end());
}

void merge(Graph& graph, Node& node, PassContext& context) {
  if (!reinterprets(node) || node.input(0) == nullptr) return;
  settle_shape(graph, node, context);
  const Node* first = node.input(0)->producer();
  if (first == nullptr || !reinterprets(*first) || first->input(0) == nullptr) return;
  Value& source = *first->input(0);
  const std::string what = "does the work of " + first->op_type + " '" + first->label() + "' before it";
  if (same_when_reshaped(source.type, node.output(0)->type)) {
    context.changed(node, "undoes " + first->op_type + " '" + first->label() + "' before it");
    pass_on(node, source);
  } else if (ignores_input_shape(node)) {
    context.changed(node, what);
    replace_input(node, 0, &source);
  } else if (node.is("Reshape") || sole_producer(graph, node.input(0)) == first) {
    const auto sizes = shape_from_types(source.type, node.output(0)->type);
    if (!sizes) return;
    context.changed(node, what);
    set_shape(graph, node, *sizes);
    replace_input(node, 0, &source);
  }
}

}  // namespace

Status merge_reshapes(Model& model, PassContext& context) {
  if (model.opset() < 5) return {};  // the shape was an attribute
  visit_nodes(*model.graph, [&](Graph& graph, Node& node) { merge(graph, node, context); });
  return {};
}

}  // namespace tarmac
