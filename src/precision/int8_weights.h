// Stored weights as int8 behind DequantizeLinear.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "graph/graph.h"

namespace tarmac {

/// The axis of a node's weights that counts output channels: Conv, ConvTranspose, Gemm, MatMul.
std::int64_t channel_axis(const Node& node);

/// Rounds weights to int8, symmetric (round_weights.h), and remembers which are stored already.
class Int8Weights {
 public:
  /// `largest`: the magnitude that max|w| becomes, 127 or less. One scale for all channels below opset 13.
  Int8Weights(Graph& graph, std::int64_t opset, int largest);

  /// Has the node read its second input as int8. Returns the scale of each output channel (one if per
  /// tensor). Errors: kInvalidInput for weights that are NaN or infinite.
  Result<std::vector<float>> store(Node& node);
  /// Has the node read its bias as int32 with scale input_scale·weight_scales; leaves it in float where it is
  /// computed, or too large for its scale.
  Status store_bias(Node& node, float input_scale, const std::vector<float>& weight_scales);

  [[nodiscard]] std::uint64_t float_bytes() const { return float_bytes_; }
  [[nodiscard]] std::uint64_t int8_bytes() const { return int8_bytes_; }

 private:
  struct Stored {
    Value* value = nullptr;
    std::vector<float> scales;
  };
  Result<Stored> round(Node& node, Value& original, std::int64_t axis);
  Value& dequantize(Value& stored, const std::vector<float>& scales, std::int64_t axis,
                    const std::string& base, Node& reader);

  Graph& graph_;
  bool per_channel_;
  int largest_;
  std::map<std::pair<Value*, std::int64_t>, Stored> stored_;
  std::uint64_t float_bytes_ = 0;
  std::uint64_t int8_bytes_ = 0;
};

}  // namespace tarmac
