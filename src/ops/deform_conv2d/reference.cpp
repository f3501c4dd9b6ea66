#include <algorithm>
#include <cmath>

#include "ops/deform_conv2d/operator.h"
#include "ops/floats.h"

namespace tarmac::ops::deform {
namespace {

float finite(float x) { return std::isnan(x) ? -kFarthest : std::clamp(x, -kFarthest, kFarthest); }

class Reference final : public Kernel {
 public:
  explicit Reference(Settings settings) : s_(std::move(settings)) {}

  Status run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
             Parallel& /*parallel*/) const override {
    const Geometry g = geometry_of(s_, inputs[kX], inputs[kW], outputs[0]);
    const bool biased = inputs.size() > kBias && inputs[kBias].present();
    std::int64_t at = 0;
    for (std::int64_t n = 0; n < g.batch; ++n) {
      for (std::int64_t o = 0; o < g.out_channels; ++o) {
        for (std::int64_t i = 0; i < g.out_height; ++i) {
          for (std::int64_t j = 0; j < g.out_width; ++j) {
            const double bias = biased ? float_at(inputs[kBias], o) : 0.0;
            set_float(outputs[0], at++, static_cast<float>(bias + sum(inputs, g, n, o, i, j)));
          }
        }
      }
    }
    return {};
  }

 private:
  double sum(std::span<const ConstTensorView> inputs, const Geometry& g, std::int64_t n, std::int64_t o,
             std::int64_t i, std::int64_t j) const {
    double total = 0;
    const std::int64_t first_channel = o / g.group_out_channels * g.group_channels;
    for (std::int64_t c = 0; c < g.group_channels; ++c) {
      for (std::int64_t k = 0; k < g.kernel_height; ++k) {
        for (std::int64_t l = 0; l < g.kernel_width; ++l) {
          const std::int64_t weight = ((o * g.group_channels + c) * g.kernel_height + k) * g.kernel_width + l;
          total += double{float_at(inputs[kW], weight)} * tap(inputs, g, n, first_channel + c, k, l, i, j);
        }
      }
    }
    return total;
  }

  /// What tap (k, l) of position (i, j) sees of a channel.
  double tap(std::span<const ConstTensorView> inputs, const Geometry& g, std::int64_t n, std::int64_t c,
             std::int64_t k, std::int64_t l, std::int64_t i, std::int64_t j) const {
    const std::int64_t t = (c / g.offset_group_channels * g.kernel_height + k) * g.kernel_width + l;
    const std::int64_t map = (n * s_.offset_groups * g.taps() + t) * g.positions();
    const std::int64_t position = i * g.out_width + j;
    const float dy = float_at(inputs[kOffset], 2 * map + position);
    const float dx = float_at(inputs[kOffset], 2 * map + g.positions() + position);
    const float y = finite(static_cast<float>(i * s_.stride_y - s_.pad_top + k * s_.dilation_y) + dy);
    const float x = finite(static_cast<float>(j * s_.stride_x - s_.pad_left + l * s_.dilation_x) + dx);
    const double value = interpolated(inputs[kX], g, n * g.channels + c, y, x);
    const bool masked = inputs.size() > kMask && inputs[kMask].present();
    return masked ? value * float_at(inputs[kMask], map + position) : value;
  }

  static double interpolated(const ConstTensorView& map, const Geometry& g, std::int64_t plane, float y,
                             float x) {
    const float top = std::floor(y);
    const float left = std::floor(x);
    double value = 0;
    for (int corner = 0; corner < 4; ++corner) {
      const auto i = static_cast<std::int64_t>(top) + corner / 2;
      const auto j = static_cast<std::int64_t>(left) + corner % 2;
      if (i < 0 || i >= g.height || j < 0 || j >= g.width) continue;
      const float weight_y = corner / 2 == 0 ? 1 - (y - top) : y - top;
      const float weight_x = corner % 2 == 0 ? 1 - (x - left) : x - left;
      value += double{weight_y} * weight_x * float_at(map, (plane * g.height + i) * g.width + j);
    }
    return value;
  }

  Settings s_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_reference(const Attributes& attributes) {
  TARMAC_TRY(auto settings, read_settings(attributes));
  return std::unique_ptr<Kernel>(std::make_unique<Reference>(std::move(settings)));
}

}  // namespace tarmac::ops::deform
