// The loops over activations that calibration spends its time in, with Highway.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tarmac {

/// Writes the bin number floor(x · scale) of each value that is not zero to `bins`, one after another, and
/// returns how many those are. `bins` must hold values.size() + kBinSlack numbers. Magnitudes below the
/// smallest float after scaling keep their sign: negative ones are in bin −1.
std::size_t nonzero_bins(std::span<const float> values, float scale, std::int32_t* bins);
inline constexpr std::size_t kBinSlack = 64;

}  // namespace tarmac
