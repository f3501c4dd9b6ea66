#include <algorithm>
#include <array>

#include "passes/passes.h"
#include "passes/rewrite.h"
#include "passes/slice_range.h"

namespace tarmac {
namespace {

using Integers = std::vector<std::int64_t>;

bool is_one_of(const Node& node, std::initializer_list<std::string_view> ops) {
  return std::find(ops.begin(), ops.end(), node.op_type) != ops.end();
}

bool all_equal(const Integers& values, std::int64_t expected) {
  return std::all_of(values.begin(), values.end(), [&](std::int64_t value) { return value == expected; });
}

bool all_equal(const Integers* values, std::int64_t expected) {
  return values == nullptr || all_equal(*values, expected);
}

bool counts_up(const Integers& values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] != static_cast<std::int64_t>(i)) return false;
  }
  return true;
}

/// Whether the node's output certainly has the type and shape of `value`; broadcasting may have enlarged it.
bool same_shape(const Node& node, const Value& value) { return same_type(node.output(0)->type, value.type); }

bool same_static_shape(const Node& node, const Value& value) {
  return value.type.static_shape() && same_shape(node, value);
}

/// `value` keeps its shape when it is broadcast against the constant.
bool keeps_shape(const Node& node, const Value& value, const Value& constant) {
  const auto rank = rank_of(&value);
  const Tensor* tensor = constant_of(&constant);
  return same_shape(node, value) ||
         (rank && tensor != nullptr && tensor->count() == 1 && tensor->shape().size() <= *rank);
}

bool drops_nothing(const Node& dropout, std::int64_t opset) {
  // From opset 12 a third input may switch training on; its absence means inference.
  // Before version 7 it drops unless told otherwise.
  const bool training = (dropout.input(2) != nullptr && uniform_value(dropout.input(2)) != 0.0) ||
                        (opset < 7 && dropout.attribute_or<std::int64_t>("is_test", 0) == 0);
  const bool mask_used = dropout.output(1) != nullptr && !dropout.output(1)->unused();
  return !training && !mask_used;
}

bool takes_all(const Node& slice) {
  const auto ranges = slice_ranges(slice);
  if (!ranges) {
    const auto steps = uniform_value(slice.input(4));
    return (slice.input(4) == nullptr || steps == 1.0) && same_static_shape(slice, *slice.input(0));
  }
  const auto rank = rank_of(slice.input(0));
  return std::all_of(ranges->begin(), ranges->end(), [&](const SliceRange& range) {
    const auto axis = static_cast<std::size_t>(range.axis);
    return takes_all(range, rank ? (*slice.input(0)->type.shape)[axis] : Dim{});
  });
}

/// Every size that is asked for is 1, or the input's own.
bool expands_nothing(const Node& expand) {
  const Value& input = *expand.input(0);
  if (same_static_shape(expand, input)) return true;
  const auto sizes = constant_integers(expand.input(1));
  const auto rank = rank_of(&input);
  if (!sizes || !rank || sizes->size() > *rank) return false;
  for (std::size_t i = 0; i < sizes->size(); ++i) {
    const Dim& dim = (*input.type.shape)[*rank - sizes->size() + i];
    if ((*sizes)[i] != 1 && dim.size != (*sizes)[i]) return false;
  }
  return true;
}

bool gathers_all(const Node& gather) {
  const auto rank = rank_of(gather.input(0));
  const auto axes =
      rank ? positive_axes({gather.attribute_or<std::int64_t>("axis", 0)}, *rank) : std::nullopt;
  if (!axes || rank_of(gather.input(1)) != 1U) return false;
  const Dim& dim = (*gather.input(0)->type.shape)[static_cast<std::size_t>((*axes)[0])];
  const Dim& count = (*gather.input(1)->type.shape)[0];
  if (!dim.known() || !count.known() || *dim.size != *count.size) return false;
  const auto indices = constant_integers(gather.input(1));
  return indices && counts_up(*indices);
}

bool pads_nothing(const Node& pad) {
  if (const auto* pads = pad.attribute<Integers>("pads")) return all_equal(*pads, 0);
  return uniform_value(pad.input(1)) == 0.0;
}

/// Windows of one element.
bool pools_nothing(const Node& pool) {
  const auto* kernel = pool.attribute<Integers>("kernel_shape");
  return kernel != nullptr && all_equal(*kernel, 1) && all_equal(pool.attribute<Integers>("strides"), 1) &&
         all_equal(pool.attribute<Integers>("pads"), 0) &&
         (pool.output(1) == nullptr || pool.output(1)->unused());
}

bool reduces_nothing(const Node& reduce) {
  if (same_static_shape(reduce, *reduce.input(0))) return true;  // the reduced axes have one element
  const auto axes = constant_integers(reduce, "axes", 1);
  const bool none = axes ? axes->empty() : reduce.input(1) == nullptr;
  return none && reduce.attribute_or<std::int64_t>("noop_with_empty_axes", 0) != 0;
}

bool moves_nothing(const Node& node, std::int64_t opset) {
  const Value& input = *node.input(0);
  const std::string& op = node.op_type;
  if (op == "Identity") return true;
  if (op == "Dropout") return drops_nothing(node, opset);
  if (op == "Cast")
    return node.attribute_or<std::int64_t>("to", 0) == static_cast<std::int64_t>(input.type.dtype);
  if (op == "Transpose") {
    const auto* perm = node.attribute<Integers>("perm");
    return perm != nullptr ? counts_up(*perm) : rank_of(&input).value_or(2) < 2;
  }
  if (is_one_of(node, {"Reshape", "Flatten", "Squeeze", "Unsqueeze"}))
    return same_when_reshaped(input.type, node.output(0)->type);
  if (op == "Expand") return expands_nothing(node);
  if (op == "Pad") return pads_nothing(node);
  if (op == "Slice") return takes_all(node);
  if (op == "Tile") return opset >= 6 && uniform_value(node.input(1)) == 1.0;
  if (op == "Gather") return gathers_all(node);
  if (op == "Split") return node.outputs().size() == 1;
  if (op == "DepthToSpace" || op == "SpaceToDepth")
    return node.attribute_or<std::int64_t>("blocksize", 0) == 1;
  if (is_one_of(node, {"Concat", "Sum", "Max", "Min", "Mean"})) return node.inputs().size() == 1;
  if (op == "MaxPool" || op == "AveragePool") return pools_nothing(node);
  if (op == "GlobalAveragePool" || op == "GlobalMaxPool") return same_static_shape(node, input);
  if (is_one_of(node, {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"}))
    return reduces_nothing(node);
  return false;
}

/// The operand that a neutral element leaves as it is, or null. x + 0 is x but for −0, which IEEE 754 makes
/// +0; no network tells the two apart.
Value* other_than_neutral(const Node& node) {
  struct Neutral {
    std::string_view op;
    double value;
    bool commutes;
  };
  static constexpr std::array<Neutral, 8> kNeutral = {{{"Add", 0.0, true},
                                                       {"Sub", 0.0, false},
                                                       {"Mul", 1.0, true},
                                                       {"Div", 1.0, false},
                                                       {"Pow", 1.0, false},
                                                       {"And", 1.0, true},
                                                       {"Or", 0.0, true},
                                                       {"Xor", 0.0, true}}};
  Value* a = node.input(0);
  Value* b = node.input(1);
  for (const auto& [op, value, commutes] : kNeutral) {
    if (node.op_type != op || b == nullptr) continue;
    if (uniform_value(b) == value && keeps_shape(node, *a, *b)) return a;
    if (commutes && uniform_value(a) == value && keeps_shape(node, *b, *a)) return b;
  }
  return nullptr;
}

/// What a Where always takes, or null.
Value* always_taken(const Node& node) {
  Value* yes = node.input(1);
  Value* no = node.input(2);
  if (!node.is("Where") || yes == nullptr || no == nullptr) return nullptr;
  if (yes == no) return same_shape(node, *yes) ? yes : nullptr;
  const auto condition = uniform_value(node.input(0));
  if (!condition) return nullptr;
  Value* taken = *condition != 0.0 ? yes : no;
  return same_shape(node, *taken) ? taken : nullptr;
}

/// The operator before it makes this one superfluous, or takes it back; null otherwise.
Value* settled_before(const Node& node) {
  const Node* before = node.input(0)->producer();
  if (before == nullptr || !before->domain.empty() || before->output(0) != node.input(0)) return nullptr;
  if (is_one_of(node, {"Neg", "Not"})) return before->op_type == node.op_type ? before->input(0) : nullptr;
  if (is_one_of(node, {"Ceil", "Floor", "Round"}))
    return is_one_of(*before, {"Ceil", "Floor", "Round"}) ? node.input(0) : nullptr;
  if (is_one_of(node, {"Relu", "Abs"})) return is_non_negative(*before) ? node.input(0) : nullptr;
  return node.op_type == "Sign" && before->op_type == "Sign" ? node.input(0) : nullptr;
}

/// The value that the node passes on unchanged, or null.
Value* passed_on(const Node& node, std::int64_t opset) {
  if (!node.domain.empty() || node.input(0) == nullptr || node.output(0) == nullptr) return nullptr;
  if (moves_nothing(node, opset)) return node.input(0);
  if (Value* value = other_than_neutral(node)) return value;
  if (Value* value = always_taken(node)) return value;
  return settled_before(node);
}

}  // namespace

Status eliminate_no_ops(Model& model, PassContext& context) {
  visit_nodes(*model.graph, [&](Graph&, Node& node) {
    Value* source = passed_on(node, model.opset());
    if (source == nullptr) return;
    const Change change{context.pass, node.label(), node.op_type + " passes its input on unchanged"};
    if (pass_on(node, *source)) context.changes.push_back(change);
  });
  return {};
}

}  // namespace tarmac
