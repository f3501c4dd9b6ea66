#include "ops/nms_candidates.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/nms_candidates.cpp"
#include "ops/simd.h"

#include <hwy/foreach_target.h>  // after simd.h, before highway.h

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tarmac::ops::nms::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Writes first + i for scores[i] > threshold; returns how many. `places` has room for a vector more.
std::size_t above(const float* HWY_RESTRICT scores, std::size_t count, float threshold, std::uint32_t first,
                  std::uint32_t* HWY_RESTRICT places) {
  const hn::ScalableTag<float> df;
  const hn::RebindToUnsigned<decltype(df)> du;
  const std::size_t lanes = hn::Lanes(df);
  const auto limit = hn::Set(df, threshold);
  std::size_t found = 0;
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto pass = hn::Gt(hn::LoadU(df, scores + i), limit);
    if (hn::AllFalse(df, pass)) continue;
    const auto place = hn::Iota(du, first + static_cast<std::uint32_t>(i));
    found += hn::CompressStore(place, hn::RebindMask(du, pass), du, places + found);
  }
  for (; i < count; ++i) {
    if (scores[i] > threshold) places[found++] = first + static_cast<std::uint32_t>(i);
  }
  return found;
}

}  // namespace tarmac::ops::nms::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tarmac::ops::nms {
namespace {

HWY_EXPORT(above);

constexpr std::size_t kMostLanes = 16;
constexpr std::size_t kAlignment = 64;

template <typename T>
T* carve(std::byte*& memory, std::size_t count) {
  T* const part = reinterpret_cast<T*>(memory);
  memory += (count * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
  return part;
}

/// Unsigned numbers that rise as the float falls; −0 is 0.
std::uint32_t falling(float score) {
  const auto bits = std::bit_cast<std::uint32_t>(score + 0.0F);
  return (bits & 0x80000000U) != 0 ? bits : ~(bits | 0x80000000U);
}

/// Sorts by the upper half; equal ones stay in their order, which is that of the lower half. The result is in
/// `a`.
void sort_by_upper_half(std::uint64_t* a, std::uint64_t* room, std::size_t count) {
  constexpr std::size_t kFew = 128;  // where counting digits costs more than it saves
  if (count <= kFew) return std::sort(a, a + count);
  constexpr int kDigits = 4;
  std::array<std::array<std::uint32_t, 256>, kDigits> starts{};
  for (std::size_t i = 0; i < count; ++i) {
    for (int digit = 0; digit < kDigits; ++digit) ++starts[digit][(a[i] >> (32 + 8 * digit)) & 255];
  }
  std::uint64_t* from = a;
  std::uint64_t* to = room;
  for (int digit = 0; digit < kDigits; ++digit) {
    auto& start = starts[digit];
    const int shift = 32 + 8 * digit;
    if (start[(a[0] >> shift) & 255] == count) continue;  // all the same
    std::uint32_t sum = 0;
    for (std::uint32_t& value : start) sum += std::exchange(value, sum);
    for (std::size_t i = 0; i < count; ++i) to[start[(from[i] >> shift) & 255]++] = from[i];
    std::swap(from, to);
  }
  if (from != a) std::memcpy(a, from, count * sizeof(*a));
}

}  // namespace

std::size_t Candidates::size_bytes(std::int64_t places) {
  const auto count = static_cast<std::size_t>(places) + kMostLanes;
  constexpr std::size_t kEach = 2 * sizeof(std::uint64_t) + 2 * sizeof(std::uint32_t) + sizeof(Range) + 1;
  return count * kEach + 6 * kAlignment;
}

Candidates::Candidates(std::byte* memory, const Problem& problem, std::int64_t b) : problem_(problem), b_(b) {
  const auto count = static_cast<std::size_t>(problem.places()) + kMostLanes;
  grouped_ = carve<std::uint64_t>(memory, count);
  other_ = carve<std::uint64_t>(memory, count);
  place_ = carve<std::uint32_t>(memory, count);
  by_rank_ = carve<std::uint32_t>(memory, count);
  groups_ = carve<Range>(memory, count);
  kept_ = carve<std::uint8_t>(memory, count);
}

void Candidates::collect(const Options& options) {
  const std::int64_t valid = problem_.valid_rows(b_);
  std::size_t found = 0;
  for (std::int64_t k = 0; k < problem_.classes(); ++k) {
    const std::int64_t first = k * problem_.rows();
    if (problem_.scores().dtype == DType::kFloat32) {
      const float* scores = problem_.scores().as<float>() + b_ * problem_.places() + first;
      found += HWY_DYNAMIC_DISPATCH(above)(scores, static_cast<std::size_t>(valid), options.score_threshold,
                                           static_cast<std::uint32_t>(first), place_ + found);
      continue;
    }
    for (std::int64_t place = first; place < first + valid; ++place) {
      if (problem_.score(b_, place) > options.score_threshold)
        place_[found++] = static_cast<std::uint32_t>(place);
    }
  }
  size_ = static_cast<std::uint32_t>(found);
}

void Candidates::sort(const Options& options) {
  for (std::uint32_t i = 0; i < size_; ++i)
    grouped_[i] = std::uint64_t{falling(problem_.score(b_, place_[i]))} << 32 | i;
  sort_by_upper_half(grouped_, other_, size_);
  for (std::uint32_t rank = 0; rank < size_; ++rank) {
    by_rank_[rank] = static_cast<std::uint32_t>(grouped_[rank]);
    grouped_[rank] = rank;
  }
  std::memset(kept_, 0, size_);
  group_count_ = 0;
  if (size_ == 0) return;
  if (!options.class_agnostic && !problem_.one_class()) {
    for (std::uint32_t rank = 0; rank < size_; ++rank) {
      const auto group = static_cast<std::uint32_t>(problem_.label(b_, place_[by_rank_[rank]]));
      grouped_[rank] = std::uint64_t{group} << 32 | rank;
    }
    sort_by_upper_half(grouped_, other_, size_);
  }
  std::uint32_t begin = 0;
  for (std::uint32_t i = 1; i <= size_; ++i) {
    if (i < size_ && grouped_[i] >> 32 == grouped_[begin] >> 32) continue;
    const std::uint32_t most =
        options.pre_max > 0 ? static_cast<std::uint32_t>(std::min<std::int64_t>(options.pre_max, i - begin))
                            : i - begin;
    groups_[group_count_++] = {begin, begin + most};
    begin = i;
  }
}

void Candidates::emit(const Options& options, const Selection& selection) const {
  std::int64_t taken = 0;
  for (std::uint32_t rank = 0; rank < size_ && taken < options.max_boxes; ++rank) {
    if (kept_[rank] != 0) selection.put(b_, taken++, place_[by_rank_[rank]]);
  }
  selection.close(b_, taken);
}

}  // namespace tarmac::ops::nms
#endif  // HWY_ONCE
