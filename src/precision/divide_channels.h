// Dividing the channels of an activation where that costs nothing: in the weights of what makes it.
#pragma once

#include <vector>

#include "graph/graph.h"

namespace tarmac {

/// Has the first inputs of `readers`, which all read `value` [..., channels], read value / divisor, one
/// number above 0 a channel. Where nothing else reads the value, the divisor goes into the stored weights of
/// the LayerNormalization, Mul, MatMul or Gemm that makes it, through bias additions and Relu; else behind a
/// Mul. Returns whether it went into weights.
Result<bool> divide_channels(Value& value, const std::vector<Node*>& readers,
                             const std::vector<float>& divisor);

}  // namespace tarmac
