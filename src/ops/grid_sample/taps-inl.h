// From positions to elements of the map and their weights. Included once for each instruction set, after
// ops/floats-inl.h.
#include <cstddef>
#include <cstdint>

#include "ops/grid_sample/operator.h"

#if defined(TARMAC_OPS_GRID_SAMPLE_TAPS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TARMAC_OPS_GRID_SAMPLE_TAPS_INL_H
#undef TARMAC_OPS_GRID_SAMPLE_TAPS_INL_H
#else
#define TARMAC_OPS_GRID_SAMPLE_TAPS_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tarmac::ops::grid::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using namespace ops::HWY_NAMESPACE;  // NOLINT(google-build-using-namespace): loads and stores of this target

using Floats = hn::ScalableTag<float>;
using Integers = hn::RebindToSigned<Floats>;
using V = hn::Vec<Floats>;
using VI = hn::Vec<Integers>;

/// Positions that are worked out at once.
inline constexpr std::size_t kBlock = 128;
/// Elements that one position touches at most: 4 by 4 in cubic mode.
inline constexpr std::size_t kMostTaps = 16;

/// What a block of positions touches: element `offset` of a map with this weight; one past the map's end is
/// where a zero stands for all that is outside.
struct Taps {
  alignas(64) std::int32_t offset[kMostTaps][kBlock];
  alignas(64) float weight[kMostTaps][kBlock];
};

/// Along one axis; the index is -1 outside.
template <int kTaps>
struct AxisTaps {
  VI index[kTaps];
  V weight[kTaps];
};

class Axis {
 public:
  Axis(std::int64_t elements, const Settings& settings)
      : size_(static_cast<float>(elements)),
        elements_(static_cast<std::int32_t>(elements)),
        settings_(settings),
        low_(settings.align_corners ? 0.0F : -0.5F),
        span_(settings.align_corners ? size_ - 1 : size_) {}

  template <int kTaps>
  HWY_INLINE AxisTaps<kTaps> taps(V coordinate) const {
    const Floats d;
    const V one = hn::Set(d, 1);
    AxisTaps<kTaps> taps;
    const V x = position(coordinate);
    if constexpr (kTaps == 1) {
      taps = {{inside(hn::NearestInt(padded(x)))}, {one}};
    } else if constexpr (kTaps == 2) {
      const V moved = padded(x);
      const V first = hn::Floor(moved);
      const V rest = hn::Sub(moved, first);
      const VI i = hn::ConvertTo(Integers(), first);
      taps = {{inside(i), inside(hn::Add(i, hn::Set(Integers(), 1)))}, {hn::Sub(one, rest), rest}};
    } else {
      const V first = hn::Floor(x);
      const V t = hn::Sub(x, first);
      taps = {{}, {far(hn::Add(t, one)), near(t), near(hn::Sub(one, t)), far(hn::Sub(hn::Set(d, 2), t))}};
      for (int k = 0; k < kTaps; ++k) {
        const V tap = hn::Add(first, hn::Set(d, static_cast<float>(k - 1)));
        taps.index[k] = inside(hn::NearestInt(padded(tap)));
      }
    }
    return taps;
  }

 private:
  /// In elements. Products and sums are rounded one by one, so that halves fall as they do for others.
  [[nodiscard]] HWY_INLINE V position(V coordinate) const {
    const Floats d;
    const V from_edge = hn::Add(coordinate, hn::Set(d, 1));
    const V x = settings_.align_corners
                    ? hn::Mul(from_edge, hn::Set(d, (size_ - 1) / 2))
                    : hn::Sub(hn::Mul(from_edge, hn::Set(d, size_ / 2)), hn::Set(d, 0.5F));
    const V lowest = hn::Set(d, -kFarthest);
    const V number = hn::IfThenElse(hn::Eq(x, x), x, lowest);
    return hn::Min(hn::Max(number, lowest), hn::Set(d, kFarthest));
  }

  [[nodiscard]] HWY_INLINE V padded(V x) const {
    const Floats d;
    if (settings_.padding == Padding::kZeros) return x;
    if (settings_.padding == Padding::kReflection) x = reflected(x);
    return hn::Min(hn::Max(x, hn::Zero(d)), hn::Set(d, size_ - 1));
  }

  [[nodiscard]] HWY_INLINE V reflected(V x) const {
    const Floats d;
    if (span_ <= 0) return hn::Zero(d);
    const V low = hn::Set(d, low_);
    const V span = hn::Set(d, span_);
    const V distance = hn::Abs(hn::Sub(x, low));
    const V flips = hn::Floor(hn::Div(distance, span));
    const V rest = hn::NegMulAdd(flips, span, distance);
    const V half = hn::Mul(flips, hn::Set(d, 0.5F));
    const V forwards = hn::Add(rest, low);
    const V backwards = hn::Add(hn::Sub(span, rest), low);
    const V inside = hn::IfThenElse(hn::Eq(hn::Floor(half), half), forwards, backwards);
    return hn::IfThenElseZero(hn::Le(hn::Abs(x), hn::Set(d, kReflected)), inside);
  }

  [[nodiscard]] HWY_INLINE VI inside(VI index) const {
    const Integers d;
    const auto below = hn::Lt(index, hn::Zero(d));
    const auto within = hn::AndNot(below, hn::Lt(index, hn::Set(d, elements_)));
    return hn::IfThenElse(within, index, hn::Set(d, -1));
  }

  static HWY_INLINE V near(V x) {
    const Floats d;
    const V inner = hn::Sub(hn::Mul(hn::Set(d, 1.25F), x), hn::Set(d, 2.25F));
    return hn::MulAdd(hn::Mul(inner, x), x, hn::Set(d, 1));
  }
  static HWY_INLINE V far(V x) {
    const Floats d;
    const V inner = hn::Add(hn::Mul(hn::Set(d, -0.75F), x), hn::Set(d, 3.75F));
    return hn::MulAdd(hn::Sub(hn::Mul(inner, x), hn::Set(d, 6)), x, hn::Set(d, 3));
  }

  float size_;
  std::int32_t elements_;
  Settings settings_;
  float low_;   ///< where reflection begins
  float span_;  ///< from there to the other end
};

/// Coordinates of a block: an array for each of x, y, z, filled up to whole vectors with NaN-free numbers.
struct Coordinates {
  alignas(64) float axis[3][kBlock];
};

/// Fills taps for `count` positions (rounded up to whole vectors).
template <int kTaps, int kAxes>
HWY_NOINLINE void find_taps(const Geometry& geometry, const Settings& settings,
                            const Coordinates& coordinates, std::size_t count, Taps& taps) {
  const Floats d;
  const Integers di;
  const Axis x_axis(geometry.sizes[2], settings);
  const Axis y_axis(geometry.sizes[1], settings);
  const Axis z_axis(geometry.sizes[0], settings);
  const VI width = hn::Set(di, static_cast<std::int32_t>(geometry.sizes[2]));
  const VI height = hn::Set(di, static_cast<std::int32_t>(geometry.sizes[1]));
  const VI outside = hn::Set(di, static_cast<std::int32_t>(geometry.map_size()));
  for (std::size_t p = 0; p < count; p += hn::Lanes(d)) {
    const auto x = x_axis.template taps<kTaps>(hn::Load(d, coordinates.axis[0] + p));
    const auto y = y_axis.template taps<kTaps>(hn::Load(d, coordinates.axis[1] + p));
    std::size_t tap = 0;
    const auto add_row = [&](VI row, VI known, V weight) HWY_ATTR {  // `known` is negative outside
      for (int k = 0; k < kTaps; ++k, ++tap) {
        const auto out = hn::Lt(hn::Or(known, x.index[k]), hn::Zero(di));
        const VI offset = hn::Add(hn::Mul(row, width), x.index[k]);
        hn::Store(hn::IfThenElse(out, outside, offset), di, taps.offset[tap] + p);
        hn::Store(hn::Mul(weight, x.weight[k]), d, taps.weight[tap] + p);
      }
    };
    if constexpr (kAxes == 2) {
      for (int j = 0; j < kTaps; ++j) add_row(y.index[j], y.index[j], y.weight[j]);
    } else {
      const auto z = z_axis.template taps<kTaps>(hn::Load(d, coordinates.axis[2] + p));
      for (int i = 0; i < kTaps; ++i) {
        for (int j = 0; j < kTaps; ++j) {
          add_row(hn::Add(hn::Mul(z.index[i], height), y.index[j]), hn::Or(z.index[i], y.index[j]),
                  hn::Mul(z.weight[i], y.weight[j]));
        }
      }
    }
  }
}

}  // namespace tarmac::ops::grid::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
