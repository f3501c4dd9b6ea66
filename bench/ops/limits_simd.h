// Loops in the widest vectors there are, for limits.cpp.
#pragma once

#include <cstddef>

namespace tarmac::bench {

/// b += a.
void add_streams(const float* a, float* b, std::size_t count);

/// Independent multiply-adds of whole vectors in a round: enough to fill two units of four cycles' latency.
inline constexpr int kMultiplyAddChains = 8;
/// `rounds` of them; gives the number of floats in a vector.
std::size_t multiply_add(int rounds, float* result);

}  // namespace tarmac::bench
