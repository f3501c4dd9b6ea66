#include <array>
#include <cmath>

#include "ops/floats.h"
#include "ops/grid_sample/operator.h"

namespace tarmac::ops::grid {
namespace {

/// One axis: what a coordinate touches.
struct AxisTaps {
  int count = 0;
  std::array<std::int64_t, 4> index{};
  std::array<float, 4> weight{};
};

float reflected(float x, float size, bool align_corners) {
  if (std::abs(x) > kReflected) return 0;
  const float low = align_corners ? 0.0F : -0.5F;
  const float span = align_corners ? size - 1 : size;
  if (span <= 0) return 0;
  const float distance = std::abs(x - low);
  const float flips = std::floor(distance / span);
  const float rest = std::fma(-flips, span, distance);
  const bool forwards = std::fmod(flips, 2.0F) == 0;
  return forwards ? rest + low : span - rest + low;
}

/// Where padding moves a coordinate to.
float padded(float x, float size, const Settings& settings) {
  if (settings.padding == Padding::kZeros) return x;
  if (settings.padding == Padding::kReflection) x = reflected(x, size, settings.align_corners);
  return std::min(std::max(x, 0.0F), size - 1);
}

/// Weights of the elements at floor(x) - 1 … floor(x) + 2, t beyond the second.
std::array<float, 4> cubic_weights(float t) {
  constexpr float kA = -0.75F;
  const auto near = [](float x) { return ((kA + 2) * x - (kA + 3)) * x * x + 1; };
  const auto far = [](float x) { return ((kA * x - 5 * kA) * x + 8 * kA) * x - 4 * kA; };
  return {far(t + 1), near(t), near(1 - t), far(2 - t)};
}

AxisTaps taps_of(float coordinate, std::int64_t elements, const Settings& settings) {
  const auto size = static_cast<float>(elements);
  float x =
      settings.align_corners ? (coordinate + 1) * ((size - 1) / 2) : (coordinate + 1) * (size / 2) - 0.5F;
  x = std::isnan(x) ? -kFarthest : std::min(std::max(x, -kFarthest), kFarthest);
  AxisTaps taps;
  if (settings.mode == Mode::kNearest) {
    taps = {1, {static_cast<std::int64_t>(std::nearbyint(padded(x, size, settings)))}, {1}};
  } else if (settings.mode == Mode::kLinear) {
    x = padded(x, size, settings);
    const float first = std::floor(x);
    const auto i = static_cast<std::int64_t>(first);
    taps = {2, {i, i + 1}, {1 - (x - first), x - first}};
  } else {
    const float first = std::floor(x);
    taps = {4, {}, cubic_weights(x - first)};
    for (int k = 0; k < 4; ++k) {
      taps.index[k] = static_cast<std::int64_t>(
          std::nearbyint(padded(first + static_cast<float>(k - 1), size, settings)));
    }
  }
  return taps;
}

class Reference final : public Kernel {
 public:
  explicit Reference(Settings settings) : settings_(settings) {}

  Status run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
             Parallel& /*parallel*/) const override {
    const Geometry geometry = geometry_of(inputs[0], inputs[1]);
    for (std::int64_t n = 0; n < geometry.batch; ++n) {
      for (std::int64_t p = 0; p < geometry.positions; ++p) {
        const std::int64_t at = (n * geometry.positions + p) * geometry.axes;
        std::array<AxisTaps, 3> taps;
        taps[0] = {1, {0}, {1}};
        for (std::int64_t axis = 0; axis < geometry.axes; ++axis)
          taps[2 - axis] = taps_of(float_at(inputs[1], at + axis), geometry.sizes[2 - axis], settings_);
        for (std::int64_t c = 0; c < geometry.channels; ++c) {
          const std::int64_t plane = n * geometry.channels + c;
          set_float(outputs[0], plane * geometry.positions + p, sample(inputs[0], geometry, plane, taps));
        }
      }
    }
    return {};
  }

 private:
  static float sample(const ConstTensorView& x, const Geometry& geometry, std::int64_t plane,
                      const std::array<AxisTaps, 3>& taps) {
    const auto [depth, height, width] = geometry.sizes;
    float sum = 0;
    for (int a = 0; a < taps[0].count; ++a) {
      for (int b = 0; b < taps[1].count; ++b) {
        for (int c = 0; c < taps[2].count; ++c) {
          const std::int64_t i = taps[0].index[a];
          const std::int64_t j = taps[1].index[b];
          const std::int64_t k = taps[2].index[c];
          if (i < 0 || i >= depth || j < 0 || j >= height || k < 0 || k >= width) continue;
          sum += taps[0].weight[a] * taps[1].weight[b] * taps[2].weight[c] *
                 float_at(x, ((plane * depth + i) * height + j) * width + k);
        }
      }
    }
    return sum;
  }

  Settings settings_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_reference(const Attributes& attributes) {
  TARMAC_TRY(const auto settings, read_settings(attributes));
  return std::unique_ptr<Kernel>(std::make_unique<Reference>(settings));
}

}  // namespace tarmac::ops::grid
