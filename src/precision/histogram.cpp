#include "precision/histogram.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <numeric>

#include "precision/histogram_kernels.h"

namespace tarmac {
namespace {

constexpr std::size_t kChunk = 4096;  // its places fit the first-level cache
constexpr std::size_t kAll = 2 * Histogram::kBins;
// Two tables by turns: equal neighbours would wait for each other. Few values are not worth adding them up.
constexpr std::size_t kWorthTables = 4 * kAll;
constexpr std::size_t kMostInTables = std::size_t{1} << 31U;  // a table's counts are 32 bits

/// The narrowest bins that hold this magnitude.
int exponent_for(float magnitude) {
  if (magnitude == 0) return Histogram::kLowestExponent;
  return std::max(std::ilogb(magnitude) + 1 - Histogram::kBinBits, Histogram::kLowestExponent);
}

}  // namespace

double Histogram::bin_width() const { return std::ldexp(1.0, exponent_); }

std::uint64_t Histogram::bin(std::int64_t i) const {
  return bins_.empty() || i < -kBins || i >= kBins ? 0 : bins_[static_cast<std::size_t>(i + kBins)];
}

void Histogram::include(float low, float high) {
  min_ = count_ == 0 ? low : std::min(min_, low);
  max_ = count_ == 0 ? high : std::max(max_, high);
}

void Histogram::widen_to(int exponent) {
  const int steps = exponent - exponent_;
  if (steps <= 0) return;
  exponent_ = exponent;
  if (count_ == 0) return;
  std::vector<std::uint64_t> wider(kAll, 0);
  for (std::int64_t i = -kBins; i < kBins; ++i) {
    const std::int64_t to = steps > kBinBits ? (i < 0 ? -1 : 0) : i >> steps;  // rounds down
    wider[static_cast<std::size_t>(to + kBins)] += bins_[static_cast<std::size_t>(i + kBins)];
  }
  bins_ = std::move(wider);
}

void Histogram::count_chunk(std::span<const float> values, std::span<std::uint32_t> tables) {
  std::array<std::int32_t, kChunk + kBinSlack> places;
  const std::size_t found = nonzero_bins(values, std::ldexp(1.0F, -exponent_), places.data());
  bins_[kBins] += values.size() - found;
  if (tables.empty()) {
    for (std::size_t i = 0; i < found; ++i) ++bins_[static_cast<std::size_t>(places[i] + kBins)];
    return;
  }
  std::uint32_t* const even = tables.data() + kBins;
  std::uint32_t* const odd = even + kAll;
  std::size_t i = 0;
  for (; i + 4 <= found; i += 4) {
    ++even[places[i]];
    ++odd[places[i + 1]];
    ++even[places[i + 2]];
    ++odd[places[i + 3]];
  }
  for (; i < found; ++i) ++even[places[i]];
}

void Histogram::flush(std::span<std::uint32_t> tables) {
  for (std::size_t i = 0; i < kAll; ++i) bins_[i] += std::uint64_t{tables[i]} + tables[i + kAll];
  std::fill(tables.begin(), tables.end(), 0);
}

Extremes Histogram::add(std::span<const float> values) {
  assert(!values.empty());
  if (bins_.empty()) bins_.assign(kAll, 0);
  std::vector<std::uint32_t> tables(values.size() < kWorthTables ? 0 : 2 * kAll);
  std::size_t in_tables = 0;
  Extremes all{values.front(), values.front(), true};
  while (!values.empty()) {
    const auto chunk = values.first(std::min(values.size(), kChunk));
    values = values.subspan(chunk.size());
    const auto [low, high, finite] = extremes_of(chunk);
    all = {std::min(all.low, low), std::max(all.high, high), finite};
    if (!finite) return all;
    const int exponent = exponent_for(std::max(std::fabs(low), std::fabs(high)));
    if (!tables.empty() && (exponent > exponent_ || in_tables + kChunk > kMostInTables)) {
      flush(tables);
      in_tables = 0;
    }
    include(low, high);
    widen_to(exponent);
    count_chunk(chunk, tables);
    count_ += chunk.size();
    in_tables += chunk.size();
  }
  if (!tables.empty()) flush(tables);
  return all;
}

void Histogram::merge(const Histogram& other) {
  if (other.count_ == 0) return;
  include(other.min_, other.max_);
  if (bins_.empty()) bins_.assign(kAll, 0);
  widen_to(other.exponent_);
  Histogram same = other;
  same.widen_to(exponent_);
  for (std::size_t i = 0; i < kAll; ++i) bins_[i] += same.bins_[i];
  count_ += other.count_;
}

Histogram Histogram::of(int exponent, float min, float max, std::vector<std::uint64_t> bins) {
  assert(bins.size() == kAll && exponent >= kLowestExponent && exponent <= kHighestExponent);
  Histogram made;
  made.exponent_ = exponent;
  made.min_ = min;
  made.max_ = max;
  made.count_ = std::accumulate(bins.begin(), bins.end(), std::uint64_t{0});
  made.bins_ = std::move(bins);
  return made;
}

}  // namespace tarmac
