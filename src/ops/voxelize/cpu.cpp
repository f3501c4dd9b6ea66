// The points are cut into a few chunks, each with a table of its own, so that threads can number voxels at
// once. Taking over the voxels of the chunks one after the other keeps the order of first points, and tells
// each chunk how many points of its voxels came before.
#include <algorithm>
#include <array>
#include <cstring>

#include "ops/scratch_layout.h"
#include "ops/voxelize/cells.h"
#include "ops/voxelize/operator.h"
#include "ops/voxelize/table.h"

namespace tarmac::ops::voxel {
namespace {

constexpr std::int64_t kMostChunks = 8;  // taking over is serial
constexpr std::int64_t kPointsOfChunk = 8192;
constexpr std::int64_t kBlock = 512;        // points whose cells are known ahead of the table
constexpr std::int64_t kPiecesOfChunk = 4;  // for the last step, which needs no order
constexpr std::int64_t kNumbersOfTask = 1 << 16;

/// Where the points of a chunk's voxel go: the voxel, and how many points it had before.
struct Place {
  std::int32_t voxel;
  std::int32_t used;
};

/// One chunk's arrays; those over points are for its points inside the grid.
struct Chunk {
  std::int64_t first = 0;
  std::int64_t last = 0;
  std::int32_t* point = nullptr;
  std::int32_t* local = nullptr;  ///< number of the point's voxel in the chunk
  std::int32_t* slot = nullptr;   ///< of the point among those of its voxel in the chunk
  std::int32_t* cell = nullptr;   ///< of each voxel
  std::int32_t* count = nullptr;  ///< of each voxel
  Place* place = nullptr;         ///< of each voxel
  Table table;
  std::int64_t points = 0;  ///< inside the grid
  std::int32_t voxels = 0;
};

/// Memory for Chunk. The first one takes over the voxels of the others.
struct ChunkLayout {
  ChunkLayout() = default;
  ChunkLayout(std::int64_t points, std::int64_t voxels, std::int64_t table_bytes, ScratchLayout& layout)
      : point(layout.add<std::int32_t>(points + kCellSlack)),
        local(layout.add<std::int32_t>(points)),
        slot(layout.add<std::int32_t>(points)),
        cell(layout.add<std::int32_t>(voxels + 1)),
        count(layout.add<std::int32_t>(voxels + 1)),
        place(layout.add<Place>(points)),
        table(layout.add<std::byte>(table_bytes)) {}

  ScratchArray<std::int32_t> point, local, slot, cell, count;
  ScratchArray<Place> place;
  ScratchArray<std::byte> table;
};

/// Numbers the voxels of a chunk and the points in each.
template <bool Dense>
void number_chunk(const Grid& grid, const float* points, std::int64_t features, Chunk& chunk) {
  Table table = chunk.table;
  std::int32_t cells[kBlock + kCellSlack];
  std::int32_t next = 0;
  std::int64_t done = 0;
  for (std::int64_t begin = chunk.first; begin < chunk.last; begin += kBlock) {
    const std::int64_t found = find_cells(grid, points, features, begin, std::min(begin + kBlock, chunk.last),
                                          cells, chunk.point + done);
    if constexpr (!Dense) {
      for (std::int64_t i = 0; i < found; ++i) table.prefetch(cells[i]);
    }
    for (std::int64_t i = 0; i < found; ++i, ++done) {
      const std::int32_t voxel =
          Dense ? table.number_dense(cells[i], next) : table.number_hashed(cells[i], next);
      chunk.cell[next] =
          cells[i];  // stays only if the voxel is new, which saves a branch that nobody can foresee
      chunk.count[next] = 0;
      next += voxel == next ? 1 : 0;
      chunk.local[done] = voxel;
      chunk.slot[done] = chunk.count[voxel]++;
    }
  }
  chunk.points = done;
  chunk.voxels = next;
}

/// Takes the voxels of a chunk over into the first one.
void take_over(Chunk& all, const Chunk& chunk) {
  Table table = all.table;
  constexpr std::int32_t kAhead = 16;
  for (std::int32_t v = 0; v < chunk.voxels; ++v) {
    if (v + kAhead < chunk.voxels) table.prefetch(chunk.cell[v + kAhead]);
    const std::int32_t voxel = table.number_of(chunk.cell[v], all.voxels);
    if (voxel == all.voxels) {
      all.cell[voxel] = chunk.cell[v];
      all.count[voxel] = 0;
      ++all.voxels;
    }
    chunk.place[v] = {voxel, all.count[voxel]};
    all.count[voxel] += chunk.count[v];
  }
}

/// Copies the points [first, last) of a chunk to their voxels. `Features` is the number of features, or 0 for
/// any: a fixed number copies without a loop.
template <std::int64_t Features>
void copy_points(const Grid& grid, const Chunk& chunk, std::int64_t first, std::int64_t last,
                 const float* points, std::int64_t features, float* voxels) {
  for (std::int64_t i = first; i < last; ++i) {
    const Place place = chunk.place[chunk.local[i]];
    const std::int64_t slot = place.used + chunk.slot[i];
    if (place.voxel >= grid.max_voxels || slot >= grid.max_points) continue;
    const float* from = points + chunk.point[i] * features;
    float* to = voxels + (place.voxel * grid.max_points + slot) * features;
    if constexpr (Features > 0) {
      std::memcpy(to, from, sizeof(float) * Features);
    } else {
      for (std::int64_t f = 0; f < features; ++f) to[f] = from[f];
    }
  }
}

class Cpu final : public Kernel {
 public:
  explicit Cpu(const Grid& grid)
      : grid_(grid), cells_(std::int64_t{grid.size[0]} * grid.size[1] * grid.size[2]) {}

  Status run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
             Parallel& parallel) const override {
    const auto* points = inputs[0].as<float>();
    const std::int64_t features = inputs[0].dim(1);
    const std::int64_t count = valid_points(inputs);
    const auto chunk_count = static_cast<std::size_t>(std::clamp<std::int64_t>(
        count / kPointsOfChunk, 1, std::min<std::int64_t>(parallel.workers(), kMostChunks)));
    std::array<Chunk, kMostChunks> memory;
    const std::span<Chunk> chunks = std::span(memory).first(chunk_count);
    plan(count, chunks);

    parallel.for_ranges(
        static_cast<std::int64_t>(chunk_count), 1, [&](std::int64_t first, std::int64_t last) {
          for (Chunk& chunk : chunks.subspan(first, last - first)) {
            chunk.table.clear();
            const auto number = chunk.table.is_dense() ? number_chunk<true> : number_chunk<false>;
            number(grid_, points, features, chunk);
          }
        });
    for (std::int32_t v = 0; v < chunks[0].voxels; ++v) chunks[0].place[v] = {v, 0};
    for (const Chunk& chunk : chunks.subspan(1)) take_over(chunks[0], chunk);

    write_voxels(chunks[0], outputs, parallel);
    const auto copy = features == 3   ? copy_points<3>
                      : features == 4 ? copy_points<4>
                      : features == 5 ? copy_points<5>
                                      : copy_points<0>;
    parallel.for_ranges(static_cast<std::int64_t>(chunk_count) * kPiecesOfChunk, 1,
                        [&](std::int64_t first, std::int64_t last) {
                          for (std::int64_t i = first; i < last; ++i) {
                            const Chunk& chunk = chunks[static_cast<std::size_t>(i / kPiecesOfChunk)];
                            const std::int64_t piece = i % kPiecesOfChunk;
                            copy(grid_, chunk, chunk.points * piece / kPiecesOfChunk,
                                 chunk.points * (piece + 1) / kPiecesOfChunk, points, features,
                                 outputs[0].as<float>());
                          }
                        });
    return {};
  }

 private:
  /// Cuts [0, count) into chunks and gives them memory.
  void plan(std::int64_t count, std::span<Chunk> chunks) const {
    const auto number = static_cast<std::int64_t>(chunks.size());
    const std::int64_t points = (count + number - 1) / number;
    const bool dense = Table::is_dense(count, cells_);
    std::array<ChunkLayout, kMostChunks> layouts;
    ScratchLayout layout;
    for (std::int64_t c = 0; c < number; ++c) {
      const std::int64_t voxels = c == 0 ? count : points;
      layouts[static_cast<std::size_t>(c)] =
          ChunkLayout(points, voxels, Table::size_bytes(dense, voxels, cells_), layout);
    }
    std::byte* block = scratch(layout.size_bytes());
    for (std::int64_t c = 0; c < number; ++c) {
      const ChunkLayout& of = layouts[static_cast<std::size_t>(c)];
      chunks[static_cast<std::size_t>(c)] = {
          .first = count * c / number,
          .last = count * (c + 1) / number,
          .point = of.point.in(block),
          .local = of.local.in(block),
          .slot = of.slot.in(block),
          .cell = of.cell.in(block),
          .count = of.count.in(block),
          .place = of.place.in(block),
          .table = Table(dense, c == 0 ? count : points, cells_, of.table.in(block))};
    }
  }

  /// All of the outputs but the points: zeros in the voxels, coordinates, numbers of points and of voxels.
  void write_voxels(const Chunk& all, std::span<const TensorView> outputs, Parallel& parallel) const {
    const std::int64_t found = std::min<std::int64_t>(all.voxels, grid_.max_voxels);
    const std::int64_t row = grid_.max_points * outputs[0].dim(2);
    auto* coordinates = outputs[1].as<std::int32_t>();
    auto* num_points = outputs[2].as<std::int32_t>();
    *outputs[3].as<std::int32_t>() = static_cast<std::int32_t>(found);
    const std::int64_t grain = std::max<std::int64_t>(kNumbersOfTask / row, 1);
    parallel.for_ranges(grid_.max_voxels, grain, [&](std::int64_t first, std::int64_t last) {
      std::fill_n(outputs[0].as<float>() + first * row, (last - first) * row, 0.0F);
      const std::int64_t rest = std::clamp(found, first, last);
      for (std::int64_t v = first; v < rest; ++v) {
        const std::int32_t line = all.cell[v] / grid_.size[0];
        coordinates[4 * v] = 0;
        coordinates[4 * v + 1] = line / grid_.size[1];
        coordinates[4 * v + 2] = line % grid_.size[1];
        coordinates[4 * v + 3] = all.cell[v] % grid_.size[0];
        num_points[v] = static_cast<std::int32_t>(std::min<std::int64_t>(all.count[v], grid_.max_points));
      }
      std::fill_n(coordinates + 4 * rest, 4 * (last - rest), -1);
      std::fill_n(num_points + rest, last - rest, 0);
    });
  }

  Grid grid_;
  std::int64_t cells_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_cpu(const Attributes& attributes) {
  TARMAC_TRY(const Grid grid, grid_of(attributes));
  return std::unique_ptr<Kernel>(std::make_unique<Cpu>(grid));
}

}  // namespace tarmac::ops::voxel
