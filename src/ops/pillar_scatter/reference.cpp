#include <algorithm>
#include <cstring>

#include "ops/integers.h"
#include "ops/pillar_scatter/operator.h"

namespace tarmac::ops::pillar {
namespace {

class Reference final : public Kernel {
 public:
  Status run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
             Parallel& /*parallel*/) const override {
    const ConstTensorView& features = inputs[0];
    const TensorView& map = outputs[0];
    const auto element = static_cast<std::size_t>(bit_width(features.dtype)) / 8;
    const std::int64_t channels = map.dim(1);
    const std::int64_t height = map.dim(2);
    const std::int64_t width = map.dim(3);
    std::memset(map.data, 0, static_cast<std::size_t>(map.count()) * element);
    const bool counted = inputs.size() > 2 && inputs[2].present();
    const std::int64_t rows =
        counted ? std::clamp<std::int64_t>(integer_at(inputs[2], 0), 0, features.dim(0)) : features.dim(0);
    for (std::int64_t v = 0; v < rows; ++v) {
      const std::int64_t b = integer_at(inputs[1], 4 * v);
      const std::int64_t i = integer_at(inputs[1], 4 * v + 2);
      const std::int64_t j = integer_at(inputs[1], 4 * v + 3);
      if (b < 0 || b >= map.dim(0) || i < 0 || i >= height || j < 0 || j >= width) continue;
      for (std::int64_t c = 0; c < channels; ++c) {
        const std::int64_t to = ((b * channels + c) * height + i) * width + j;
        std::memcpy(map.data + static_cast<std::size_t>(to) * element,
                    features.data + static_cast<std::size_t>(v * channels + c) * element, element);
      }
    }
    return {};
  }
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_reference(const Attributes& /*attributes*/) {
  return std::unique_ptr<Kernel>(std::make_unique<Reference>());
}

}  // namespace tarmac::ops::pillar
