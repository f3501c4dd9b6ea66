// Groups items by a small key: a stable counting sort on several threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "ops/parallel.h"
#include "ops/scratch_layout.h"

namespace tarmac::ops::bev {

class Grouping {
 public:
  /// Plans for `count` items and `groups` groups, both below 2^31; its memory is part of `layout`.
  Grouping(std::int64_t count, std::int64_t groups, const Parallel& parallel, ScratchLayout& layout)
      : count_(count),
        groups_(groups),
        blocks_(std::clamp<std::int64_t>(count / std::max<std::int64_t>(kBlockItems, groups), 1,
                                         std::int64_t{4} * parallel.workers())),
        items_(layout.add<std::int32_t>(count)),
        starts_(layout.add<std::int32_t>(groups + 1)),
        positions_(layout.add<std::int32_t>(blocks_ * groups)) {}

  /// Calls `key_of(item)` twice for each item, at once on several threads: its group, or a negative number
  /// for items that belong to none.
  template <typename KeyOf>
  void run(std::byte* block, Parallel& parallel, KeyOf&& key_of) const {
    std::int32_t* positions = positions_.in(block);
    std::int32_t* starts = starts_.in(block);
    std::int32_t* items = items_.in(block);
    parallel.for_ranges(blocks_, 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t b = first; b < last; ++b) {
        std::int32_t* counts = positions + b * groups_;
        std::fill_n(counts, groups_, 0);
        for (std::int64_t i = begin_of(b); i < begin_of(b + 1); ++i) {
          const std::int32_t key = key_of(static_cast<std::int32_t>(i));
          if (key >= 0) ++counts[key];
        }
      }
    });
    std::int32_t total = 0;
    for (std::int64_t g = 0; g < groups_; ++g) {
      starts[g] = total;
      for (std::int64_t b = 0; b < blocks_; ++b) {
        const std::int32_t count = positions[b * groups_ + g];
        positions[b * groups_ + g] = total;
        total += count;
      }
    }
    starts[groups_] = total;
    parallel.for_ranges(blocks_, 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t b = first; b < last; ++b) {
        std::int32_t* next = positions + b * groups_;
        for (std::int64_t i = begin_of(b); i < begin_of(b + 1); ++i) {
          const std::int32_t key = key_of(static_cast<std::int32_t>(i));
          if (key >= 0) items[next[key]++] = static_cast<std::int32_t>(i);
        }
      }
    });
  }

  /// After run(): the items of group g, ascending, are items()[starts()[g]] up to items()[starts()[g + 1]].
  [[nodiscard]] const std::int32_t* items(std::byte* block) const { return items_.in(block); }
  [[nodiscard]] const std::int32_t* starts(std::byte* block) const { return starts_.in(block); }

 private:
  static constexpr std::int64_t kBlockItems = 4096;
  [[nodiscard]] std::int64_t begin_of(std::int64_t block) const { return count_ * block / blocks_; }

  std::int64_t count_;
  std::int64_t groups_;
  std::int64_t blocks_;
  ScratchArray<std::int32_t> items_;
  ScratchArray<std::int32_t> starts_;
  ScratchArray<std::int32_t> positions_;  // [blocks][groups]
};

/// Calls `body(first, last)` for ranges of parts that cover all, with about the same weight each, at once on
/// several threads. `weights` are running sums from 0: part i has weight weights[i + 1] − weights[i], which
/// must be positive. `grain` is a weight.
template <typename Body>
void for_weighted_ranges(Parallel& parallel, const std::int64_t* weights, std::int64_t parts,
                         std::int64_t grain, Body&& body) {
  parallel.for_ranges(weights[parts], grain, [&](std::int64_t begin, std::int64_t end) {
    const auto part_at = [&](std::int64_t weight) {
      return std::lower_bound(weights, weights + parts, weight) - weights;
    };
    const std::int64_t first = part_at(begin);
    const std::int64_t last = part_at(end);
    if (first < last) body(first, last);
  });
}

}  // namespace tarmac::ops::bev
