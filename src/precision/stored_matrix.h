// The stored matrix of a MatMul or Gemm, and int8 for it without a DequantizeLinear.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.h"

namespace tarmac {

/// Has each Gemm among the nodes read its stored matrix as [inputs, outputs], transB = 0: the form that
/// engines fuse. Errors: those of transpose().
Status untranspose_weights(const std::vector<Node*>& nodes);

/// Float32 weights as int8, q = round(w / scale), scale = max|w| / largest: of a matrix [rows, columns] one a
/// column.
struct Int8Matrix {
  Tensor integers;
  std::vector<float> scales;
};
/// Errors: kInvalidInput with `name` for NaN or infinity.
Result<Int8Matrix> round_columns(const Tensor& matrix, int largest, const std::string& name);
/// The same of a convolution's float32 weights, one scale for each index of the first axis.
Result<Int8Matrix> round_filters(const Tensor& weights, int largest, const std::string& name);

/// kInvalidInput with `name` where one is NaN or infinite.
Status check_finite(const std::vector<float>& weights, const std::string& name);

}  // namespace tarmac
