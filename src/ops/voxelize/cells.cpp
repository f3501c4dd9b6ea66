#include "ops/voxelize/cells.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/voxelize/cells.cpp"
#include "ops/simd.h"

// After the line above, which says what for.
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tarmac::ops::voxel::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

constexpr std::int64_t kBlock = 64;

/// x, y and z of a block of points, each by itself.
struct Columns {
  HWY_ALIGN float axis[3][kBlock];
};

HWY_INLINE void take_apart(const float* points, std::int64_t features, std::int64_t count, Columns& columns) {
  std::int64_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::FixedTag<float, 4> d;
  const hn::FixedTag<double, 2> pairs;
  // Four points at a time; of three features the last load would reach beyond the last point.
  const std::int64_t whole = (features > 3 ? count : count - 1) / 4 * 4;
  for (; i < whole; i += 4) {
    const float* from = points + i * features;
    const auto a = hn::LoadU(d, from);
    const auto b = hn::LoadU(d, from + features);
    const auto e = hn::LoadU(d, from + 2 * features);
    const auto f = hn::LoadU(d, from + 3 * features);
    const auto ab = hn::BitCast(pairs, hn::InterleaveLower(d, a, b));
    const auto ef = hn::BitCast(pairs, hn::InterleaveLower(d, e, f));
    const auto ab_high = hn::BitCast(pairs, hn::InterleaveUpper(d, a, b));
    const auto ef_high = hn::BitCast(pairs, hn::InterleaveUpper(d, e, f));
    hn::Store(hn::BitCast(d, hn::InterleaveLower(pairs, ab, ef)), d, columns.axis[0] + i);
    hn::Store(hn::BitCast(d, hn::InterleaveUpper(pairs, ab, ef)), d, columns.axis[1] + i);
    hn::Store(hn::BitCast(d, hn::InterleaveLower(pairs, ab_high, ef_high)), d, columns.axis[2] + i);
  }
#endif
  for (; i < count; ++i) {
    for (std::int64_t axis = 0; axis < 3; ++axis) columns.axis[axis][i] = points[i * features + axis];
  }
}

std::int64_t find(const Grid& grid, const float* points, std::int64_t features, std::int64_t first,
                  std::int64_t last, std::int32_t* cells, std::int32_t* numbers) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  static_assert(hn::MaxLanes(d) <= kCellSlack);
  std::int64_t found = 0;
  Columns columns = {};
  for (std::int64_t begin = first; begin < last; begin += kBlock) {
    const std::int64_t count = std::min(kBlock, last - begin);
    take_apart(points + begin * features, features, count, columns);
    for (std::int64_t i = 0; i < count; i += lanes) {
      auto cell = hn::Zero(di);
      auto inside =
          hn::Lt(hn::Iota(di, static_cast<std::int32_t>(i)), hn::Set(di, static_cast<std::int32_t>(count)));
      for (std::size_t k = 3; k-- > 0;) {
        const auto p = hn::Load(d, columns.axis[k] + i);
        const auto position =
            hn::Floor(hn::Div(hn::Sub(p, hn::Set(d, grid.lower[k])), hn::Set(d, grid.step[k])));
        const auto fits = hn::And(hn::Ge(position, hn::Zero(d)),
                                  hn::Lt(position, hn::Set(d, static_cast<float>(grid.size[k]))));
        inside = hn::And(inside, hn::RebindMask(di, fits));
        const auto index = hn::ConvertTo(di, hn::IfThenElseZero(fits, position));
        cell = hn::Add(hn::Mul(cell, hn::Set(di, grid.size[k])), index);
      }
      // Not CompressStore, which some processors do in microcode.
      hn::StoreU(hn::Compress(cell, inside), di, cells + found);
      hn::StoreU(hn::Compress(hn::Iota(di, static_cast<std::int32_t>(begin + i)), inside), di,
                 numbers + found);
      found += static_cast<std::int64_t>(hn::CountTrue(di, inside));
    }
  }
  return found;
}

}  // namespace tarmac::ops::voxel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tarmac::ops::voxel {

HWY_EXPORT(find);

std::int64_t find_cells(const Grid& grid, const float* points, std::int64_t features, std::int64_t first,
                        std::int64_t last, std::int32_t* cells, std::int32_t* numbers) {
  return HWY_DYNAMIC_DISPATCH(find)(grid, points, features, first, last, cells, numbers);
}

}  // namespace tarmac::ops::voxel
#endif
