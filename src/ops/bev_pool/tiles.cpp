#include "ops/bev_pool/tiles.h"

#include <algorithm>
#include <cstring>

#include "ops/kernel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/bev_pool/tiles.cpp"
#include "ops/simd.h"

// After the line above, which says what for.
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "ops/floats-inl.h"
#include "ops/stream-inl.h"
#include "ops/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tarmac::ops::bev::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using namespace ops::HWY_NAMESPACE;  // NOLINT(google-build-using-namespace): the part for this instruction
                                     // set

constexpr int kMostVectors = 10;  // sums kept in registers: 160 channels with AVX-512, 80 with AVX2

HWY_INLINE bool within(std::int64_t index, std::int64_t limit) {
  return static_cast<std::uint64_t>(index) < static_cast<std::uint64_t>(limit);
}

/// The weight of point p in all lanes; false when its rank leaves depth.
template <class D, class Type>
HWY_INLINE bool load_weight(const TileJob& job, D d, Type type, std::int64_t p, hn::Vec<D>& weight) {
  if (job.depth == nullptr) {
    weight = hn::Set(d, 1.0F);
    return true;
  }
  const std::int64_t rank = job.ranks_depth[p];
  if (HWY_UNLIKELY(!within(rank, job.depth_count))) return false;
  const hn::CappedTag<float, 1> one;
  const auto* depth = reinterpret_cast<const typename Type::Raw*>(job.depth);
  weight = hn::Set(d, hn::GetLane(load_floats(one, type, depth + rank)));
  return true;
}

HWY_INLINE std::int64_t row_of(const TileJob& job, std::int64_t p) {
  return job.ranks_feat == nullptr ? p : job.ranks_feat[p];
}

/// sums[0, width) = those of the intervals for `width` channels from `channel`; width is above K - 1 and at
/// most K vectors, and at least one. The last vector overlaps the one before where the width is not a
/// multiple.
template <int K, class D, class Type>
bool sum_intervals(const TileJob& job, D d, Type type, const Interval* at, const Interval* end,
                   std::int64_t channel, std::int64_t width, float* sums) {
  constexpr auto kLanes = static_cast<std::int64_t>(hn::MaxLanes(D()));
  const std::int64_t last = std::min((K - 1) * kLanes, width - kLanes);
  const auto* feat = reinterpret_cast<const typename Type::Raw*>(job.feat) + channel;
  hn::Vec<D> sum[K];
  HWY_UNROLL(10)
  for (int k = 0; k < K; ++k) sum[k] = hn::Zero(d);
  for (; at != end; ++at) {
    const std::int64_t stop = std::int64_t{at->start} + at->length;
    for (std::int64_t p = at->start; p < stop; ++p) {
      const std::int64_t row = row_of(job, p);
      if (HWY_UNLIKELY(!within(row, job.rows))) return false;
      hn::Vec<D> weight;
      if (HWY_UNLIKELY(!load_weight(job, d, type, p, weight))) return false;
      const auto* from = feat + row * job.channels;
      HWY_UNROLL(10)
      for (int k = 0; k + 1 < K; ++k)
        sum[k] = hn::MulAdd(weight, load_floats(d, type, from + k * kLanes), sum[k]);
      sum[K - 1] = hn::MulAdd(weight, load_floats(d, type, from + last), sum[K - 1]);
    }
  }
  HWY_UNROLL(10)
  for (int k = 0; k + 1 < K; ++k) hn::StoreU(sum[k], d, sums + k * kLanes);
  hn::StoreU(sum[K - 1], d, sums + last);
  return true;
}

template <class D, class Type>
using SumIntervals = bool (*)(const TileJob&, D, Type, const Interval*, const Interval*, std::int64_t,
                              std::int64_t, float*);

/// All channels of one cell, a few vectors at a time. There are at least Lanes(d) channels.
template <class D, class Type>
bool sum_cell(const TileJob& job, D d, Type type, const Interval* at, const Interval* end, float* sums) {
  static constexpr SumIntervals<D, Type> kSum[kMostVectors] = {
      sum_intervals<1, D, Type>, sum_intervals<2, D, Type>, sum_intervals<3, D, Type>,
      sum_intervals<4, D, Type>, sum_intervals<5, D, Type>, sum_intervals<6, D, Type>,
      sum_intervals<7, D, Type>, sum_intervals<8, D, Type>, sum_intervals<9, D, Type>,
      sum_intervals<10, D, Type>};
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t vectors = (job.channels + lanes - 1) / lanes;
  const std::int64_t passes = (vectors + kMostVectors - 1) / kMostVectors;
  for (std::int64_t i = 0; i < passes; ++i) {
    const std::int64_t first = vectors * i / passes;
    const std::int64_t last = vectors * (i + 1) / passes;
    // The last pass may have less than its vectors; then it begins earlier when it has only one.
    const std::int64_t channel = std::min(first * lanes, job.channels - lanes);
    const std::int64_t width = std::min(last * lanes, job.channels) - channel;
    if (!kSum[last - first - 1](job, d, type, at, end, channel, width, sums + channel)) return false;
  }
  return true;
}

/// Adds `weight` times the rest of a row from `channel` on, as far as whole vectors reach; gives where it
/// stopped.
template <class D, class Type>
HWY_INLINE std::int64_t add_row(D d, Type type, float weight, const typename Type::Raw* from,
                                std::int64_t channel, std::int64_t channels, float* sums) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto factor = hn::Set(d, weight);
  for (; channel + lanes <= channels; channel += lanes) {
    const auto sum = hn::LoadU(d, sums + channel);
    hn::StoreU(hn::MulAdd(factor, load_floats(d, type, from + channel), sum), d, sums + channel);
  }
  return channel;
}

/// Points in any order: each is added to its cell's row, which is in the first-level cache.
template <class Type>
bool add_points(const TileJob& job, Type type, const std::int32_t* at, const std::int32_t* end,
                std::int64_t first_cell, std::int64_t stride, float* sums) {
  const hn::ScalableTag<float> full;
  const hn::CappedTag<float, 4> quarter;
  const hn::CappedTag<float, 1> one;
  const auto* feat = reinterpret_cast<const typename Type::Raw*>(job.feat);
  for (; at != end; ++at) {
    const std::int64_t row = row_of(job, *at);
    hn::Vec<decltype(one)> weight;
    if (HWY_UNLIKELY(!within(row, job.rows) || !load_weight(job, one, type, *at, weight))) return false;
    const float factor = hn::GetLane(weight);
    const auto* from = feat + row * job.channels;
    float* to = sums + (job.ranks_bev[*at] - first_cell) * stride;
    std::int64_t channel = add_row(full, type, factor, from, 0, job.channels, to);
    channel = add_row(quarter, type, factor, from, channel, job.channels, to);
    add_row(one, type, factor, from, channel, job.channels, to);
  }
  return true;
}

/// Sums of all cells of a tile, [cells][stride].
template <class Type>
bool sum_tile(const TileJob& job, Type type, std::int64_t tile, std::int64_t first_cell, std::int64_t cells,
              std::int64_t stride, float* sums) {
  const auto row_bytes = static_cast<std::size_t>(stride) * sizeof(float);
  if (job.intervals == nullptr) {
    std::memset(sums, 0, row_bytes * static_cast<std::size_t>(cells));
    return add_points(job, type, job.points + job.starts[tile], job.points + job.starts[tile + 1], first_cell,
                      stride, sums);
  }
  const hn::ScalableTag<float> full;
  const hn::CappedTag<float, 4> quarter;
  const hn::CappedTag<float, 1> one;
  const Interval* at = job.intervals + job.starts[tile];
  const Interval* end = job.intervals + job.starts[tile + 1];
  for (std::int64_t i = 0; i < cells; ++i) {
    float* row = sums + i * stride;
    const Interval* stop = at;
    while (stop != end && stop->cell == first_cell + i) ++stop;
    bool good = true;
    if (stop == at) {
      std::memset(row, 0, row_bytes);
    } else if (job.channels >= static_cast<std::int64_t>(hn::Lanes(full))) {
      good = sum_cell(job, full, type, at, stop, row);
    } else if (job.channels >= static_cast<std::int64_t>(hn::Lanes(quarter))) {
      good = sum_cell(job, quarter, type, at, stop, row);
    } else {
      good = sum_cell(job, one, type, at, stop, row);
    }
    if (!good) return false;
    at = stop;
  }
  return true;
}

/// Floats in a row to storage.
template <class D, class Type>
HWY_INLINE std::int64_t convert(D d, Type type, const float* from, std::int64_t i, std::int64_t count,
                                typename Type::Raw* to) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (; i + lanes <= count; i += lanes) store_floats(d, type, hn::LoadU(d, from + i), to + i);
  return i;
}

template <class Type>
void write_rows(Type type, const float* sums, std::int64_t stride, std::int64_t cells, std::int64_t channels,
                typename Type::Raw* y) {
  for (std::int64_t i = 0; i < cells; ++i) {
    const std::int64_t done =
        convert(hn::ScalableTag<float>(), type, sums + i * stride, 0, channels, y + i * channels);
    convert(hn::CappedTag<float, 1>(), type, sums + i * stride, done, channels, y + i * channels);
  }
}

/// y[c, cell] = sums[cell, c] past the caches, for channels that are `pitch` elements apart in y.
template <class Type>
void stream_columns(Type type, const float* sums, std::int64_t stride, std::int64_t cells,
                    std::int64_t channels, std::int64_t pitch, typename Type::Raw* y) {
  constexpr std::int64_t kChannels = 16;
  HWY_ALIGN typename Type::Raw staged[kChannels * kTileCells];
  for (std::int64_t c = 0; c < channels; c += kChannels) {
    const std::int64_t some = std::min(kChannels, channels - c);
    transpose(Float32(), sums + c, stride, cells, some, type, staged, kTileCells);
    for (std::int64_t k = 0; k < some; ++k) stream(staged + k * kTileCells, cells, y + (c + k) * pitch);
  }
}

template <class Type>
void pool(const TileJob& job, Type type, std::int64_t first, std::int64_t last) {
  using Raw = typename Type::Raw;
  const std::int64_t stride = (job.channels + 3) / 4 * 4;
  auto* sums = reinterpret_cast<float*>(
      scratch(static_cast<std::size_t>(stride * kTileCells) * sizeof(float), kTileScratch));
  for (std::int64_t tile = first; tile < last; ++tile) {
    const std::int64_t map = tile / job.tiles_per_map;
    const std::int64_t start = tile % job.tiles_per_map * kTileCells;
    const std::int64_t cells = std::min(kTileCells, job.cells - start);
    auto* y = reinterpret_cast<Raw*>(job.y) + map * job.cells * job.channels +
              (job.channels_last ? start * job.channels : start);
    const bool empty = job.starts[tile] == job.starts[tile + 1];
    if (empty) {
      // Zero has no bits set in any of the types.
      const std::int64_t runs = job.channels_last ? 1 : job.channels;
      const std::int64_t run = job.channels_last ? cells * job.channels : cells;
      for (std::int64_t c = 0; c < runs; ++c)
        std::memset(y + c * job.cells, 0, static_cast<std::size_t>(run) * sizeof(Raw));
      continue;
    }
    if (!sum_tile(job, type, tile, map * job.cells + start, cells, stride, sums)) {
      job.out_of_range->store(true, std::memory_order_relaxed);
      return;
    }
    if (job.channels_last) {
      write_rows(type, sums, stride, cells, job.channels, y);
    } else if (job.stream) {
      stream_columns(type, sums, stride, cells, job.channels, job.cells, y);
    } else {
      transpose(Float32(), sums, stride, cells, job.channels, type, y, job.cells);
    }
  }
  if (job.stream) hwy::FlushStream();
}

void pool_any(const TileJob& job, std::int64_t first, std::int64_t last) {
  with_float_type(job.dtype, [&](auto type) { pool(job, type, first, last); });
}

}  // namespace tarmac::ops::bev::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tarmac::ops::bev {

HWY_EXPORT(pool_any);

void pool_tiles(const TileJob& job, std::int64_t first, std::int64_t last) {
  HWY_DYNAMIC_DISPATCH(pool_any)(job, first, last);
}

}  // namespace tarmac::ops::bev
#endif
