#include "capi/tensors.h"

#include <algorithm>

#include "capi/edge.h"

namespace tarmac::capi {
namespace {

constexpr std::size_t kMostAxes = 64;

Result<Shape> read_shape(const tarmac_tensor& tensor) {
  if (tensor.rank > kMostAxes) {
    return make_error(ErrorCode::kInvalidInput, "found a tensor of rank " + std::to_string(tensor.rank) +
                                                    "; at most " + std::to_string(kMostAxes) +
                                                    " axes are taken");
  }
  if (tensor.rank > 0) TARMAC_CHECK_OK(need(tensor.shape, "tensor->shape"));
  return Shape(tensor.shape, tensor.shape + tensor.rank);
}

}  // namespace

Result<Tensor> to_tensor(const tarmac_tensor* tensor, bool writable) {
  TARMAC_CHECK_OK(need(tensor, "tensor"));
  const auto dtype = static_cast<DType>(tensor->dtype);
  // An enumeration of C holds any number.
  if (static_cast<unsigned>(tensor->dtype) > static_cast<unsigned>(DType::kInt2) || bit_width(dtype) == 0) {
    return make_error(ErrorCode::kInvalidInput, "found the dtype " +
                                                    std::to_string(static_cast<int>(tensor->dtype)) +
                                                    ", whose tensors are no plain memory");
  }
  TARMAC_TRY(Shape shape, read_shape(*tensor));
  TARMAC_TRY(const std::size_t needed, size_bytes(dtype, shape));
  if (tensor->size_bytes != needed) {
    return make_error(ErrorCode::kInvalidInput, "found " + std::to_string(tensor->size_bytes) + " bytes; " +
                                                    to_string(dtype) + to_string(shape) + " needs " +
                                                    std::to_string(needed));
  }
  if (needed > 0) TARMAC_CHECK_OK(need(tensor->data, "tensor->data"));
  const std::span<std::byte> bytes(static_cast<std::byte*>(tensor->data), needed);
  return writable ? Tensor::mutable_view(dtype, std::move(shape), bytes, nullptr)
                  : Tensor::view(dtype, std::move(shape), bytes, nullptr);
}

bool is_view_of(const Tensor& made, const tarmac_tensor& tensor) {
  return !made.empty() && made.dtype() == static_cast<DType>(tensor.dtype) &&
         made.bytes().data() == tensor.data && made.bytes().size() == tensor.size_bytes &&
         made.shape().size() == tensor.rank && (tensor.rank == 0 || tensor.shape != nullptr) &&
         std::equal(made.shape().begin(), made.shape().end(), tensor.shape);
}

tarmac_tensor to_c(const Tensor& tensor) {
  // The caller is told not to write to results; C has no other way to give one struct for both.
  return {static_cast<tarmac_dtype>(tensor.dtype()), tensor.shape().size(), tensor.shape().data(),
          const_cast<std::byte*>(tensor.bytes().data()), tensor.bytes().size()};
}

TensorInfos::TensorInfos(const std::vector<TensorSpec>& specs) : specs_(specs.begin(), specs.end()) {
  for (const TensorSpec& spec : specs_) {
    std::vector<std::int64_t>& shape = shapes_.emplace_back();
    if (spec.shape) {
      for (const TensorDim& dim : *spec.shape) {
        const auto* const size = std::get_if<std::int64_t>(&dim);
        shape.push_back(size == nullptr ? -1 : *size);
      }
    }
    infos_.push_back({spec.name.c_str(), static_cast<tarmac_dtype>(spec.dtype), shape.size(), shape.data(),
                      spec.type.c_str()});
  }
}

}  // namespace tarmac::capi
