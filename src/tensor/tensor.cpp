#include "tarmac/tensor.h"

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <cstring>

namespace tarmac {
namespace {

constexpr std::size_t kAlignment = 64;  // a cache line, and the widest vector register

Error size_mismatch(DType dtype, const Shape& shape, std::size_t expected, std::size_t found) {
  return make_error(ErrorCode::kInvalidInput, std::string("a ") + to_string(dtype) + " tensor of shape " +
                                                  to_string(shape) + " has " + std::to_string(expected) +
                                                  " bytes, found " + std::to_string(found));
}

}  // namespace

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

Result<std::int64_t> element_count(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) {
    if (size < 0) {
      return make_error(ErrorCode::kInvalidInput, "shape " + to_string(shape) + " has a negative size");
    }
    if (__builtin_mul_overflow(count, size, &count)) {
      return make_error(ErrorCode::kInvalidInput,
                        "shape " + to_string(shape) + " has more than 2^63-1 elements");
    }
  }
  return count;
}

Result<std::size_t> size_bytes(DType dtype, const Shape& shape) {
  TARMAC_TRY(const std::int64_t count, element_count(shape));
  std::size_t bits = 0;
  if (__builtin_mul_overflow(static_cast<std::size_t>(count), static_cast<std::size_t>(bit_width(dtype)),
                             &bits) ||
      bits > SIZE_MAX - 7) {
    return make_error(ErrorCode::kInvalidInput, "shape " + to_string(shape) + " is too large to address");
  }
  return (bits + 7) / 8;
}

Result<Tensor> Tensor::allocate(DType dtype, Shape shape) {
  TARMAC_TRY(const std::size_t bytes, tarmac::size_bytes(dtype, shape));
  if (bytes > SIZE_MAX - kAlignment) return make_error(ErrorCode::kResourceExhausted, "tensor too large");
  // aligned_alloc wants a multiple of the alignment; an empty tensor still gets a valid pointer.
  const std::size_t rounded = bytes == 0 ? kAlignment : (bytes + kAlignment - 1) / kAlignment * kAlignment;
  void* memory = std::aligned_alloc(kAlignment, rounded);
  if (memory == nullptr) {
    return make_error(ErrorCode::kResourceExhausted, "no memory for a tensor of " + std::to_string(bytes) +
                                                         " bytes, shape " + to_string(shape));
  }
  std::shared_ptr<void> owner(memory, std::free);
  return mutable_view(dtype, std::move(shape), {static_cast<std::byte*>(memory), bytes}, std::move(owner));
}

Result<Tensor> Tensor::view(DType dtype, Shape shape, std::span<const std::byte> bytes,
                            std::shared_ptr<const void> owner) {
  TARMAC_TRY(const std::size_t expected, tarmac::size_bytes(dtype, shape));
  if (expected != bytes.size()) return size_mismatch(dtype, shape, expected, bytes.size());
  Tensor tensor;
  tensor.dtype_ = dtype;
  tensor.shape_ = std::move(shape);
  tensor.count_ = *element_count(tensor.shape_);
  tensor.size_bytes_ = bytes.size();
  tensor.data_ = bytes.data();
  tensor.owner_ = std::move(owner);
  return tensor;
}

Result<Tensor> Tensor::mutable_view(DType dtype, Shape shape, std::span<std::byte> bytes,
                                    std::shared_ptr<void> owner) {
  TARMAC_TRY(Tensor tensor, view(dtype, std::move(shape), bytes, std::move(owner)));
  tensor.writable_ = true;
  return tensor;
}

Result<Tensor> Tensor::of_strings(Shape shape, std::vector<std::string> values) {
  TARMAC_TRY(const std::int64_t count, element_count(shape));
  if (static_cast<std::size_t>(count) != values.size()) {
    return make_error(ErrorCode::kInvalidInput, "shape " + to_string(shape) + " has " +
                                                    std::to_string(count) + " strings, found " +
                                                    std::to_string(values.size()));
  }
  Tensor tensor;
  tensor.dtype_ = DType::kString;
  tensor.shape_ = std::move(shape);
  tensor.count_ = count;
  tensor.owner_ = std::make_shared<const std::vector<std::string>>(std::move(values));
  return tensor;
}

Tensor Tensor::copy_of(DType dtype, Shape shape, std::span<const std::byte> bytes) {
  auto tensor = allocate(dtype, std::move(shape));
  assert(tensor.ok() && tensor->bytes().size() == bytes.size());
  if (!bytes.empty()) std::memcpy(tensor->mutable_bytes().data(), bytes.data(), bytes.size());
  return *std::move(tensor);
}

std::span<std::byte> Tensor::mutable_bytes() {
  assert(writable_ || size_bytes_ == 0);
  return {const_cast<std::byte*>(data_), size_bytes_};
}

const std::vector<std::string>& Tensor::strings() const {
  assert(dtype_ == DType::kString);
  return *static_cast<const std::vector<std::string>*>(owner_.get());
}

void Tensor::check_access([[maybe_unused]] DType dtype, [[maybe_unused]] std::size_t alignment) const {
  assert(dtype == dtype_);
  assert(reinterpret_cast<std::uintptr_t>(data_) % alignment == 0);
}

Result<Tensor> Tensor::aligned() const {
  const auto width = static_cast<std::size_t>(bit_width(dtype_)) / 8;
  if (width <= 1 || reinterpret_cast<std::uintptr_t>(data_) % std::min<std::size_t>(width, 8) == 0)
    return *this;
  return clone();
}

Result<Tensor> Tensor::clone() const {
  if (dtype_ == DType::kString || empty()) return *this;
  TARMAC_TRY(Tensor copy, allocate(dtype_, shape_));
  if (size_bytes_ > 0) std::memcpy(copy.mutable_bytes().data(), data_, size_bytes_);
  return copy;
}

Result<Tensor> Tensor::reshaped(Shape shape) const {
  TARMAC_TRY(const std::int64_t count, element_count(shape));
  if (count != count_) {
    return make_error(ErrorCode::kInvalidInput, "cannot view shape " + to_string(shape_) + " as " +
                                                    to_string(shape) + ": element counts differ");
  }
  Tensor result = *this;
  result.shape_ = std::move(shape);
  return result;
}

bool identical(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || a.shape() != b.shape()) return false;
  if (a.dtype() == DType::kString) return a.strings() == b.strings();
  return a.bytes().size() == b.bytes().size() &&
         (a.bytes().empty() || std::memcmp(a.bytes().data(), b.bytes().data(), a.bytes().size()) == 0);
}

}  // namespace tarmac
