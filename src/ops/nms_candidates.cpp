#include "ops/nms_candidates.h"

#include <algorithm>
#include <cstring>

#include "ops/scratch_layout.h"
#include "ops/sort_by_key.h"

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

constexpr std::int64_t kMostLanes = 16;

/// Where the arrays are for so many places.
struct Layout {
  explicit Layout(std::int64_t places)
      : grouped(all.add<std::uint64_t>(places)),
        other(all.add<std::uint64_t>(places)),
        place(all.add<std::uint32_t>(places + kMostLanes)),
        by_rank(all.add<std::uint32_t>(places)),
        groups(all.add<Candidates::Range>(places)),
        kept(all.add<std::uint8_t>(places)) {}

  ScratchLayout all;
  ScratchArray<std::uint64_t> grouped, other;
  ScratchArray<std::uint32_t> place, by_rank;
  ScratchArray<Candidates::Range> groups;
  ScratchArray<std::uint8_t> kept;
};

}  // namespace

Candidates::Candidates(const Problem& problem, std::int64_t b) : problem_(problem), b_(b) {
  const Layout layout(problem.places());
  std::byte* const memory = scratch(layout.all.size_bytes(), kSlot);
  grouped_ = layout.grouped.in(memory);
  other_ = layout.other.in(memory);
  place_ = layout.place.in(memory);
  by_rank_ = layout.by_rank.in(memory);
  groups_ = layout.groups.in(memory);
  kept_ = layout.kept.in(memory);
}

void Candidates::collect(const Options& options) {
  const std::int64_t valid = problem_.valid_rows(b_);
  std::size_t found = 0;
  for (std::int64_t k = 0; valid > 0 && k < problem_.classes(); ++k) {
    const std::int64_t first = k * problem_.rows();
    found += HWY_DYNAMIC_DISPATCH(above)(problem_.scores(b_) + first, static_cast<std::size_t>(valid),
                                         options.score_threshold, static_cast<std::uint32_t>(first),
                                         place_ + found);
  }
  size_ = static_cast<std::uint32_t>(found);
}

void Candidates::sort(const Options& options) {
  const float* const scores = problem_.scores(b_);
  for (std::uint32_t i = 0; i < size_; ++i) grouped_[i] = falling_key(scores[place_[i]], i);
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
