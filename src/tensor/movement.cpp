#include "tensor/movement.h"

#include <algorithm>
#include <cstring>

#include "tensor/codec.h"

namespace tarmac {
namespace {

Status check_dtype(DType dtype) {
  if (bit_width(dtype) >= 8) return {};
  return make_error(ErrorCode::kUnsupported, std::string("moving elements of type ") + to_string(dtype));
}

Result<std::size_t> resolve_axis(std::int64_t axis, const Shape& shape) {
  const auto rank = static_cast<std::int64_t>(shape.size());
  const std::int64_t resolved = axis < 0 ? axis + rank : axis;
  if (resolved >= 0 && resolved < rank) return static_cast<std::size_t>(resolved);
  return make_error(ErrorCode::kInvalidInput,
                    "axis " + std::to_string(axis) + " of a tensor of shape " + to_string(shape));
}

/// Elements before and after an axis: a tensor is outer × shape[axis] × inner.
struct Split {
  std::size_t outer = 1;
  std::size_t inner = 1;
};

Split split_at(const Shape& shape, std::size_t axis) {
  Split split;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i < axis) split.outer *= static_cast<std::size_t>(shape[i]);
    if (i > axis) split.inner *= static_cast<std::size_t>(shape[i]);
  }
  return split;
}

std::size_t element_bytes(const Tensor& tensor) {
  return static_cast<std::size_t>(bit_width(tensor.dtype())) / 8;
}

}  // namespace

Result<Tensor> concatenate(const std::vector<Tensor>& tensors, std::int64_t axis) {
  if (tensors.empty()) return make_error(ErrorCode::kInvalidInput, "nothing to concatenate");
  TARMAC_CHECK_OK(check_dtype(tensors.front().dtype()));
  Shape shape = tensors.front().shape();
  TARMAC_TRY(const std::size_t along, resolve_axis(axis, shape));
  shape[along] = 0;
  for (const Tensor& tensor : tensors) {
    Shape other = tensor.shape();
    if (other.size() == shape.size()) other[along] = shape[along];
    if (tensor.dtype() != tensors.front().dtype() || other != shape) {
      return make_error(ErrorCode::kInvalidInput, "tensors of shapes " + to_string(tensors.front().shape()) +
                                                      " and " + to_string(tensor.shape()) +
                                                      " do not concatenate");
    }
    shape[along] += tensor.shape()[along];
  }
  TARMAC_TRY(Tensor result, Tensor::allocate(tensors.front().dtype(), shape));
  const Split split = split_at(shape, along);
  std::byte* to = result.mutable_bytes().data();
  for (std::size_t i = 0; i < split.outer; ++i) {
    for (const Tensor& tensor : tensors) {
      const std::size_t bytes = tensor.bytes().size() / split.outer;
      if (bytes == 0) continue;
      std::memcpy(to, tensor.bytes().data() + i * bytes, bytes);
      to += bytes;
    }
  }
  return result;
}

Result<Shape> gather_shape(const Shape& shape, const Shape& indices, std::int64_t axis) {
  TARMAC_TRY(const std::size_t along, resolve_axis(axis, shape));
  const auto cut = shape.begin() + static_cast<std::ptrdiff_t>(along);
  Shape result(shape.begin(), cut);
  result.insert(result.end(), indices.begin(), indices.end());
  result.insert(result.end(), cut + 1, shape.end());
  return result;
}

Result<Tensor> gather(const Tensor& tensor, const Tensor& indices, std::int64_t axis) {
  TARMAC_CHECK_OK(check_dtype(tensor.dtype()));
  TARMAC_TRY(const std::size_t along, resolve_axis(axis, tensor.shape()));
  TARMAC_TRY(std::vector<std::int64_t> positions, to_int64s(indices));
  const std::int64_t size = tensor.shape()[along];
  for (std::int64_t& position : positions) {
    if (position < -size || position >= size) {
      return make_error(ErrorCode::kInvalidInput,
                        "index " + std::to_string(position) + " into an axis of " + std::to_string(size));
    }
    if (position < 0) position += size;
  }
  TARMAC_TRY(Shape shape, gather_shape(tensor.shape(), indices.shape(), axis));
  TARMAC_TRY(Tensor result, Tensor::allocate(tensor.dtype(), std::move(shape)));
  if (result.bytes().empty()) return result;
  const Split split = split_at(tensor.shape(), along);
  const std::size_t bytes = split.inner * element_bytes(tensor);
  std::byte* to = result.mutable_bytes().data();
  for (std::size_t i = 0; i < split.outer; ++i) {
    const std::byte* from = tensor.bytes().data() + i * static_cast<std::size_t>(size) * bytes;
    for (const std::int64_t position : positions) {
      std::memcpy(to, from + static_cast<std::size_t>(position) * bytes, bytes);
      to += bytes;
    }
  }
  return result;
}

Result<Shape> expand_shape(const Shape& from, const Shape& shape) {
  Shape result(std::max(from.size(), shape.size()), 1);
  for (std::size_t i = 0; i < result.size(); ++i) {  // from the last axis on
    const std::int64_t a = i < from.size() ? from[from.size() - 1 - i] : 1;
    const std::int64_t b = i < shape.size() ? shape[shape.size() - 1 - i] : 1;
    if (a != b && a != 1 && b != 1) {
      return make_error(ErrorCode::kInvalidInput,
                        "a tensor of shape " + to_string(from) + " does not expand to " + to_string(shape));
    }
    result[result.size() - 1 - i] = a == 1 ? b : a;
  }
  return result;
}

Result<Tensor> expand(const Tensor& tensor, const Shape& shape) {
  TARMAC_CHECK_OK(check_dtype(tensor.dtype()));
  TARMAC_TRY(const Shape to, expand_shape(tensor.shape(), shape));
  Shape from = tensor.shape();
  from.insert(from.begin(), to.size() - from.size(), 1);
  TARMAC_TRY(Tensor current, tensor.reshaped(std::move(from)));
  // Innermost axis first: what is copied grows as late as it can.
  for (std::size_t axis = to.size(); axis-- > 0;) {
    if (current.shape()[axis] == to[axis]) continue;
    TARMAC_CHECK_OK(element_count({to[axis]}));
    const std::vector<std::int64_t> zeros(static_cast<std::size_t>(to[axis]), 0);
    TARMAC_TRY(current, gather(current, Tensor::from({to[axis]}, zeros), static_cast<std::int64_t>(axis)));
  }
  return current;
}

}  // namespace tarmac
