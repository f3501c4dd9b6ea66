#include <cmath>

#include "graph/pattern.h"
#include "passes/passes.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

/// W·s per output channel, in double, stored back as the weights' own dtype.
Result<Tensor> scaled_weights(const Tensor& weights, const std::vector<double>& scale, bool transposed) {
  TARMAC_TRY(std::vector<double> values, to_doubles(weights));
  const Shape& shape = weights.shape();
  const auto outer = static_cast<std::size_t>(shape[0]);
  const auto second = static_cast<std::size_t>(shape[1]);
  const std::size_t kernel = values.size() / (outer * second);
  for (std::size_t o = 0; o < outer; ++o) {
    for (std::size_t s = 0; s < second; ++s) {
      const double factor = scale[transposed ? s : o];
      double* block = values.data() + (o * second + s) * kernel;
      for (std::size_t k = 0; k < kernel; ++k) block[k] *= factor;
    }
  }
  return from_doubles(weights.dtype(), shape, values);
}

bool fusable(const Node& conv, const Node& bn, std::size_t channels) {
  const Tensor* weights = constant_of(conv.input(1));
  if (weights == nullptr || weights->shape().size() < 3 || weights->count() == 0) return false;
  if (conv.input(2) != nullptr && constant_of(conv.input(2)) == nullptr) return false;
  const bool transposed = conv.op_type == "ConvTranspose";
  // Grouped ConvTranspose interleaves channels; it is rare and left alone.
  if (transposed && conv.attribute_or<std::int64_t>("group", 1) != 1) return false;
  if (static_cast<std::size_t>(weights->shape()[transposed ? 1 : 0]) != channels) return false;
  if (bn.attribute_or<std::int64_t>("spatial", 1) != 1) return false;
  // Training form has further outputs that something reads.
  if (bn.attribute_or<std::int64_t>("training_mode", 0) != 0) return false;
  for (std::size_t i = 1; i < bn.outputs().size(); ++i) {
    if (bn.output(i) != nullptr && !bn.output(i)->unused()) return false;
  }
  for (std::size_t i = 1; i < 5; ++i) {
    const Tensor* parameter = constant_of(bn.input(i));
    if (parameter == nullptr || parameter->count() != static_cast<std::int64_t>(channels)) return false;
  }
  return true;
}

Status fuse(Graph& graph, Node& conv, Node& bn) {
  TARMAC_TRY(const auto gamma, to_doubles(*constant_of(bn.input(1))));
  TARMAC_TRY(const auto beta, to_doubles(*constant_of(bn.input(2))));
  TARMAC_TRY(const auto mean, to_doubles(*constant_of(bn.input(3))));
  TARMAC_TRY(const auto variance, to_doubles(*constant_of(bn.input(4))));
  const double epsilon = bn.attribute_or<float>("epsilon", 1e-5F);
  const std::size_t channels = gamma.size();
  std::vector<double> scale(channels);
  std::vector<double> bias(channels, 0.0);
  if (conv.input(2) != nullptr) {
    TARMAC_TRY(bias, to_doubles(*constant_of(conv.input(2))));
  }
  for (std::size_t c = 0; c < channels; ++c) {
    scale[c] = gamma[c] / std::sqrt(variance[c] + epsilon);
    bias[c] = (bias[c] - mean[c]) * scale[c] + beta[c];
  }
  const Tensor& weights = *constant_of(conv.input(1));
  TARMAC_TRY(Tensor new_weights, scaled_weights(weights, scale, conv.op_type == "ConvTranspose"));
  TARMAC_TRY(Tensor new_bias, from_doubles(weights.dtype(), {static_cast<std::int64_t>(channels)}, bias));
  // The old constants may have other readers, so the fused ones are new values.
  Value& weights_value =
      graph.add_initializer(graph.fresh_name(conv.input(1)->name() + "_bn"), std::move(new_weights));
  Value& bias_value = graph.add_initializer(graph.fresh_name(conv.label() + "_bias_bn"), std::move(new_bias));
  conv.set_input(1, &weights_value);
  if (conv.inputs().size() > 2) {
    conv.set_input(2, &bias_value);
  } else {
    conv.add_input(&bias_value);
  }
  return {};
}

Status fuse_graph(Graph& graph, PassContext& context) {
  static const std::vector<Pattern> kPatterns = {
      op("BatchNormalization", {sole_op("Conv", {any("x"), constant("w")}, "conv")}, "bn"),
      op("BatchNormalization", {sole_op("ConvTranspose", {any("x"), constant("w")}, "conv")}, "bn")};
  std::vector<Node*> nodes;
  for (const auto& node : graph.nodes()) nodes.push_back(node.get());
  for (Node* node : nodes) {
    Status nested_status;
    node->for_each_subgraph([&](Graph& nested) {
      if (nested_status.ok()) nested_status = fuse_graph(nested, context);
    });
    TARMAC_CHECK_OK(std::move(nested_status));
    if (!node->is("BatchNormalization") || node->output(0) == nullptr) continue;
    for (const Pattern& pattern : kPatterns) {
      const auto found = match(pattern, node->output(0));
      if (!found) continue;
      Node& conv = *found->nodes.at("conv");
      const Tensor* gamma = constant_of(node->input(1));
      if (&conv.graph() != &graph || gamma == nullptr ||
          !fusable(conv, *node, static_cast<std::size_t>(gamma->count())))
        break;
      TARMAC_CHECK_OK(fuse(graph, conv, *node));
      context.changed(
          *node, "folded BatchNormalization into the weights of " + conv.op_type + " '" + conv.label() + "'");
      // The sole reader of the convolution was this node, so its output can always take over.
      graph.replace_uses(*node->output(0), *conv.output(0));
      graph.erase(*node);
      break;
    }
  }
  return {};
}

}  // namespace

Status fuse_conv_bn(Model& model, PassContext& context) {
  // Before version 7 the operator trains unless told otherwise.
  return model.opset() < 7 ? Status{} : fuse_graph(*model.graph, context);
}

}  // namespace tarmac
