// Weights in 8 or 4 bits behind DequantizeLinear; activations stay float.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.h"
#include "precision/activation_profile.h"
#include "precision/rewritten_node.h"

namespace tarmac {

struct WeightOptions {
  /// 8: int8, symmetric, one scale an output channel. 4: uint4 with a zero point in blocks along the input
  /// channels (DequantizeLinear-21 with block_size) for matrix products; what has no 4-bit form gets 8 bits.
  int bits = 8;
  std::int64_t block =
      32;  ///< a power of two from 16 on; smaller where it does not divide the input channels
  /// 4 bits: every zero point is 8, the middle, for engines without zero points (TensorRT). A little less
  /// exact.
  bool symmetric = false;
  /// 4 bits: products whose activation is in here get input scales and ranges by output error
  /// (precision/activation_aware.h); null, and the others: rounded to nearest.
  const ActivationProfiles* activations = nullptr;
};

/// The opset that quantize_weights() needs.
std::int64_t opset_for_weights(int bits);

/// Products with a stored matrix that quantize_weights() gives 4 bits.
std::vector<Node*> products_for_blocks(const Model& model);

/// Rewrites the model in place. ONNX Runtime fuses the products into MatMulNBits, OpenVINO decompresses
/// inside its kernels; a Relu or Clip right behind a product is written as Max and Min, since ONNX Runtime
/// fuses no product before those two. Errors: kUsage (bits, block), kUnsupported for an older opset,
/// kInvalidInput naming weights that are NaN or infinite.
Result<std::vector<RewrittenNode>> quantize_weights(Model& model, const WeightOptions& options);

}  // namespace tarmac
