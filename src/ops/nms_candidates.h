// The fast way from scores to a sorted list of boxes, and from decisions to outputs.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "ops/nms.h"

namespace tarmac::ops::nms {

/// The candidates of one batch entry: boxes that compete with each other stand together, best first.
class Candidates {
 public:
  struct Range {
    std::uint32_t begin, end;
    [[nodiscard]] std::uint32_t size() const { return end - begin; }
  };
  static constexpr std::size_t kSlot = 0;

  /// In this thread's scratch memory, slot kSlot, as long as nothing else is there.
  Candidates(const Problem& problem, std::int64_t b);

  /// The places of rows below count whose score is above the threshold.
  void collect(const Options& options);
  /// Leaves out those whose box does not pass.
  template <typename Sound>
  void keep_if(const Sound& sound) {
    std::uint32_t to = 0;
    for (std::uint32_t i = 0; i < size_; ++i) {
      if (sound(row(place_[i]))) place_[to++] = place_[i];
    }
    size_ = to;
  }
  /// Sorts; from then on groups(), row_at(), label_at() and keep() make sense.
  void sort(const Options& options);

  [[nodiscard]] std::uint32_t size() const { return size_; }
  [[nodiscard]] std::span<const Range> groups() const { return {groups_, group_count_}; }
  /// Row of the box of candidate i, and its class.
  [[nodiscard]] std::uint32_t row_at(std::uint32_t i) const { return row(place_at(i)); }
  [[nodiscard]] std::int32_t label_at(std::uint32_t i) const { return problem_.label(b_, place_at(i)); }

  /// For different i at once on several threads.
  void keep(std::uint32_t i) { kept_[rank_at(i)] = 1; }
  /// Kept ones into the outputs, best first, at most options.max_boxes.
  void emit(const Options& options, const Selection& selection) const;

 private:
  [[nodiscard]] std::uint32_t row(std::uint32_t place) const {
    return problem_.classes() == 1 ? place : place % static_cast<std::uint32_t>(problem_.rows());
  }
  [[nodiscard]] std::uint32_t rank_at(std::uint32_t i) const {
    return static_cast<std::uint32_t>(grouped_[i]);
  }
  [[nodiscard]] std::uint32_t place_at(std::uint32_t i) const { return place_[by_rank_[rank_at(i)]]; }

  const Problem& problem_;
  std::int64_t b_;
  std::uint32_t size_ = 0;
  std::size_t group_count_ = 0;
  std::uint64_t* grouped_;  ///< group above rank
  std::uint64_t* other_;    ///< room to sort
  std::uint32_t* place_;    ///< in the order of places
  std::uint32_t* by_rank_;  ///< index into place_
  Range* groups_;
  std::uint8_t* kept_;  ///< by rank
};

/// The most candidates that a group can have, whatever the numbers are.
inline std::int64_t largest_group(const Options& options, const Problem& problem) {
  return options.class_agnostic ? problem.places() : problem.rows();
}

/// For each batch entry: collects, leaves out the boxes n for which `sound(b, n)` does not hold, sorts, calls
/// `sweep(b, group, candidates)` for each group, which keep()s, and emits. Groups and batch entries run on
/// several threads; scratch memory but slot 3 is taken.
template <typename Sound, typename Sweep>
void run_fast(const Options& options, const Problem& problem, const Selection& selection, const Sound& sound,
              const Sweep& sweep, Parallel& parallel) {
  const auto entry = [&](std::int64_t b, Parallel& threads) {
    Candidates candidates(problem, b);
    candidates.collect(options);
    candidates.keep_if([&](std::uint32_t n) { return sound(b, n); });
    candidates.sort(options);
    const auto groups = candidates.groups();
    const auto count = static_cast<std::int64_t>(groups.size());
    constexpr std::int64_t kTogether = 300;  // candidates that make a range of some tens of microseconds
    const std::int64_t grain = count * kTogether / std::max<std::int64_t>(candidates.size(), 1);
    threads.for_ranges(count, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t g = begin; g < end; ++g) sweep(b, groups[static_cast<std::size_t>(g)], candidates);
    });
    candidates.emit(options, selection);
  };
  if (problem.batches() == 1) return entry(0, parallel);
  parallel.for_ranges(problem.batches(), 1, [&](std::int64_t begin, std::int64_t end) {
    Serial serial;
    for (std::int64_t b = begin; b < end; ++b) entry(b, serial);
  });
}

}  // namespace tarmac::ops::nms
