#include "passes/rewrite.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

#include "passes/region.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

bool unread(const Node& node) {
  return std::all_of(node.outputs().begin(), node.outputs().end(),
                     [](const Value* output) { return output == nullptr || output->unused(); });
}

template <std::size_t N>
bool is_one_of(const Node& node, const std::array<std::string_view, N>& ops) {
  return node.domain.empty() && std::find(ops.begin(), ops.end(), node.op_type) != ops.end();
}

}  // namespace

void visit_nodes(Graph& graph, const std::function<void(Graph& graph, Node& node)>& visit) {
  std::vector<Node*> nodes;
  nodes.reserve(graph.nodes().size());
  for (const auto& node : graph.nodes()) nodes.push_back(node.get());
  for (Node* node : nodes) {
    node->for_each_subgraph([&](Graph& nested) { visit_nodes(nested, visit); });
    visit(graph, *node);
  }
}

bool pass_on(Node& node, Value& source) {
  Value& result = *node.output(0);
  bool changed = !result.uses().empty();
  if (node.graph().replace_uses(result, source)) {
    if (unread(node)) {
      std::vector<Value*> inputs = node.inputs();
      node.graph().erase(node);
      std::erase(inputs, &source);
      erase_unused(std::move(inputs));
    }
    return true;
  }
  if (node.outputs().size() > 1 || (node.is("Identity") && node.input(0) == &source)) return changed;
  std::vector<Value*> inputs = node.inputs();
  node.truncate_inputs(0);
  node.add_input(&source);
  node.op_type = "Identity";
  node.attributes.clear();
  erase_unused(std::move(inputs));
  return true;
}

void erase_unused(std::vector<Value*> values) {
  std::vector<Node*> open;
  const auto drop_each = [&open](std::vector<Value*>& unread_values) {
    std::sort(unread_values.begin(), unread_values.end());
    unread_values.erase(std::unique(unread_values.begin(), unread_values.end()), unread_values.end());
    for (Value* value : unread_values) {
      if (value == nullptr || !value->unused()) continue;
      if (Node* node = value->producer()) {
        // Each once: it is gone after its turn.
        if (std::find(open.begin(), open.end(), node) == open.end()) open.push_back(node);
      } else if (value->initializer() != nullptr && !value->is_input()) {
        value->graph().erase(*value);
      }
    }
  };
  drop_each(values);
  while (!open.empty()) {
    Node* node = open.back();
    open.pop_back();
    if (!unread(*node)) continue;
    std::vector<Value*> inputs = node->inputs();
    node->graph().erase(*node);
    drop_each(inputs);
  }
}

bool has_one_reader(const Value& value) { return value.uses().size() == 1 && !value.is_output(); }

Node* sole_producer(const Graph& graph, const Value* value) {
  if (value == nullptr || &value->graph() != &graph || !has_one_reader(*value)) return nullptr;
  return value->producer();
}

std::optional<std::vector<std::int64_t>> constant_integers(const Value* value) {
  const Tensor* tensor = constant_of(value);
  if (tensor == nullptr) return std::nullopt;
  auto integers = to_int64s(*tensor);
  return integers ? std::optional(*std::move(integers)) : std::nullopt;
}

std::optional<std::vector<std::int64_t>> constant_integers(const Node& node, std::string_view attribute,
                                                           std::size_t input) {
  if (const auto* values = node.attribute<std::vector<std::int64_t>>(attribute)) return *values;
  return constant_integers(node.input(input));
}

std::optional<double> uniform_value(const Value* value) {
  const Tensor* tensor = constant_of(value);
  if (tensor == nullptr || tensor->count() == 0) return std::nullopt;
  const auto bytes = tensor->bytes();
  const auto width = static_cast<std::size_t>(bit_width(tensor->dtype())) / 8;
  if (width == 0) return std::nullopt;
  // Each element equals the one before it; a weight is left at its second element, unread.
  if (std::memcmp(bytes.data(), bytes.data() + width, bytes.size() - width) != 0) return std::nullopt;
  const auto first = Tensor::view(tensor->dtype(), {}, bytes.first(width), nullptr);
  if (!first) return std::nullopt;
  const auto number = to_doubles(*first);
  return number ? std::optional((*number)[0]) : std::nullopt;
}

Value& add_integers(Graph& graph, const std::string& name, const std::vector<std::int64_t>& values) {
  return graph.add_initializer(graph.fresh_name(name),
                               Tensor::from({static_cast<std::int64_t>(values.size())}, values));
}

void set_integers(Graph& graph, Node& node, const std::string& attribute, std::size_t input, bool as_input,
                  const std::vector<std::int64_t>& values) {
  if (as_input) {
    replace_input(node, input, &add_integers(graph, node.output(0)->name() + "_" + attribute, values));
  } else {
    node.attributes[attribute] = values;
  }
}

void trim_inputs(Node& node) {
  std::size_t count = node.inputs().size();
  while (count > 1 && node.input(count - 1) == nullptr) --count;
  node.truncate_inputs(count);
}

void replace_input(Node& node, std::size_t i, Value* value) {
  while (node.inputs().size() <= i) node.add_input(nullptr);
  Value* old = node.input(i);
  if (old == value) return;
  node.set_input(i, value);
  erase_unused({old});
}

std::optional<std::size_t> rank_of(const Value* value) {
  if (value == nullptr || !value->type.is_tensor() || !value->type.shape) return std::nullopt;
  return value->type.shape->size();
}

std::optional<std::vector<std::int64_t>> positive_axes(std::vector<std::int64_t> axes, std::size_t rank) {
  const auto size = static_cast<std::int64_t>(rank);
  for (std::int64_t& axis : axes) {
    if (axis < -size || axis >= size) return std::nullopt;
    if (axis < 0) axis += size;
  }
  std::vector<std::int64_t> sorted = axes;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) return std::nullopt;
  return axes;
}

std::optional<std::vector<std::int64_t>> permutation_of(const Node& transpose, std::size_t rank) {
  if (const auto* perm = transpose.attribute<std::vector<std::int64_t>>("perm"))
    return perm->size() == rank ? positive_axes(*perm, rank) : std::nullopt;
  std::vector<std::int64_t> reversed(rank);
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  return reversed;
}

bool same_dim(const Dim& a, const Dim& b) {
  if (a.known() || b.known()) return a.size == b.size;
  return !a.symbol.empty() && a.symbol == b.symbol;
}

bool same_type(const Type& a, const Type& b) {
  return a.is_tensor() && b.is_tensor() && a.dtype == b.dtype && a.shape && b.shape &&
         std::equal(a.shape->begin(), a.shape->end(), b.shape->begin(), b.shape->end(), same_dim);
}

bool same_when_reshaped(const Type& from, const Type& to) {
  if (!from.is_tensor() || !to.is_tensor() || from.dtype != to.dtype || !from.shape || !to.shape ||
      from.shape->size() != to.shape->size())
    return false;
  std::size_t open = 0;
  bool empty = false;
  for (std::size_t i = 0; i < from.shape->size(); ++i) {
    const Dim& a = (*from.shape)[i];
    const Dim& b = (*to.shape)[i];
    if (same_dim(a, b)) {
      empty = empty || a.size == 0;
    } else if (b.known()) {  // other sizes, or a size that only the reshaping makes known
      return false;
    } else {
      ++open;
    }
  }
  // The element count settles one open size, unless the count is zero whatever that size is.
  return open == 0 || (open == 1 && !empty);
}

bool is_elementwise(const Node& node) {
  static constexpr std::array<std::string_view, 41> kOps = {"Abs",
                                                            "Acos",
                                                            "Acosh",
                                                            "Asin",
                                                            "Asinh",
                                                            "Atan",
                                                            "Atanh",
                                                            "Cast",
                                                            "Ceil",
                                                            "Celu",
                                                            "Clip",
                                                            "Cos",
                                                            "Cosh",
                                                            "Elu",
                                                            "Erf",
                                                            "Exp",
                                                            "Floor",
                                                            "Gelu",
                                                            "HardSigmoid",
                                                            "HardSwish",
                                                            "Identity",
                                                            "IsInf",
                                                            "IsNaN",
                                                            "LeakyRelu",
                                                            "Log",
                                                            "Mish",
                                                            "Neg",
                                                            "Not",
                                                            "Reciprocal",
                                                            "Relu",
                                                            "Round",
                                                            "Selu",
                                                            "Sigmoid",
                                                            "Sign",
                                                            "Sin",
                                                            "Softplus",
                                                            "Softsign",
                                                            "Sqrt",
                                                            "Swish",
                                                            "Tanh",
                                                            "ThresholdedRelu"};
  return is_one_of(node, kOps);
}

bool is_non_negative(const Node& node) {
  static constexpr std::array<std::string_view, 9> kOps = {
      "Abs", "Exp", "HardSigmoid", "Relu", "ReduceL2", "Sigmoid", "Softmax", "Softplus", "Sqrt"};
  return is_one_of(node, kOps);
}

}  // namespace tarmac
