// Integer inputs: OpenVINO hands over int32 where a model has int64, so kernels take both.
#pragma once

#include "ops/tensor_view.h"

namespace tarmac::ops {

inline std::int64_t integer_at(const ConstTensorView& tensor, std::int64_t i) {
  return tensor.dtype == DType::kInt64 ? tensor.as<std::int64_t>()[i] : tensor.as<std::int32_t>()[i];
}

}  // namespace tarmac::ops
