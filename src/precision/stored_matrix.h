// The stored matrix of a MatMul or Gemm, and int8 for it without a DequantizeLinear.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.h"

namespace tarmac {

/// Has each Gemm among the nodes read its stored matrix as [inputs, outputs], transB = 0: the form that
/// engines fuse. Errors: those of transpose().
Status untranspose_weights(const std::vector<Node*>& nodes);

/// A float32 matrix [rows, columns] as int8, q = round(w / scale), one scale a column: max|w| / largest.
struct Int8Matrix {
  Tensor integers;
  std::vector<float> scales;
};
/// Errors: kInvalidInput with `name` for NaN or infinity.
Result<Int8Matrix> round_columns(const Tensor& matrix, int largest, const std::string& name);

/// kInvalidInput with `name` where one is NaN or infinite.
Status check_finite(const std::vector<float>& weights, const std::string& name);

}  // namespace tarmac
