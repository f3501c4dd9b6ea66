#include <cmath>

#include "passes/linear_weights.h"
#include "passes/passes.h"
#include "passes/region.h"
#include "passes/rewrite.h"

namespace tarmac {
namespace {

/// An Add, Sub, Mul or Div with a constant on one side.
struct Arithmetic {
  Value* x = nullptr;
  const Tensor* constant = nullptr;
  bool constant_first = false;
};

std::optional<Arithmetic> arithmetic_of(const Node& node) {
  if (!node.is("Add") && !node.is("Sub") && !node.is("Mul") && !node.is("Div")) return std::nullopt;
  for (const std::size_t i : {1U, 0U}) {
    const Tensor* constant = constant_of(node.input(i));
    if (constant == nullptr || node.input(1 - i) == nullptr) continue;
    if (i == 0 && node.op_type == "Div") return std::nullopt;  // c ÷ x
    return Arithmetic{node.input(1 - i), constant, i == 0};
  }
  return std::nullopt;
}

/// The arithmetic on a value of `rank` as one number per channel; nullopt when it is anything else.
std::optional<ChannelAffine> affine_of(const Node& node, const Arithmetic& arithmetic, std::size_t rank,
                                       std::size_t channel_axis, std::size_t channels) {
  const auto constant = per_channel(*arithmetic.constant, rank, channel_axis, channels);
  if (!constant) return std::nullopt;
  ChannelAffine affine{std::vector<double>(channels, 1.0), std::vector<double>(channels, 0.0)};
  for (std::size_t c = 0; c < channels; ++c) {
    const double number = (*constant)[c];
    if (node.op_type == "Mul") {
      affine.scale[c] = number;
    } else if (node.op_type == "Div") {
      affine.scale[c] = 1.0 / number;
    } else if (node.op_type == "Sub" && !arithmetic.constant_first) {
      affine.shift[c] = -number;
    } else {
      affine.shift[c] = number;
      if (node.op_type == "Sub") affine.scale[c] = -1.0;
    }
    if (!std::isfinite(affine.scale[c]) || !std::isfinite(affine.shift[c])) return std::nullopt;
  }
  return affine;
}

/// The node follows a convolution or Gemm. A MatMul is left to fuse_matmul_add.
Result<bool> fuse_behind(Graph& graph, Node& node, const Arithmetic& arithmetic, PassContext& context) {
  const auto linear = linear_node(sole_producer(graph, arithmetic.x));
  if (!linear || linear->node->op_type == "MatMul") return false;
  const auto affine = affine_of(node, arithmetic, linear->rank, linear->channel_axis, linear->channels);
  if (!affine) return false;
  TARMAC_TRY(const bool folded, fold_behind(*linear, *affine, node, context));
  if (!folded) return false;
  context.changed(node, "folded " + node.op_type + " into the weights of " + linear->node->op_type + " '" +
                            linear->node->label() + "'");
  pass_on(node, *linear->node->output(0));
  return true;
}

/// A convolution alone reads the node. Scales go through padding, shifts do not.
Status fuse_in_front(Graph& graph, Node& node, const Arithmetic& arithmetic, PassContext& context) {
  if (!has_one_reader(*node.output(0))) return {};
  const Use use = node.output(0)->uses().front();
  if (use.index != 0 || !use.node->is("Conv") || &use.node->graph() != &graph) return {};
  const auto conv = linear_node(use.node);
  if (!conv || rank_of(arithmetic.x) != conv->rank) return {};
  const auto groups = static_cast<std::size_t>(use.node->attribute_or<std::int64_t>("group", 1));
  const std::size_t channels = static_cast<std::size_t>(constant_of(use.node->input(1))->shape()[1]) * groups;
  // One channel could have been broadcast to many.
  if ((*arithmetic.x->type.shape)[1].size != static_cast<std::int64_t>(channels)) return {};
  const bool shifts = node.op_type == "Add" || node.op_type == "Sub";
  if (shifts && !is_unpadded(*use.node)) return {};
  const auto affine = affine_of(node, arithmetic, conv->rank, 1, channels);
  if (!affine) return {};
  TARMAC_TRY(const bool folded, fold_in_front(*conv, *affine, node, context));
  if (!folded) return {};
  context.changed(
      node, "folded " + node.op_type + " into the weights of Conv '" + conv->node->label() + "' behind it");
  pass_on(node, *arithmetic.x);
  return {};
}

Status fuse(Graph& graph, Node& node, PassContext& context) {
  const auto arithmetic = arithmetic_of(node);
  if (!arithmetic) return {};
  TARMAC_TRY(const bool done, fuse_behind(graph, node, *arithmetic, context));
  return done ? Status{} : fuse_in_front(graph, node, *arithmetic, context);
}

}  // namespace

Status fuse_scale_bias(Model& model, PassContext& context) {
  if (model.opset() < 7) return {};  // broadcasting was an attribute
  Status status;
  visit_nodes(*model.graph, [&](Graph& graph, Node& node) {
    if (status.ok()) status = fuse(graph, node, context);
  });
  return status;
}

}  // namespace tarmac
