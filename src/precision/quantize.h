// Static INT8 quantisation as portable Q/DQ nodes (ONNX QuantizeLinear-13, DequantizeLinear-13).
//   q = saturate(round(x / scale) + zero_point),  x ≈ (q − zero_point)·scale
// Weights: int8, symmetric, per output channel, scale = max|w|/127. Bias: int32 with scale = scale_x·scale_w.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "precision/fusion_groups.h"
#include "precision/range.h"

namespace tarmac {

/// Below it all channels of a tensor share one scale, which costs much accuracy: raise the opset first.
inline constexpr std::int64_t kOpsetForChannels = 13;

/// How a tensor of activations is stored: one scale, of its range widened to contain 0.
enum class ActivationForm : std::uint8_t {
  kAsymmetric,  ///< uint8, scale = (max − min)/255, zero point = round(−min/scale)
  kSymmetric,   ///< uint8, without negative values scale = max/255 and zero point 0, else as kSigned with 128
  kSigned,      ///< int8, scale = max(|min|, |max|)/127, zero point 0: what TensorRT takes
};

struct QuantizeOptions {
  ActivationForm activations = ActivationForm::kAsymmetric;
  /// 8, or 7 for processors whose products of 8-bit numbers saturate when two are added in 16 bits (x86
  /// without VNNI): weights from −63 to 63.
  int weight_bits = 8;
  /// Whether the bias is stored as int32; TensorRT wants it in float.
  bool int32_bias = true;
};

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

/// Rewrites `model`, in which `groups` were found, in place: a pair of Q/DQ nodes at each rounding point,
/// read by the groups and the movement between them; everything else reads the float values as before.
/// Errors: kUnsupported below opset 10 (no QuantizeLinear), kInvalidInput when a range is missing or not
/// finite, or a weight is.
Result<QuantizeReport> quantize_static(Model& model, const FusionGroups& groups, const Ranges& ranges,
                                       const QuantizeOptions& options = {});

}  // namespace tarmac
