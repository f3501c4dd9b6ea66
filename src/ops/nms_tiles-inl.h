// What is done with Tiles, for each instruction set. Include it after <hwy/highway.h>.
#include <algorithm>
#include <bit>
#include <limits>

#include "ops/nms_tiles.h"
#include "ops/sort_by_key.h"

#if defined(TARMAC_OPS_NMS_TILES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TARMAC_OPS_NMS_TILES_INL_H
#undef TARMAC_OPS_NMS_TILES_INL_H
#else
#define TARMAC_OPS_NMS_TILES_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tarmac::ops::nms::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr float kOut = -std::numeric_limits<float>::infinity();

/// Finds an order for `count` boxes with centres x, y: by cells of this size along a Z-shaped curve. Fills
/// who and at.
HWY_INLINE void order_by_place(Tiles& tiles, const float* x, const float* y, std::uint32_t count,
                               float cell) {
  const hn::ScalableTag<float> df;
  const hn::RebindToSigned<decltype(df)> di;
  const hn::RebindToUnsigned<decltype(df)> du;
  // 256 × 256 cells, then they repeat: boxes far apart may share a tile, which costs time only.
  constexpr float kMost = 1e9F;
  const auto scale = hn::Set(df, cell > 1 / kMost ? 1 / cell : kMost);
  const auto cell_of = [&](const float* from) {
    const auto place = hn::Mul(hn::LoadU(df, from), scale);
    const auto inside = hn::Min(hn::Max(place, hn::Set(df, -kMost)), hn::Set(df, kMost));
    auto bits = hn::And(hn::BitCast(du, hn::ConvertTo(di, hn::Floor(inside))), hn::Set(du, 255));
    bits = hn::And(hn::Or(bits, hn::ShiftLeft<4>(bits)), hn::Set(du, 0x0F0F));
    bits = hn::And(hn::Or(bits, hn::ShiftLeft<2>(bits)), hn::Set(du, 0x3333));
    return hn::And(hn::Or(bits, hn::ShiftLeft<1>(bits)), hn::Set(du, 0x5555));
  };
  const auto lanes = static_cast<std::uint32_t>(hn::Lanes(df));
  for (std::uint32_t first = 0; first < count; first += lanes) {
    alignas(64) std::uint32_t cells[hn::MaxLanes(df)];
    hn::Store(hn::Or(cell_of(x + first), hn::ShiftLeft<1>(cell_of(y + first))), du, cells);
    for (std::uint32_t i = first; i < std::min(first + lanes, count); ++i)
      tiles.keys[i] = std::uint64_t{cells[i - first]} << 32 | i;
  }
  sort_by_upper_half(tiles.keys, tiles.room, count);
  for (std::uint32_t position = 0; position < count; ++position) {
    tiles.who[position] = static_cast<std::uint32_t>(tiles.keys[position]);
    tiles.at[tiles.who[position]] = position;
  }
  tiles.count = count;
}

/// Lower and upper end of a box's frame, beyond what float32 rounds.
HWY_INLINE void ends_of(hn::Vec<hn::ScalableTag<float>> middle, hn::Vec<hn::ScalableTag<float>> extent,
                        hn::Vec<hn::ScalableTag<float>>& low, hn::Vec<hn::ScalableTag<float>>& high) {
  const hn::ScalableTag<float> df;
  const auto wide = hn::MulAdd(hn::Abs(middle), hn::Set(df, 1e-6F), hn::Mul(extent, hn::Set(df, 1.000001F)));
  low = hn::Sub(middle, wide);
  high = hn::Add(middle, wide);
}

/// From x, y and extents by position: fills up the last tile, and makes the frames of tiles.
HWY_INLINE void frame_tiles(Tiles& tiles) {
  const hn::ScalableTag<float> df;
  const auto lanes = static_cast<std::uint32_t>(hn::Lanes(df));
  const std::uint32_t end = (tiles.count + Tiles::kTile - 1) / Tiles::kTile * Tiles::kTile;
  for (std::uint32_t i = tiles.count; i < end; ++i) {
    tiles.x[i] = tiles.y[i] = 0;
    tiles.extent_x[i] = tiles.extent_y[i] = kOut;
    tiles.who[i] = tiles.who[0];  // boxes without end seem near to all: whoever asks must find one
  }
  std::uint32_t tile = 0;
  const auto infinity = hn::Set(df, -kOut);
  for (; tile * Tiles::kTile < tiles.count; ++tile) {
    auto low_x = infinity;
    auto low_y = infinity;
    auto high_x = hn::Neg(infinity);
    auto high_y = hn::Neg(infinity);
    for (std::uint32_t i = tile * Tiles::kTile; i < (tile + 1) * Tiles::kTile; i += lanes) {
      auto low = infinity;
      auto high = infinity;
      ends_of(hn::LoadU(df, tiles.x + i), hn::LoadU(df, tiles.extent_x + i), low, high);
      low_x = hn::Min(low_x, low);
      high_x = hn::Max(high_x, high);
      ends_of(hn::LoadU(df, tiles.y + i), hn::LoadU(df, tiles.extent_y + i), low, high);
      low_y = hn::Min(low_y, low);
      high_y = hn::Max(high_y, high);
    }
    tiles.low_x[tile] = hn::GetLane(hn::MinOfLanes(df, low_x));
    tiles.low_y[tile] = hn::GetLane(hn::MinOfLanes(df, low_y));
    tiles.high_x[tile] = hn::GetLane(hn::MaxOfLanes(df, high_x));
    tiles.high_y[tile] = hn::GetLane(hn::MaxOfLanes(df, high_y));
  }
  // No frame touches one of NaN.
  for (; tile % lanes != 0; ++tile) tiles.low_x[tile] = std::numeric_limits<float>::quiet_NaN();
}

/// Calls `visit(position)` for the first position of each vector in tiles that the frame around (x, y)
/// touches.
template <class Visit>
HWY_INLINE void visit_near(const Tiles& tiles, float x, float y, float extent_x, float extent_y,
                           const Visit& visit) {
  const hn::ScalableTag<float> df;
  const auto lanes = static_cast<std::uint32_t>(hn::Lanes(df));
  auto low_x = hn::Zero(df);
  auto high_x = hn::Zero(df);
  auto low_y = hn::Zero(df);
  auto high_y = hn::Zero(df);
  ends_of(hn::Set(df, x), hn::Set(df, extent_x), low_x, high_x);
  ends_of(hn::Set(df, y), hn::Set(df, extent_y), low_y, high_y);
  const std::uint32_t tile_count = (tiles.count + Tiles::kTile - 1) / Tiles::kTile;
  for (std::uint32_t first = 0; first < tile_count; first += lanes) {
    const auto beside_x = hn::And(hn::Le(hn::LoadU(df, tiles.low_x + first), high_x),
                                  hn::Ge(hn::LoadU(df, tiles.high_x + first), low_x));
    const auto beside_y = hn::And(hn::Le(hn::LoadU(df, tiles.low_y + first), high_y),
                                  hn::Ge(hn::LoadU(df, tiles.high_y + first), low_y));
    std::uint64_t bits = 0;
    hn::StoreMaskBits(df, hn::And(beside_x, beside_y), reinterpret_cast<std::uint8_t*>(&bits));
    for (; bits != 0; bits &= bits - 1) {
      const std::uint32_t tile = first + static_cast<std::uint32_t>(std::countr_zero(bits));
      for (std::uint32_t i = 0; i < Tiles::kTile; i += lanes) visit(tile * Tiles::kTile + i);
    }
  }
}

}  // namespace tarmac::ops::nms::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
