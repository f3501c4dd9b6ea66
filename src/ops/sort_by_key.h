// Sorting small keys with what they belong to.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tarmac::ops {

/// Sorts by the upper halves; the lower halves must rise at first, and equal keys stay in their order. `room`
/// has as many elements.
void sort_by_upper_half(std::uint64_t* elements, std::uint64_t* room, std::size_t count);

}  // namespace tarmac::ops
