// Tensors: a dtype, a shape, and bytes that are either owned or borrowed from something kept alive.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "tarmac/result.h"

namespace tarmac {

/// Element types; the values are those of ONNX TensorProto.DataType (onnx.proto, IR version 13).
enum class DType : std::uint8_t {
  kUndefined = 0,
  kFloat32 = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kFloat64 = 11,
  kUint32 = 12,
  kUint64 = 13,
  kComplex64 = 14,
  kComplex128 = 15,
  kBFloat16 = 16,
  kFloat8E4M3FN = 17,
  kFloat8E4M3FNUZ = 18,
  kFloat8E5M2 = 19,
  kFloat8E5M2FNUZ = 20,
  kUint4 = 21,
  kInt4 = 22,
  kFloat4E2M1 = 23,
  kFloat8E8M0 = 24,
  kUint2 = 25,
  kInt2 = 26,
};

/// numpy-style name: "float32", "bfloat16", "int4", …
const char* to_string(DType dtype);
/// Reads to_string()'s names, and "fp32", "fp16", "bf16", "float", "double", "half". kUndefined when unknown.
DType dtype_from_string(std::string_view name);
/// Bits an element takes in memory; sub-byte types pack low bits first. 0 for kString and kUndefined.
int bit_width(DType dtype);
bool is_floating_point(DType dtype);
bool is_integer(DType dtype);

/// Sizes of a concrete tensor, outermost first; all ≥ 0.
using Shape = std::vector<std::int64_t>;

/// "[1, 3, 224, 224]"
std::string to_string(const Shape& shape);

/// Product of the sizes; kInvalidInput for a negative size or a product above 2^63-1.
Result<std::int64_t> element_count(const Shape& shape);

/// Bytes of a dense tensor (sub-byte types rounded up to whole bytes); errors as element_count().
Result<std::size_t> size_bytes(DType dtype, const Shape& shape);

/// The DType of a C++ element type; 16-bit and smaller floats have no C++ type and are read as bytes.
template <typename T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>) return DType::kFloat32;
  if constexpr (std::is_same_v<T, double>) return DType::kFloat64;
  if constexpr (std::is_same_v<T, std::uint8_t>) return DType::kUint8;
  if constexpr (std::is_same_v<T, std::int8_t>) return DType::kInt8;
  if constexpr (std::is_same_v<T, std::uint16_t>) return DType::kUint16;
  if constexpr (std::is_same_v<T, std::int16_t>) return DType::kInt16;
  if constexpr (std::is_same_v<T, std::uint32_t>) return DType::kUint32;
  if constexpr (std::is_same_v<T, std::int32_t>) return DType::kInt32;
  if constexpr (std::is_same_v<T, std::uint64_t>) return DType::kUint64;
  if constexpr (std::is_same_v<T, std::int64_t>) return DType::kInt64;
  if constexpr (std::is_same_v<T, bool>) return DType::kBool;
  return DType::kUndefined;
}

/// A dense, row-major tensor, little-endian as ONNX raw_data. Copying shares the bytes. A tensor made by
/// allocate() or from() is writable; a view of a file is not.
class Tensor {
 public:
  Tensor() = default;

  /// Uninitialised, 64-byte aligned memory. Errors: kInvalidInput (shape), kResourceExhausted.
  static Result<Tensor> allocate(DType dtype, Shape shape);
  /// Borrows `bytes`, kept alive by `owner` (may be null when the caller guarantees the lifetime). The size
  /// must be size_bytes(dtype, shape). `bytes` need not be aligned.
  static Result<Tensor> view(DType dtype, Shape shape, std::span<const std::byte> bytes,
                             std::shared_ptr<const void> owner);
  /// As view(), but writable through mutable_bytes(): memory that a caller provides for an engine to fill.
  static Result<Tensor> mutable_view(DType dtype, Shape shape, std::span<std::byte> bytes,
                                     std::shared_ptr<void> owner);
  /// Strings are kept as std::string; the count must match the shape.
  static Result<Tensor> of_strings(Shape shape, std::vector<std::string> values);
  /// Copies values; asserts that their number fits the shape (for literals in code and tests).
  template <typename T>
  static Tensor from(const Shape& shape, std::span<const T> values) {
    return copy_of(dtype_of<T>(), shape, std::as_bytes(values));
  }
  template <typename T>
  static Tensor from(const Shape& shape, const std::vector<T>& values) {
    return from(shape, std::span<const T>(values));
  }

  [[nodiscard]] DType dtype() const { return dtype_; }
  [[nodiscard]] const Shape& shape() const { return shape_; }
  [[nodiscard]] std::int64_t count() const { return count_; }
  /// True for a default-constructed tensor.
  [[nodiscard]] bool empty() const { return dtype_ == DType::kUndefined; }

  [[nodiscard]] std::span<const std::byte> bytes() const { return {data_, size_bytes_}; }
  [[nodiscard]] bool writable() const { return writable_; }
  /// Asserts writable().
  [[nodiscard]] std::span<std::byte> mutable_bytes();
  [[nodiscard]] const std::vector<std::string>& strings() const;

  /// Typed access; asserts the dtype and alignment. Weights mapped from a file may be unaligned: aligned()
  /// first.
  template <typename T>
  [[nodiscard]] std::span<const T> data() const {
    check_access(dtype_of<T>(), alignof(T));
    return {reinterpret_cast<const T*>(data_), static_cast<std::size_t>(count_)};
  }
  template <typename T>
  [[nodiscard]] std::span<T> mutable_data() {
    check_access(dtype_of<T>(), alignof(T));
    return {reinterpret_cast<T*>(mutable_bytes().data()), static_cast<std::size_t>(count_)};
  }

  /// This tensor, or a copy in aligned memory when its bytes are not aligned for its dtype.
  [[nodiscard]] Result<Tensor> aligned() const;
  /// A writable copy of its own.
  [[nodiscard]] Result<Tensor> clone() const;
  /// Same bytes under another shape; kInvalidInput when the element counts differ.
  [[nodiscard]] Result<Tensor> reshaped(Shape shape) const;

 private:
  static Tensor copy_of(DType dtype, Shape shape, std::span<const std::byte> bytes);
  void check_access(DType dtype, std::size_t alignment) const;

  DType dtype_ = DType::kUndefined;
  bool writable_ = false;
  Shape shape_;
  std::int64_t count_ = 0;
  std::size_t size_bytes_ = 0;
  const std::byte* data_ = nullptr;
  std::shared_ptr<const void> owner_;
};

/// Same dtype, shape and bytes (NaN compares by bits).
bool identical(const Tensor& a, const Tensor& b);

}  // namespace tarmac
