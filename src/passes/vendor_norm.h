// What ONNX Runtime's kernels for normalisations ask of their inputs (com.microsoft, ContribOperators.md).
#pragma once

#include "passes/region.h"

namespace tarmac {

/// A weight or model input of exactly this shape and dtype; no node computes it, so every node may read it.
bool is_parameter(const Value* value, const Shape& shape, DType dtype);

/// The size of the last axis of a LayerNormalization or RMSNormalization over it, with a three-dimensional
/// input of float32, float16 or bfloat16 and vectors as scale and bias; no value for others.
std::optional<std::int64_t> vendor_norm_width(const Node& norm);

}  // namespace tarmac
