// The inner part of PillarScatter: runs of neighbouring cells, written once.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tarmac::ops::pillar {

/// Cells of a run: what is staged for one channel is small against the first-level cache.
inline constexpr std::int64_t kTileCells = 1024;

struct TileJob {
  std::size_t element_bytes = 4;  ///< 2 or 4
  const std::byte* features = nullptr;
  std::int64_t channels = 0;
  const std::int32_t* rows = nullptr;  ///< of each cell of all maps the row of features, -1: none
  std::byte* y = nullptr;
  std::int64_t cells = 0;  ///< of one map; tiles do not cross from one map into the next
  std::int64_t tiles_per_map = 0;
  bool stream = false;  ///< past the caches, for a map that would not stay in them
};

/// Tiles [first, last) of all channels.
void scatter_tiles(const TileJob& job, std::int64_t first, std::int64_t last);

}  // namespace tarmac::ops::pillar
