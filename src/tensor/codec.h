// Number formats: conversion of single values and whole tensors to and from float.
#pragma once

#include <cstdint>
#include <vector>

#include "tarmac/tensor.h"

namespace tarmac {

/// IEEE 754 binary16; rounds to nearest even, overflows to infinity, keeps NaN.
[[nodiscard]] std::uint16_t float_to_half(float value);
[[nodiscard]] float half_to_float(std::uint16_t bits);

/// bfloat16: the upper half of a float; rounds to nearest even, keeps NaN.
[[nodiscard]] std::uint16_t float_to_bfloat16(float value);
[[nodiscard]] float bfloat16_to_float(std::uint16_t bits);

/// Every element as double, in order; exact for all dtypes but int64/uint64 beyond 2^53. Handles unaligned
/// bytes, packed 4- and 2-bit types and the 8-bit floats of ONNX. Errors: kUnsupported for string and
/// complex.
Result<std::vector<double>> to_doubles(const Tensor& tensor);

/// As to_doubles(), rounded to float.
Result<std::vector<float>> to_floats(const Tensor& tensor);

/// Every element of an integer or bool tensor as int64. Errors: kUnsupported for other dtypes, kInvalidInput
/// for a uint64 above 2^63-1.
Result<std::vector<std::int64_t>> to_int64s(const Tensor& tensor);

/// A tensor of `dtype` from doubles: one rounding to nearest even, integers saturate (NaN → 0), bool is value
/// ≠ 0. Errors: kInvalidInput (count), kUnsupported for string, complex and floats of 8 bits or less.
Result<Tensor> from_doubles(DType dtype, Shape shape, const std::vector<double>& values);

}  // namespace tarmac
