#include "precision/histogram_kernels.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "precision/extremes.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "precision/histogram_kernels.cpp"
#include "ops/simd.h"

#include <hwy/foreach_target.h>  // after simd.h, before highway.h

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tarmac::histogram_kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

Extremes extremes(const float* values, std::size_t count) {
  const hn::ScalableTag<float> df;
  const hn::RebindToUnsigned<decltype(df)> du;
  const std::size_t lanes = hn::Lanes(df);
  const auto exponent = hn::Set(du, 0x7F800000U);
  Extremes all{values[0], values[0], true};
  std::size_t i = 0;
  if (count >= 2 * lanes) {
    // Two of each, as a comparison waits for the last.
    auto low0 = hn::LoadU(df, values);
    auto low1 = low0;
    auto high0 = low0;
    auto high1 = low0;
    auto most = hn::Zero(du);  // of the exponents: all ones for NaN and infinity
    for (; i + 2 * lanes <= count; i += 2 * lanes) {
      const auto a = hn::LoadU(df, values + i);
      const auto b = hn::LoadU(df, values + i + lanes);
      low0 = hn::Min(low0, a);
      low1 = hn::Min(low1, b);
      high0 = hn::Max(high0, a);
      high1 = hn::Max(high1, b);
      most = hn::Max(most,
                     hn::Max(hn::And(hn::BitCast(du, a), exponent), hn::And(hn::BitCast(du, b), exponent)));
    }
    all.finite = hn::GetLane(hn::MaxOfLanes(du, most)) != 0x7F800000U;
    all.low = hn::GetLane(hn::MinOfLanes(df, hn::Min(low0, low1)));
    all.high = hn::GetLane(hn::MaxOfLanes(df, hn::Max(high0, high1)));
  }
  for (; i < count; ++i) {
    const float x = values[i];
    all.low = x < all.low ? x : all.low;
    all.high = x > all.high ? x : all.high;
    all.finite = all.finite && x - x == 0.0F;
  }
  return all;
}

std::size_t nonzero_bins(const float* values, std::size_t count, float scale, std::int32_t* bins) {
  const hn::ScalableTag<float> df;
  const hn::RebindToSigned<decltype(df)> di;
  const std::size_t lanes = hn::Lanes(df);
  const auto factor = hn::Set(df, scale);
  const auto zero = hn::Zero(df);
  std::size_t found = 0;
  const auto take = [&](auto x) HWY_ATTR {
    const auto bin = hn::ConvertTo(di, hn::Floor(hn::Mul(x, factor)));
    const auto below = hn::VecFromMask(di, hn::RebindMask(di, hn::Lt(x, zero)));  // −1 where negative
    const auto signed_bin = hn::IfThenElse(hn::Lt(below, hn::Zero(di)), hn::Min(bin, below), bin);
    const auto counts = hn::RebindMask(di, hn::Ne(x, zero));
    hn::StoreU(hn::Compress(signed_bin, counts), di, bins + found);
    found += hn::CountTrue(di, counts);
  };
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) take(hn::LoadU(df, values + i));
  if (i < count) {
    std::array<float, hn::MaxLanes(df)> rest{};  // zeros do not count
    std::copy(values + i, values + count, rest.begin());
    take(hn::LoadU(df, rest.data()));
  }
  return found;
}

}  // namespace tarmac::histogram_kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tarmac {
namespace histogram_kernels {
HWY_EXPORT(extremes);
HWY_EXPORT(nonzero_bins);
}  // namespace histogram_kernels

Extremes extremes_of(std::span<const float> values) {
  assert(!values.empty());
  using namespace histogram_kernels;
  return HWY_DYNAMIC_DISPATCH(extremes)(values.data(), values.size());
}

std::size_t nonzero_bins(std::span<const float> values, float scale, std::int32_t* bins) {
  using namespace histogram_kernels;
  return HWY_DYNAMIC_DISPATCH(nonzero_bins)(values.data(), values.size(), scale, bins);
}

}  // namespace tarmac
#endif
