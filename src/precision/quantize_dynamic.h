// Dynamic INT8: activations are rounded to uint8 by their own extremes while the model runs; no calibration.
//   a, s, z = DynamicQuantizeLinear(x);  x·W ≈ MatMulInteger(a, w, z)·(s·scale) (+ bias)
// and with ConvInteger the same for convolutions.
#pragma once

#include <vector>

#include "graph/graph.h"
#include "precision/rewritten_node.h"

namespace tarmac {

struct DynamicOptions {
  /// 8, or 7 for processors whose products of 8-bit numbers saturate when two are added in 16 bits (x86
  /// without VNNI): weights from −63 to 63.
  int weight_bits = 8;
  /// Convolutions too, although ONNX Runtime's ConvInteger is slower than its Conv.
  bool convolutions = false;
};

/// Rewrites matrix products with stored weights in place: int8, symmetric, one scale an output channel. ONNX
/// Runtime fuses the nodes into one.
/// OpenVINO runs the nodes one by one, slower than the float model; ask dynamic_obstacle() first. Errors:
/// kUnsupported below opset 11, kInvalidInput naming weights that are NaN or infinite.
Result<std::vector<RewrittenNode>> quantize_dynamic(Model& model, const DynamicOptions& options = {});

/// Why a target shall not run what quantize_dynamic() makes; empty where it is fast.
std::string dynamic_obstacle(const std::string& target);

}  // namespace tarmac
