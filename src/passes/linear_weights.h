// Convolutions and matrix products as y = W·x + b per output channel: scales and shifts move into W and b.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "passes/pass.h"

namespace tarmac {

/// y ← y·scale + shift, per channel.
struct ChannelAffine {
  std::vector<double> scale;
  std::vector<double> shift;
};

/// How a weight belongs to channels: read as [groups, rows, channels, inner] in row-major order, it scales
/// with channel group·channels + channel.
struct ChannelLayout {
  std::size_t groups = 1;
  std::size_t rows = 1;
  std::size_t channels = 1;
  std::size_t inner = 1;
};

/// A Conv, ConvTranspose, Gemm or MatMul with constant weights of floats.
struct LinearNode {
  Node* node = nullptr;
  std::size_t channels = 0;      ///< of the output
  std::size_t channel_axis = 1;  ///< of the output
  std::size_t rank = 0;          ///< of the output
  ChannelLayout layout;          ///< of the weights, input 1, by output channel
};

/// nullopt when the weights or a bias are computed, or for a MatMul of other than two rank-2 matrices.
std::optional<LinearNode> linear_node(Node* node);

/// Puts `after` behind the node: W' = scale·W, b' = scale·b + shift; a MatMul that gets a bias becomes a
/// Gemm. Weights that are not scaled are left as they are. Returns false and declines on behalf of `folded`
/// when the new weights would leave the range or precision of their dtype.
Result<bool> fold_behind(const LinearNode& linear, const ChannelAffine& after, const Node& folded,
                         PassContext& context);

/// Puts `before` in front of a Conv, per input channel: W' = W·scale, b' = b + Σ W·shift. Exact only without
/// padding, unless every shift is 0: then padding is scaled with the rest. Same result as fold_behind().
Result<bool> fold_in_front(const LinearNode& conv, const ChannelAffine& before, const Node& folded,
                           PassContext& context);

/// Whether no window of a Conv reaches beyond its input.
bool is_unpadded(const Node& conv);

/// A constant that broadcasts along every axis but `channel_axis` of a value of `rank`, one number per
/// channel.
std::optional<std::vector<double>> per_channel(const Tensor& tensor, std::size_t rank,
                                               std::size_t channel_axis, std::size_t channels);

}  // namespace tarmac
