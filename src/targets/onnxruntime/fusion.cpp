#include "targets/onnxruntime/fusion.h"

namespace tarmac::onnxruntime {

// QDQ selectors of ONNX Runtime's CPU provider: an operator with pairs on all sides becomes a QLinear one.
const FusionRules& fusion_rules() {
  static const FusionRules kRules = {
      .weighted = {"Conv", "Gemm", "MatMul"},
      .arithmetic = {"Add", "AveragePool", "GlobalAveragePool", "MatMul", "Mul"},
      .movement = {"Concat", "DepthToSpace", "Flatten", "Gather", "MaxPool", "Reshape", "Resize", "Slice",
                   "Split", "Squeeze", "Transpose", "Unsqueeze"},
      .activations = {"Clip", "Relu"},
      .pairs_around_movement = true,
      .pairs_after_weighted = true,
  };
  return kRules;
}

}  // namespace tarmac::onnxruntime
