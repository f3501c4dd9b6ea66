#include "ops/pillar_scatter/tiles.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/pillar_scatter/tiles.cpp"
#include "ops/simd.h"

// After the line above, which says what for.
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "ops/stream-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tarmac::ops::pillar::HWY_NAMESPACE {

using ops::HWY_NAMESPACE::stream;

template <class T>
void scatter(const TileJob& job, std::int64_t first, std::int64_t last) {
  HWY_ALIGN T staged[kTileCells] = {};  // one channel of a tile; zeros but where a pillar is
  std::int32_t at[kTileCells];          // cells with a pillar
  const T* pillar[kTileCells];          // and their features
  const T* features = reinterpret_cast<const T*>(job.features);
  for (std::int64_t tile = first; tile < last; ++tile) {
    const std::int64_t map = tile / job.tiles_per_map;
    const std::int64_t start = tile % job.tiles_per_map * kTileCells;
    const std::int64_t cells = std::min(kTileCells, job.cells - start);
    const std::int32_t* rows = job.rows + map * job.cells + start;
    std::int64_t pillars = 0;
    for (std::int64_t i = 0; i < cells; ++i) {
      at[pillars] = static_cast<std::int32_t>(i);
      pillar[pillars] = features + std::max(rows[i], 0) * job.channels;
      pillars += rows[i] >= 0 ? 1 : 0;
    }
    T* y = reinterpret_cast<T*>(job.y) + map * job.channels * job.cells + start;
    for (std::int64_t c = 0; c < job.channels; ++c, y += job.cells) {
      for (std::int64_t k = 0; k < pillars; ++k) staged[at[k]] = pillar[k][c];
      if (job.stream) {
        stream(staged, cells, y);
      } else {
        std::copy_n(staged, cells, y);
      }
    }
    for (std::int64_t k = 0; k < pillars; ++k) staged[at[k]] = 0;
  }
  if (job.stream) hwy::FlushStream();  // before another thread reads
}

void scatter_any(const TileJob& job, std::int64_t first, std::int64_t last) {
  if (job.element_bytes == 4) {
    scatter<std::uint32_t>(job, first, last);
  } else {
    scatter<std::uint16_t>(job, first, last);
  }
}

}  // namespace tarmac::ops::pillar::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tarmac::ops::pillar {

HWY_EXPORT(scatter_any);

void scatter_tiles(const TileJob& job, std::int64_t first, std::int64_t last) {
  HWY_DYNAMIC_DISPATCH(scatter_any)(job, first, last);
}

}  // namespace tarmac::ops::pillar
#endif
