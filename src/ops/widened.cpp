#include "ops/widened.h"

#include "ops/floats.h"
#include "ops/kernel.h"

namespace tarmac::ops {

const float* widened(const ConstTensorView& tensor, std::size_t slot) {
  if (tensor.dtype == DType::kFloat32) return tensor.as<float>();
  const std::int64_t count = tensor.count();
  auto* const floats =
      reinterpret_cast<float*>(scratch(static_cast<std::size_t>(count) * sizeof(float), slot));
  for (std::int64_t i = 0; i < count; ++i) floats[i] = float_at(tensor, i);
  return floats;
}

}  // namespace tarmac::ops
