// Static INT8 quantisation as portable Q/DQ nodes (ONNX QuantizeLinear-13, DequantizeLinear-13).
//   q = saturate(round(x / scale) + zero_point),  x ≈ (q − zero_point)·scale
// Activations: uint8, per tensor, scale = (max − min)/255 over the observed range widened to contain 0.
// Weights: int8, symmetric, per output channel, scale = max|w|/127. Bias: int32 with scale = scale_x·scale_w.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "precision/range.h"

namespace tarmac {

/// What became of a node, by ONNX name; nothing is quantised or left alone silently.
struct QuantizedNode {
  std::string node;
  std::string op_type;
  bool quantized = false;
  std::string reason;  ///< why it stays in float; empty when quantised
};

struct QuantizeReport {
  std::vector<QuantizedNode> nodes;
  std::uint64_t float_weight_bytes = 0;  ///< of the quantised weights, before
  std::uint64_t int8_weight_bytes = 0;   ///< and after
};

/// Names of the values whose ranges quantize_static() needs: the float inputs of convolutions, matrix
/// products with stored weights, residual additions and average pooling, taken after the activation that
/// engines fuse.
std::vector<std::string> activations_to_quantize(const Model& model);

/// Rewrites the model in place. Errors: kUnsupported below opset 10 (no QuantizeLinear), kInvalidInput when a
/// range is missing or not finite.
Result<QuantizeReport> quantize_static(Model& model, const Ranges& ranges);

/// Stores the weights of convolutions and matrix products as int8 behind DequantizeLinear; activations stay
/// float.
Result<QuantizeReport> quantize_weights(Model& model);

}  // namespace tarmac
