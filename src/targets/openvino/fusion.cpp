#include "targets/openvino/fusion.h"

namespace tarmac::openvino {

// The CPU plugin's low-precision transformations carry scales through what moves values and into what it
// fuses; a pair at the source is enough.
const FusionRules& fusion_rules() {
  static const FusionRules kRules = {
      .weighted = {"Conv", "ConvTranspose", "Gemm", "MatMul"},
      .arithmetic = {"Add", "AveragePool", "GlobalAveragePool", "MatMul", "Mul"},
      .movement = {"Concat", "DepthToSpace", "Flatten", "Gather", "MaxPool", "Pad", "Reshape", "Resize",
                   "Slice", "SpaceToDepth", "Split", "Squeeze", "Transpose", "Unsqueeze"},
      .activations = {"Add", "Clip", "Mul", "Elu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish",
                      "PRelu", "Relu", "Sigmoid", "Softplus", "Swish", "Tanh"},
      .pairs_around_movement = false,
      .pairs_after_weighted = false,
  };
  return kRules;
}

}  // namespace tarmac::openvino
