// Reordering the axes of a tensor.
#pragma once

#include <cstdint>
#include <span>

#include "tarmac/tensor.h"

namespace tarmac {

/// Axis i of the result is axis perm[i] of `tensor` (ONNX Transpose). Shares the bytes where their order does
/// not change. Errors: kInvalidInput (`perm` is no permutation of the axes), kUnsupported (strings, types
/// below 8 bits), kResourceExhausted.
Result<Tensor> transpose(const Tensor& tensor, std::span<const std::int64_t> perm);

}  // namespace tarmac
