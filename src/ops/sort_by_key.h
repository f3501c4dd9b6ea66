// Sorting small keys with what they belong to.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace tarmac::ops {

/// A key that rises as the float falls, above what it belongs to. −0 is 0; not for NaN.
inline std::uint64_t falling_key(float value, std::uint32_t owner) {
  const auto bits = std::bit_cast<std::uint32_t>(value + 0.0F);
  constexpr std::uint32_t kSign = 0x80000000U;
  const std::uint32_t key = (bits & kSign) != 0 ? bits : ~(bits | kSign);
  return std::uint64_t{key} << 32 | owner;
}

/// Sorts by the upper halves; the lower halves must rise at first, and equal keys stay in their order. `room`
/// has as many elements.
void sort_by_upper_half(std::uint64_t* elements, std::uint64_t* room, std::size_t count);

}  // namespace tarmac::ops
