#include <algorithm>
#include <cmath>
#include <limits>

#include "passes/passes.h"
#include "passes/rewrite.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Bounds {
  double low = -kInfinity;
  double high = kInfinity;
  bool operator==(const Bounds&) const = default;
};

/// Reads the bound in either form; unset ones leave `bound` as it is. False when it is computed.
bool read_bound(const Node& clip, const char* name, std::size_t input, double& bound) {
  if (const auto* value = clip.attribute<float>(name)) {
    bound = static_cast<double>(*value);
    return true;
  }
  if (clip.input(input) == nullptr) return true;
  const auto value = uniform_value(clip.input(input));
  if (value) bound = *value;
  return value.has_value();
}

std::optional<Bounds> bounds_of(const Node& node) {
  if (node.is("Relu")) return Bounds{0.0, kInfinity};
  Bounds bounds;
  if (!node.is("Clip") || !read_bound(node, "min", 1, bounds.low) || !read_bound(node, "max", 2, bounds.high))
    return std::nullopt;
  return bounds.low <= bounds.high ? std::optional(bounds) : std::nullopt;
}

/// The node becomes a Relu, or a Clip in the form that the operator set has.
Status set_bounds(Graph& graph, Node& node, const Bounds& bounds, DType dtype, std::int64_t opset) {
  node.attributes.clear();
  if (bounds == Bounds{0.0, kInfinity}) {
    node.op_type = "Relu";
    for (std::size_t i = 1; i < node.inputs().size(); ++i) replace_input(node, i, nullptr);
    node.truncate_inputs(1);
    return {};
  }
  node.op_type = "Clip";
  const auto set = [&](const char* name, std::size_t input, double bound) -> Status {
    if (opset < 11) {
      if (std::abs(bound) != kInfinity) node.attributes[name] = static_cast<float>(bound);
      return {};
    }
    if (std::abs(bound) == kInfinity) {
      replace_input(node, input, nullptr);
      return {};
    }
    TARMAC_TRY(Tensor tensor, from_doubles(dtype, {}, {bound}));
    replace_input(
        node, input,
        &graph.add_initializer(graph.fresh_name(node.output(0)->name() + "_" + name), std::move(tensor)));
    return {};
  };
  TARMAC_CHECK_OK(set("min", 1, bounds.low));
  TARMAC_CHECK_OK(set("max", 2, bounds.high));
  trim_inputs(node);
  return {};
}

/// clip(clip(x, a₁, b₁), a₂, b₂) = clip(x, clip(a₁, a₂, b₂), clip(b₁, a₂, b₂))
Status merge(Graph& graph, Node& node, std::int64_t opset, PassContext& context) {
  const auto own = bounds_of(node);
  if (!own || node.input(0) == nullptr) return {};
  const DType dtype = node.input(0)->type.dtype;
  if (!is_floating_point(dtype) || bit_width(dtype) < 16) return {};
  Node* first = node.input(0)->producer();
  const auto inner = first == nullptr ? std::nullopt : bounds_of(*first);
  if (!inner) return {};
  const Bounds both{std::clamp(inner->low, own->low, own->high),
                    std::clamp(inner->high, own->low, own->high)};
  if (both == *inner) {
    context.changed(node, first->op_type + " '" + first->label() + "' before it keeps within these bounds");
    pass_on(node, *node.input(0));
    return {};
  }
  context.changed(node, "does the work of " + first->op_type + " '" + first->label() + "' before it");
  if (both != *own) TARMAC_CHECK_OK(set_bounds(graph, node, both, dtype, opset));
  replace_input(node, 0, first->input(0));
  return {};
}

}  // namespace

Status merge_clips(Model& model, PassContext& context) {
  if (model.opset() < 6) return {};
  Status status;
  visit_nodes(*model.graph, [&](Graph& graph, Node& node) {
    if (status.ok()) status = merge(graph, node, model.opset(), context);
  });
  return status;
}

}  // namespace tarmac
