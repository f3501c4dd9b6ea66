// The inner part of BevPool: sums for tiles of neighbouring cells, written in the output's layout.
#pragma once

#include <atomic>
#include <cstdint>

#include "tarmac/tensor.h"

namespace tarmac::ops::bev {

/// Cells whose sums are staged channel by channel before they are turned into the output's layout.
inline constexpr std::int64_t kTileCells = 64;

struct Interval {
  std::int64_t cell;
  std::int32_t start;
  std::int32_t length;
};

/// All that a tile needs; nothing is owned. Ranks outside their tensors are found here, the rest is in range.
struct TileJob {
  DType dtype = DType::kFloat32;
  const std::byte* depth = nullptr;  ///< null: every weight is 1
  std::int64_t depth_count = 0;
  const std::byte* feat = nullptr;
  std::int64_t rows = 0;
  std::int64_t channels = 0;
  const std::int32_t* ranks_depth = nullptr;
  const std::int32_t* ranks_feat = nullptr;  ///< null: point p has row p

  /// Per tile and one more: where its intervals begin, or its points where there are no intervals.
  const std::int32_t* starts = nullptr;
  const Interval* intervals = nullptr;  ///< ascending by cell
  const std::int32_t* points =
      nullptr;  ///< without intervals: the points of each tile, in any order of cells
  const std::int32_t* ranks_bev = nullptr;  ///< of the points, where there are no intervals

  std::byte* y = nullptr;
  bool channels_last = false;
  std::int64_t cells = 0;  ///< of one map; tiles do not cross from one map into the next
  std::int64_t tiles_per_map = 0;
  bool stream = false;  ///< past the caches, for a map that would not stay in them; not with channels last
  std::atomic<bool>* out_of_range = nullptr;  ///< set when a rank leaves its tensor; y is then unfinished
};

/// Tiles [first, last). Takes one block of scratch memory of the calling thread (kTileScratch).
void pool_tiles(const TileJob& job, std::int64_t first, std::int64_t last);
inline constexpr std::size_t kTileScratch = 1;

}  // namespace tarmac::ops::bev
