#include "precision/extremes.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstdint>

namespace tarmac {

Extremes extremes_of(std::span<const float> values) {
  assert(!values.empty());
  // Lanes of their own keep the order of comparisons, so that the compiler may use vectors.
  constexpr std::size_t kLanes = 16;
  constexpr std::uint32_t kExponent = 0x7F800000;
  std::array<float, kLanes> lows;
  std::array<float, kLanes> highs;
  std::array<std::uint32_t, kLanes> spoiled{};
  lows.fill(values.front());
  highs.fill(values.front());
  const auto take = [&](std::size_t lane, float x) {
    lows[lane] = x < lows[lane] ? x : lows[lane];
    highs[lane] = x > highs[lane] ? x : highs[lane];
    spoiled[lane] |= (std::bit_cast<std::uint32_t>(x) & kExponent) == kExponent ? 1U : 0U;
  };
  std::size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) take(lane, values[i + lane]);
  }
  for (; i < values.size(); ++i) take(0, values[i]);
  Extremes all{*std::min_element(lows.begin(), lows.end()), *std::max_element(highs.begin(), highs.end()),
               true};
  all.finite = std::all_of(spoiled.begin(), spoiled.end(), [](std::uint32_t bad) { return bad == 0; });
  return all;
}

}  // namespace tarmac
