#include <cmath>

#include "passes/linear_weights.h"
#include "passes/passes.h"
#include "passes/region.h"
#include "passes/rewrite.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

bool is_inference_form(const Node& bn) {
  if (bn.attribute_or<std::int64_t>("spatial", 1) != 1) return false;
  // Training form has further outputs that something reads.
  if (bn.attribute_or<std::int64_t>("training_mode", 0) != 0) return false;
  for (std::size_t i = 1; i < bn.outputs().size(); ++i) {
    if (bn.output(i) != nullptr && !bn.output(i)->unused()) return false;
  }
  return bn.output(0) != nullptr;
}

/// γ/√(σ²+ε) and β − μ·γ/√(σ²+ε); nullopt when a parameter is computed, or is no number per channel.
Result<std::optional<ChannelAffine>> normalization(const Node& bn) {
  std::vector<std::vector<double>> parameters;
  for (std::size_t i = 1; i < 5; ++i) {
    const Tensor* parameter = constant_of(bn.input(i));
    if (parameter == nullptr || !is_floating_point(parameter->dtype())) return std::optional<ChannelAffine>();
    TARMAC_TRY(parameters.emplace_back(), to_doubles(*parameter));
    if (parameters.back().size() != parameters.front().size()) return std::optional<ChannelAffine>();
  }
  const auto epsilon = static_cast<double>(bn.attribute_or<float>("epsilon", 1e-5F));
  ChannelAffine affine{parameters[0], parameters[1]};
  for (std::size_t c = 0; c < affine.scale.size(); ++c) {
    affine.scale[c] /= std::sqrt(parameters[3][c] + epsilon);
    affine.shift[c] -= parameters[2][c] * affine.scale[c];
    if (!std::isfinite(affine.scale[c]) || !std::isfinite(affine.shift[c]))
      return std::optional<ChannelAffine>();
  }
  return std::optional(std::move(affine));
}

/// The convolution without padding that alone reads the result and takes as many channels.
std::optional<LinearNode> reading_conv(const Graph& graph, const Node& bn, std::size_t channels) {
  if (!has_one_reader(*bn.output(0))) return std::nullopt;
  const Use use = bn.output(0)->uses().front();
  if (use.index != 0 || !use.node->is("Conv") || &use.node->graph() != &graph || !is_unpadded(*use.node))
    return std::nullopt;
  const auto conv = linear_node(use.node);
  if (!conv) return std::nullopt;
  const auto groups = static_cast<std::size_t>(use.node->attribute_or<std::int64_t>("group", 1));
  const auto inputs = static_cast<std::size_t>(constant_of(use.node->input(1))->shape()[1]) * groups;
  return inputs == channels ? conv : std::nullopt;
}

Status fuse(Graph& graph, Node& node, PassContext& context) {
  if (!node.is("BatchNormalization") || !is_inference_form(node)) return {};
  TARMAC_TRY(const auto affine, normalization(node));
  if (!affine) return {};
  const auto linear = linear_node(sole_producer(graph, node.input(0)));
  if (linear && linear->channels == affine->scale.size()) {
    TARMAC_TRY(const bool folded, fold_behind(*linear, *affine, node, context));
    if (!folded) return {};
    context.changed(node, "folded BatchNormalization into the weights of " + linear->node->op_type + " '" +
                              linear->node->label() + "'");
    pass_on(node, *linear->node->output(0));
    return {};
  }
  if (const auto conv = reading_conv(graph, node, affine->scale.size())) {
    TARMAC_TRY(const bool folded, fold_in_front(*conv, *affine, node, context));
    if (!folded) return {};
    context.changed(
        node, "folded BatchNormalization into the weights of Conv '" + conv->node->label() + "' behind it");
    pass_on(node, *node.input(0));
  }
  return {};
}

}  // namespace

Status fuse_conv_bn(Model& model, PassContext& context) {
  if (model.opset() < 7) return {};  // the operator trained unless told otherwise
  Status status;
  visit_nodes(*model.graph, [&](Graph& graph, Node& node) {
    if (status.ok()) status = fuse(graph, node, context);
  });
  return status;
}

}  // namespace tarmac
