#include <algorithm>
#include <optional>

#include "passes/passes.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

std::optional<std::vector<std::int64_t>> constant_integers(const Value* value) {
  const Tensor* tensor = constant_of(value);
  if (tensor == nullptr) return std::nullopt;
  auto integers = to_int64s(*tensor);
  return integers ? std::optional(*std::move(integers)) : std::nullopt;
}

bool all_equal(const Value* value, double expected) {
  const Tensor* tensor = constant_of(value);
  if (tensor == nullptr || tensor->count() == 0) return false;
  const auto numbers = to_doubles(*tensor);
  return numbers && std::all_of(numbers->begin(), numbers->end(), [&](double x) { return x == expected; });
}

/// Whether the node's output certainly has the type and shape of `value`; broadcasting may have enlarged it.
bool same_shape(const Node& node, const Value& value) {
  const Type& type = node.output(0)->type;
  return type.is_tensor() && type.shape && value.type.is_tensor() && type.dtype == value.type.dtype &&
         type.shape == value.type.shape &&
         std::all_of(type.shape->begin(), type.shape->end(),
                     [](const Dim& dim) { return dim.known() || !dim.symbol.empty(); });
}

bool is_identity_permutation(const std::vector<std::int64_t>& perm) {
  for (std::size_t i = 0; i < perm.size(); ++i) {
    if (perm[i] != static_cast<std::int64_t>(i)) return false;
  }
  return true;
}

/// The input that the node passes on unchanged, or null.
Value* passed_on(const Node& node, std::int64_t opset) {
  Value* input = node.input(0);
  if (!node.domain.empty() || input == nullptr || node.output(0) == nullptr) return nullptr;
  const std::string& op = node.op_type;
  if (op == "Identity") return input;
  if (op == "Dropout") {
    // From opset 12 a third input may switch training on; its absence means inference.
    // Before version 7 it drops unless told otherwise.
    const bool training = (node.input(2) != nullptr && !all_equal(node.input(2), 0.0)) ||
                          (opset < 7 && node.attribute_or<std::int64_t>("is_test", 0) == 0);
    const bool mask_used = node.output(1) != nullptr && !node.output(1)->unused();
    return training || mask_used ? nullptr : input;
  }
  if (op == "Cast")
    return node.attribute_or<std::int64_t>("to", 0) == static_cast<std::int64_t>(input->type.dtype) ? input
                                                                                                    : nullptr;
  if (op == "Transpose") {
    const auto* perm = node.attribute<std::vector<std::int64_t>>("perm");
    return perm != nullptr && is_identity_permutation(*perm) ? input : nullptr;
  }
  if (op == "Reshape" && input->type.is_tensor() && input->type.shape && input->type.shape->size() == 1 &&
      constant_integers(node.input(1)) == std::vector<std::int64_t>{-1}) {
    return input;  // a vector, of whatever length
  }
  if (op == "Reshape" || op == "Expand" || op == "Flatten" || op == "Squeeze" || op == "Unsqueeze") {
    return input->type.static_shape() && same_shape(node, *input) ? input : nullptr;
  }
  if (op == "Pad") {
    if (const auto* pads = node.attribute<std::vector<std::int64_t>>("pads")) {
      return std::all_of(pads->begin(), pads->end(), [](std::int64_t p) { return p == 0; }) ? input : nullptr;
    }
    return all_equal(node.input(1), 0.0) ? input : nullptr;
  }
  if (op == "Slice") {
    // Only the plain full slice: same sizes, forward by one.
    const auto steps = constant_integers(node.input(4));
    const bool forward = node.input(4) == nullptr ||
                         (steps && std::all_of(steps->begin(), steps->end(), [](auto s) { return s == 1; }));
    return forward && input->type.static_shape() && same_shape(node, *input) ? input : nullptr;
  }
  if ((op == "Concat" || op == "Sum" || op == "Max" || op == "Min" || op == "Mean") &&
      node.inputs().size() == 1)
    return input;
  const bool neutral_zero = op == "Add" || op == "Sub";
  const bool neutral_one = op == "Mul" || op == "Div" || op == "Pow";
  if (neutral_zero || neutral_one) {
    // x + 0 is x but for −0, which IEEE 754 makes +0; no network tells the two apart.
    const double neutral = neutral_zero ? 0.0 : 1.0;
    if (all_equal(node.input(1), neutral) && same_shape(node, *input)) return input;
    const bool commutes = op == "Add" || op == "Mul";
    if (commutes && node.input(1) != nullptr && all_equal(input, neutral) && same_shape(node, *node.input(1)))
      return node.input(1);
  }
  return nullptr;
}

void clean(Graph& graph, std::int64_t opset, PassContext& context) {
  std::vector<Node*> nodes;
  for (const auto& node : graph.nodes()) nodes.push_back(node.get());
  for (Node* node : nodes) {
    node->for_each_subgraph([&](Graph& nested) { clean(nested, opset, context); });
    Value* source = passed_on(*node, opset);
    if (source == nullptr) continue;
    Value& result = *node->output(0);
    const bool had_readers = !result.uses().empty();
    const bool gone = graph.replace_uses(result, *source);
    if (!gone && !had_readers) continue;  // it only feeds a graph output, which must keep its own value
    context.changed(*node, node->op_type + " passes its input on unchanged");
    const bool erasable =
        gone && std::all_of(node->outputs().begin(), node->outputs().end(),
                            [](const Value* output) { return output == nullptr || output->unused(); });
    if (erasable) graph.erase(*node);
  }
}

}  // namespace

Status eliminate_no_ops(Model& model, PassContext& context) {
  clean(*model.graph, model.opset(), context);
  return {};
}

}  // namespace tarmac
