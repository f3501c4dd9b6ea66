// Which element of a node's stored weights joins which channel of its input to which of its output.
#pragma once

#include <cstddef>
#include <optional>

#include "graph/graph.h"

namespace tarmac {

/// Weights of a Conv, ConvTranspose, Gemm or MatMul, read in row-major order as [groups, outputs, inputs,
/// kernel], or [groups, inputs, outputs, kernel] where inputs come first.
struct WeightChannels {
  std::size_t groups = 1;
  std::size_t outputs = 1;  ///< of one group
  std::size_t inputs = 1;   ///< of one group
  std::size_t kernel = 1;
  bool inputs_first = false;

  [[nodiscard]] std::size_t output_count() const { return groups * outputs; }
  [[nodiscard]] std::size_t input_count() const { return groups * inputs; }

  /// Index of the first of the `kernel` elements between two channels of one group, counted within it.
  [[nodiscard]] std::size_t at(std::size_t group, std::size_t output, std::size_t input) const {
    const std::size_t pair = inputs_first ? input * outputs + output : output * inputs + input;
    return (group * outputs * inputs + pair) * kernel;
  }

  /// Calls visit(output channel, input channel, index of the first of their `kernel` elements).
  template <typename Visit>
  void for_each(const Visit& visit) const {
    for (std::size_t group = 0; group < groups; ++group) {
      for (std::size_t output = 0; output < outputs; ++output) {
        for (std::size_t input = 0; input < inputs; ++input)
          visit(group * outputs + output, group * inputs + input, at(group, output, input));
      }
    }
  }
};

/// nullopt for other nodes, computed or empty weights, MatMul of other than a stored matrix on the right.
std::optional<WeightChannels> weight_channels(const Node& node);

/// The axis of the node's input 0 and output 0 that counts channels: 1 of Conv and ConvTranspose, the last
/// of products. nullopt where the rank is unknown.
std::optional<std::size_t> activation_axis(const Node& node);

}  // namespace tarmac
