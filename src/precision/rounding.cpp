#include "precision/rounding.h"

#include <cassert>
#include <cstring>

#include "tensor/codec.h"

namespace tarmac {
namespace {

template <float (*decode)(std::uint16_t)>
void decode_all(const Tensor& from, Tensor& to) {
  const auto target = to.mutable_data<float>();
  const std::byte* source = from.bytes().data();
  for (std::size_t i = 0; i < target.size(); ++i) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, source + 2 * i, sizeof bits);  // weights mapped from a file may be unaligned
    target[i] = decode(bits);
  }
}

template <std::uint16_t (*encode)(float)>
void encode_all(const Tensor& from, Tensor& to) {
  const auto source = from.data<float>();
  std::byte* target = to.mutable_bytes().data();
  for (std::size_t i = 0; i < source.size(); ++i) {
    const std::uint16_t bits = encode(source[i]);
    std::memcpy(target + 2 * i, &bits, sizeof bits);
  }
}

template <std::uint16_t (*encode)(float), float (*decode)(std::uint16_t)>
void round_all(const Tensor& from, Tensor& to) {
  const auto source = from.data<float>();
  const auto target = to.mutable_data<float>();
  for (std::size_t i = 0; i < source.size(); ++i) target[i] = decode(encode(source[i]));
}

}  // namespace

bool is_16_bit_float(DType dtype) { return dtype == DType::kFloat16 || dtype == DType::kBFloat16; }

FloatLimits limits_of(DType dtype) {
  assert(is_16_bit_float(dtype));
  if (dtype == DType::kFloat16) return {65504.0, 0x1p-14, 2048};
  return {0x1.fep127, 0x1p-126, 256};
}

Result<Tensor> widened(const Tensor& tensor) {
  return is_16_bit_float(tensor.dtype()) ? stored_as(tensor, DType::kFloat32) : tensor;
}

Result<Tensor> rounded(const Tensor& tensor, DType dtype) {
  TARMAC_TRY(const Tensor source, tensor.aligned());
  TARMAC_TRY(Tensor result, Tensor::allocate(DType::kFloat32, tensor.shape()));
  if (dtype == DType::kFloat16) {
    round_all<float_to_half, half_to_float>(source, result);
  } else {
    round_all<float_to_bfloat16, bfloat16_to_float>(source, result);
  }
  return result;
}

Result<Tensor> stored_as(const Tensor& tensor, DType dtype) {
  if (tensor.dtype() == dtype) return tensor;
  TARMAC_TRY(Tensor result, Tensor::allocate(dtype, tensor.shape()));
  if (dtype == DType::kFloat32) {
    if (tensor.dtype() == DType::kFloat16) {
      decode_all<half_to_float>(tensor, result);
    } else {
      decode_all<bfloat16_to_float>(tensor, result);
    }
    return result;
  }
  TARMAC_TRY(const Tensor source, tensor.aligned());
  if (dtype == DType::kFloat16) {
    encode_all<float_to_half>(source, result);
  } else {
    encode_all<float_to_bfloat16>(source, result);
  }
  return result;
}

}  // namespace tarmac
