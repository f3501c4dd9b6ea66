#include <algorithm>
#include <atomic>
#include <limits>

#include "ops/bev_pool/arguments.h"
#include "ops/bev_pool/grouping.h"
#include "ops/bev_pool/operator.h"
#include "ops/bev_pool/tiles.h"
#include "ops/integers.h"
#include "ops/stream.h"

namespace tarmac::ops::bev {
namespace {

constexpr std::int64_t kGrain = 8192;  // points or cells for one task

/// Scratch for an integer input that has to be narrowed.
ScratchArray<std::int32_t> plan_narrow(const ConstTensorView& tensor, ScratchLayout& layout) {
  return layout.add<std::int32_t>(tensor.present() && tensor.dtype == DType::kInt64 ? tensor.count() : 0);
}

/// An integer input as int32: itself or a copy, where -1 stands for what does not fit. Null when it is left
/// out.
const std::int32_t* narrow(const ConstTensorView& tensor, std::int32_t* copy, Parallel& parallel) {
  if (!tensor.present()) return nullptr;
  if (tensor.dtype == DType::kInt32) return tensor.as<std::int32_t>();
  const auto* wide = tensor.as<std::int64_t>();
  parallel.for_ranges(tensor.count(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const auto value = static_cast<std::int32_t>(wide[i]);
      copy[i] = value == wide[i] ? value : -1;
    }
  });
  return copy;
}

class Cpu final : public Kernel {
 public:
  explicit Cpu(bool channels_last) : channels_last_(channels_last) {}

  Status run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
             Parallel& parallel) const override {
    TARMAC_TRY(const Arguments a, read_arguments(channels_last_, inputs, outputs));
    if (a.y.count() == 0) return check_indices(a);
    const bool has_intervals = a.interval_starts.present();
    const std::int64_t tiles_per_map = (a.cells + kTileCells - 1) / kTileCells;
    const std::int64_t tiles = a.maps * tiles_per_map;

    ScratchLayout layout;
    const auto depth_copy = plan_narrow(a.ranks_depth, layout);
    const auto feat_copy = plan_narrow(a.ranks_feat, layout);
    const auto bev_copy = plan_narrow(has_intervals ? ConstTensorView() : a.ranks_bev, layout);
    const auto intervals = layout.add<Interval>(has_intervals ? a.interval_starts.dim(0) : 0);
    const auto starts = layout.add<std::int32_t>(has_intervals ? tiles + 1 : 0);
    const auto weights = layout.add<std::int64_t>(tiles + 1);
    const Grouping grouping(has_intervals ? 0 : a.points, has_intervals ? 0 : tiles, parallel, layout);
    std::byte* block = scratch(layout.size_bytes());

    std::atomic<bool> out_of_range = false;
    TileJob job = {
        .dtype = a.y.dtype,
        .depth = a.depth.data,
        .depth_count = a.depth.present() ? a.depth.count() : 0,
        .feat = a.feat.data,
        .rows = a.rows,
        .channels = a.channels,
        .ranks_depth = narrow(a.ranks_depth, depth_copy.in(block), parallel),
        .ranks_feat = narrow(a.ranks_feat, feat_copy.in(block), parallel),
        .y = a.y.data,
        .channels_last = channels_last_,
        .cells = a.cells,
        .tiles_per_map = tiles_per_map,
        .stream = !channels_last_ &&
                  static_cast<std::int64_t>(bit_width(a.y.dtype)) / 8 * a.y.count() >= kStreamedBytes,
        .out_of_range = &out_of_range};
    if (has_intervals) {
      job.intervals = intervals.in(block);
      job.starts = starts.in(block);
      if (!read_intervals(a, intervals.in(block), starts.in(block), weights.in(block), parallel))
        return check_indices(a);
    } else {
      job.ranks_bev = narrow(a.ranks_bev, bev_copy.in(block), parallel);
      job.points = grouping.items(block);
      job.starts = grouping.starts(block);
      if (!group_points(a, job, grouping, block, weights.in(block), parallel)) return check_indices(a);
    }
    for_weighted_ranges(parallel, weights.in(block), tiles, kGrain,
                        [&](std::int64_t first, std::int64_t last) { pool_tiles(job, first, last); });
    if (out_of_range) return check_indices(a);
    return {};
  }

 private:
  /// Fills `intervals` in order of their cells, and for each tile where its own begin and what it weighs.
  /// False for one that leaves the points or the grid.
  static bool read_intervals(const Arguments& a, Interval* intervals, std::int32_t* starts,
                             std::int64_t* weights, Parallel& parallel) {
    std::atomic<bool> good = true;
    const std::int64_t count = a.interval_starts.dim(0);
    parallel.for_ranges(count, kGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t start = integer_at(a.interval_starts, i);
        const std::int64_t length = integer_at(a.interval_lengths, i);
        Interval interval = {0, 0, 0};
        if (length != 0) {
          const bool inside = start >= 0 && start < a.points && length > 0 && length <= a.points - start;
          interval = {inside ? integer_at(a.ranks_bev, start) : -1, static_cast<std::int32_t>(start),
                      static_cast<std::int32_t>(length)};
          if (interval.cell < 0 || interval.cell >= a.maps * a.cells) {
            good = false;
            return;
          }
        }
        intervals[i] = interval;
      }
    });
    if (!good) return false;
    Interval* end = std::remove_if(intervals, intervals + count,
                                   [](const Interval& interval) { return interval.length == 0; });
    const auto before = [](const Interval& one, const Interval& other) {
      return one.cell != other.cell ? one.cell < other.cell : one.start < other.start;
    };
    if (!std::is_sorted(intervals, end, before)) std::sort(intervals, end, before);

    const std::int64_t tiles_per_map = (a.cells + kTileCells - 1) / kTileCells;
    const Interval* at = intervals;
    std::int64_t weight = 0;
    std::int64_t tile = 0;
    for (std::int64_t map = 0; map < a.maps; ++map) {
      for (std::int64_t i = 0; i < tiles_per_map; ++i, ++tile) {
        starts[tile] = static_cast<std::int32_t>(at - intervals);
        weights[tile] = weight;
        weight += kTileCells;
        const std::int64_t stop = map * a.cells + std::min((i + 1) * kTileCells, a.cells);
        for (; at != end && at->cell < stop; ++at) weight += at->length;
      }
    }
    starts[tile] = static_cast<std::int32_t>(at - intervals);
    weights[tile] = weight;
    return true;
  }

  /// The same for points without intervals.
  static bool group_points(const Arguments& a, const TileJob& job, const Grouping& grouping, std::byte* block,
                           std::int64_t* weights, Parallel& parallel) {
    std::atomic<bool> good = true;
    const auto cells = static_cast<std::int32_t>(a.cells);
    const auto all = static_cast<std::uint32_t>(a.maps * a.cells);
    const auto tiles_per_map = static_cast<std::int32_t>(job.tiles_per_map);
    const bool straight = a.maps == 1 || cells % kTileCells == 0;  // tiles then follow from the cell alone
    grouping.run(block, parallel, [&](std::int32_t p) -> std::int32_t {
      const std::int32_t cell = job.ranks_bev[p];
      if (static_cast<std::uint32_t>(cell) >= all) {
        good.store(false, std::memory_order_relaxed);
        return -1;
      }
      constexpr auto kCells = static_cast<std::int32_t>(kTileCells);
      return straight ? cell / kCells : cell / cells * tiles_per_map + cell % cells / kCells;
    });
    if (!good) return false;
    const std::int64_t tiles = a.maps * job.tiles_per_map;
    for (std::int64_t tile = 0; tile <= tiles; ++tile) weights[tile] = tile * kTileCells + job.starts[tile];
    return true;
  }

  bool channels_last_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_cpu(const Attributes& attributes) {
  const bool channels_last = get<std::string>(attributes, "layout") == "BZHWC";
  return std::unique_ptr<Kernel>(std::make_unique<Cpu>(channels_last));
}

}  // namespace tarmac::ops::bev
