// Tensors made of the elements of others. Errors of all: kInvalidInput (shapes that do not fit, indices out
// of range), kUnsupported (strings, types below 8 bits), kResourceExhausted.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tarmac/tensor.h"

namespace tarmac {

/// ONNX Concat: tensors of one dtype, shapes equal but for `axis` (negative: from the back).
Result<Tensor> concatenate(const std::vector<Tensor>& tensors, std::int64_t axis);

/// The shape of gather()'s result.
Result<Shape> gather_shape(const Shape& shape, const Shape& indices, std::int64_t axis);

/// ONNX Gather: slices of `tensor` along `axis`; `indices` (int32 or int64, negative: from the back) replace
/// that axis by their own shape.
Result<Tensor> gather(const Tensor& tensor, const Tensor& indices, std::int64_t axis);

/// The shape of expand()'s result.
Result<Shape> expand_shape(const Shape& from, const Shape& shape);

/// ONNX Expand: `tensor` broadcast with `shape`, both ways.
Result<Tensor> expand(const Tensor& tensor, const Shape& shape);

}  // namespace tarmac
