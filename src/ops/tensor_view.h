// Tensors as kernels see them: dtype, sizes and memory of somebody else.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>

#include "tarmac/tensor.h"

namespace tarmac::ops {

/// Dense and row-major; aligned for its dtype, no more. An optional input that is left out is not present().
template <typename Byte>
struct BasicTensorView {
  DType dtype = DType::kUndefined;
  std::span<const std::int64_t> shape;
  Byte* data = nullptr;

  [[nodiscard]] bool present() const { return dtype != DType::kUndefined; }
  [[nodiscard]] std::size_t rank() const { return shape.size(); }
  [[nodiscard]] std::int64_t dim(std::size_t axis) const { return shape[axis]; }
  [[nodiscard]] std::int64_t count() const {
    std::int64_t product = 1;
    for (const std::int64_t size : shape) product *= size;
    return product;
  }
  /// The elements as T, which must be the type of the dtype; 16-bit floats are std::uint16_t, bool is one
  /// byte.
  template <typename T>
  [[nodiscard]] auto as() const {
    using Element = std::conditional_t<std::is_const_v<Byte>, const T, T>;
    assert(bit_width(dtype) == 8 * static_cast<int>(sizeof(T)));
    return reinterpret_cast<Element*>(data);
  }
};

using ConstTensorView = BasicTensorView<const std::byte>;
using TensorView = BasicTensorView<std::byte>;

inline ConstTensorView view(const Tensor& tensor) {
  return {tensor.dtype(), tensor.shape(), tensor.bytes().data()};
}
inline TensorView view(Tensor& tensor) {
  return {tensor.dtype(), tensor.shape(), tensor.mutable_bytes().data()};
}

}  // namespace tarmac::ops
