// float32 numbers held to what a 16-bit float can store: the arithmetic behind emulated runs. Engines on a
// CPU compute float16 in float32 and may drop casts, so rounding is done by our own codec, never by an
// engine.
#pragma once

#include <cstdint>

#include "tarmac/tensor.h"

namespace tarmac {

/// float16 or bfloat16.
bool is_16_bit_float(DType dtype);

/// What a 16-bit float can hold.
struct FloatLimits {
  double max = 0;                   ///< largest finite number
  double min_normal = 0;            ///< smaller ones lose digits (subnormal)
  std::int64_t exact_integers = 0;  ///< whole numbers up to this are exact
};
FloatLimits limits_of(DType dtype);

/// The tensor itself, or as float32 when it is a 16-bit float.
Result<Tensor> widened(const Tensor& tensor);

/// A float32 tensor with each element rounded to the nearest (even) number of `dtype`; overflow gives
/// infinity. Asserts float32 and a 16-bit `dtype`.
Result<Tensor> rounded(const Tensor& tensor, DType dtype);

/// A float32 tensor stored as `dtype`, or the reverse.
Result<Tensor> stored_as(const Tensor& tensor, DType dtype);

}  // namespace tarmac
