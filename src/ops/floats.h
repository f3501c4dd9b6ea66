// Single elements of floating-point tensors, for plain loops.
#pragma once

#include <cstdint>

#include "ops/tensor_view.h"
#include "tensor/codec.h"

namespace tarmac::ops {

/// An element of a float32, float16 or bfloat16 tensor.
inline float float_at(const ConstTensorView& tensor, std::int64_t i) {
  if (tensor.dtype == DType::kFloat32) return tensor.as<float>()[i];
  const std::uint16_t bits = tensor.as<std::uint16_t>()[i];
  return tensor.dtype == DType::kFloat16 ? half_to_float(bits) : bfloat16_to_float(bits);
}

/// Rounds to nearest even.
inline void set_float(const TensorView& tensor, std::int64_t i, float value) {
  if (tensor.dtype == DType::kFloat32) {
    tensor.as<float>()[i] = value;
  } else {
    tensor.as<std::uint16_t>()[i] =
        tensor.dtype == DType::kFloat16 ? float_to_half(value) : float_to_bfloat16(value);
  }
}

}  // namespace tarmac::ops
