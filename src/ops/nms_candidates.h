// The fast way from scores to a sorted list of boxes, and from decisions to outputs.
#pragma once

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
  };

  /// Memory that a batch entry of so many scores needs, whatever the scores are.
  static std::size_t size_bytes(std::int64_t places);
  /// In memory of size_bytes(), aligned to 64.
  Candidates(std::byte* memory, const Problem& problem, std::int64_t b);

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
  /// Sorts; then at(), groups() and keep() make sense.
  void sort(const Options& options);

  [[nodiscard]] std::uint32_t size() const { return size_; }
  [[nodiscard]] std::span<const Range> groups() const { return {groups_, group_count_}; }
  /// Row of the box of candidate i, and its class.
  [[nodiscard]] std::uint32_t row_at(std::uint32_t i) const { return row(place_at(i)); }
  [[nodiscard]] std::int32_t label_at(std::uint32_t i) const { return problem_.label(b_, place_at(i)); }

  /// Takes part: may be written by several threads for different i.
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

/// Calls `solve(candidates, scratch, parallel)` for each batch entry with what collect(), keep_if(sound) and
/// sort() made, then emits. `scratch` has `own_bytes(places)` bytes, aligned to 64.
struct Fast {
  const Options& options;
  const Problem& problem;
  const Selection& selection;

  template <typename Sound, typename Solve>
  void run(std::size_t own_bytes, const Sound& sound, const Solve& solve, Parallel& parallel) const {
    const auto entry = [&](std::int64_t b, Parallel& threads) {
      const std::size_t shared_bytes = Candidates::size_bytes(problem.places());
      std::byte* memory = scratch(shared_bytes + own_bytes);
      Candidates candidates(memory, problem, b);
      candidates.collect(options);
      candidates.keep_if([&](std::uint32_t row) { return sound(b, row); });
      candidates.sort(options);
      solve(b, candidates, memory + shared_bytes, threads);
      candidates.emit(options, selection);
    };
    if (problem.batches() == 1) return entry(0, parallel);
    parallel.for_ranges(problem.batches(), 1, [&](std::int64_t begin, std::int64_t end) {
      Serial serial;
      for (std::int64_t b = begin; b < end; ++b) entry(b, serial);
    });
  }
};

}  // namespace tarmac::ops::nms
