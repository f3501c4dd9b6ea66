#include "ops/sort_by_key.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace tarmac::ops {

void sort_by_upper_half(std::uint64_t* elements, std::uint64_t* room, std::size_t count) {
  constexpr std::size_t kFew = 128;  // where counting digits costs more than it saves
  if (count <= kFew) {
    std::sort(elements, elements + count);
    return;
  }
  constexpr std::size_t kDigits = 4;
  constexpr std::size_t kValues = 256;
  const auto digit_of = [](std::uint64_t element, std::size_t digit) {
    return static_cast<std::size_t>(element >> (32 + 8 * digit)) % kValues;
  };
  std::array<std::array<std::size_t, kValues>, kDigits> starts{};
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t digit = 0; digit < kDigits; ++digit) ++starts[digit][digit_of(elements[i], digit)];
  }
  std::uint64_t* from = elements;
  std::uint64_t* to = room;
  for (std::size_t digit = 0; digit < kDigits; ++digit) {
    auto& start = starts[digit];
    if (start[digit_of(elements[0], digit)] == count) continue;  // the same in all
    std::size_t sum = 0;
    for (std::size_t& value : start) sum += std::exchange(value, sum);
    for (std::size_t i = 0; i < count; ++i) to[start[digit_of(from[i], digit)]++] = from[i];
    std::swap(from, to);
  }
  if (from != elements) std::memcpy(elements, from, count * sizeof(*elements));
}

}  // namespace tarmac::ops
