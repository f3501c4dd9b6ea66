// Pillars are few and lie scattered: a table first says which pillar a cell has, then every channel's map is
// written once from front to back.
#include <algorithm>

#include "ops/integers.h"
#include "ops/pillar_scatter/operator.h"
#include "ops/pillar_scatter/tiles.h"
#include "ops/stream.h"

namespace tarmac::ops::pillar {
namespace {

constexpr std::int64_t kNumbersOfTask = 1 << 18;

class Cpu final : public Kernel {
 public:
  Status run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
             Parallel& parallel) const override {
    const ConstTensorView& features = inputs[0];
    const TensorView& y = outputs[0];
    if (y.count() == 0) return {};
    const std::int64_t cells = y.dim(2) * y.dim(3);
    auto* rows = reinterpret_cast<std::int32_t*>(
        scratch(static_cast<std::size_t>(y.dim(0) * cells) * sizeof(std::int32_t)));
    std::fill_n(rows, y.dim(0) * cells, -1);
    fill_rows(inputs, y, rows);

    const auto element_bytes = static_cast<std::size_t>(bit_width(y.dtype)) / 8;
    const std::int64_t tiles_per_map = (cells + kTileCells - 1) / kTileCells;
    const TileJob job = {.element_bytes = element_bytes,
                         .features = features.data,
                         .channels = y.dim(1),
                         .rows = rows,
                         .y = y.data,
                         .cells = cells,
                         .tiles_per_map = tiles_per_map,
                         .stream = y.count() * static_cast<std::int64_t>(element_bytes) >= kStreamedBytes};
    const std::int64_t grain = std::max<std::int64_t>(kNumbersOfTask / (kTileCells * job.channels), 1);
    parallel.for_ranges(y.dim(0) * tiles_per_map, grain,
                        [&](std::int64_t first, std::int64_t last) { scatter_tiles(job, first, last); });
    return {};
  }

 private:
  /// The last pillar of each cell.
  static void fill_rows(std::span<const ConstTensorView> inputs, const TensorView& y, std::int32_t* rows) {
    const std::int64_t all = inputs[0].dim(0);
    const bool counted = inputs.size() > 2 && inputs[2].present();
    const std::int64_t count = counted ? std::clamp<std::int64_t>(integer_at(inputs[2], 0), 0, all) : all;
    for (std::int64_t v = 0; v < count; ++v) {
      const std::int64_t b = integer_at(inputs[1], 4 * v);
      const std::int64_t i = integer_at(inputs[1], 4 * v + 2);
      const std::int64_t j = integer_at(inputs[1], 4 * v + 3);
      if (b < 0 || b >= y.dim(0) || i < 0 || i >= y.dim(2) || j < 0 || j >= y.dim(3)) continue;
      rows[(b * y.dim(2) + i) * y.dim(3) + j] = static_cast<std::int32_t>(v);
    }
  }
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_cpu(const Attributes& /*attributes*/) {
  return std::unique_ptr<Kernel>(std::make_unique<Cpu>());
}

}  // namespace tarmac::ops::pillar
