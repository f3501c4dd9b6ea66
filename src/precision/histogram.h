// Counts of a tensor's values that can grow and be added up without losing anything.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "precision/extremes.h"

namespace tarmac {

/// Bin i counts the values in [i·2^k, (i+1)·2^k), −kBins ≤ i < kBins. k follows from the largest magnitude
/// seen, and bins are aligned at zero, so a wider one is exactly two narrower ones: what is counted depends
/// neither on the order of the values nor on how they were divided among histograms that were merged later.
class Histogram {
 public:
  static constexpr int kBinBits = 12;
  static constexpr std::int64_t kBins = std::int64_t{1} << kBinBits;

  /// Returns the extremes of `values`, which are at least one (asserted). Where those are not finite, this
  /// histogram is worth nothing any more.
  Extremes add(std::span<const float> values);
  void merge(const Histogram& other);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  /// Smallest and largest value; 0 while nothing was counted.
  [[nodiscard]] float min() const { return min_; }
  [[nodiscard]] float max() const { return max_; }
  /// k; meaningless while all values are zero or there are none.
  [[nodiscard]] int exponent() const { return exponent_; }
  [[nodiscard]] double bin_width() const;
  /// Of bin i; 0 outside.
  [[nodiscard]] std::uint64_t bin(std::int64_t i) const;
  /// All bins from −kBins on; empty while nothing was counted.
  [[nodiscard]] const std::vector<std::uint64_t>& bins() const { return bins_; }

  /// A histogram with these contents, as files hold them. Asserts their number and k's range.
  static Histogram of(int exponent, float min, float max, std::vector<std::uint64_t> bins);

  bool operator==(const Histogram&) const = default;

 private:
  void widen_to(int exponent);
  void include(float low, float high);
  void count_chunk(std::span<const float> values, std::span<std::uint32_t> tables);
  void flush(std::span<std::uint32_t> tables);

  int exponent_ = kLowestExponent;
  std::uint64_t count_ = 0;
  float min_ = 0;
  float max_ = 0;
  std::vector<std::uint64_t> bins_;

 public:
  /// 2^−k must be a number as well; smaller magnitudes fall into the bins around zero.
  static constexpr int kLowestExponent = -126;
  static constexpr int kHighestExponent = 128 - kBinBits;
};

}  // namespace tarmac
