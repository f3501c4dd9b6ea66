// How the fast kernel divides its work, and the memory that each thread works in. The same for every
// instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ops/multi_scale_deformable_attention/problem.h"

namespace tarmac::ops::msda {

/// Cells of a level in a packed map, with the zeros around them: a row above, one below, a cell before each
/// row and one behind the last.
inline std::int64_t packed_cells(const Level& level) { return (level.height + 2) * (level.width + 1) + 1; }

/// An item of work is one head of one batch entry for a part of the queries.
struct Plan {
  const Problem* problem = nullptr;
  std::int64_t parts = 1;          ///< of the queries
  std::int64_t block_queries = 1;  ///< queries whose samples are prepared together
  std::int64_t packed_cells = 0;   ///< of one head's map with its border

  [[nodiscard]] std::int64_t items() const { return problem->batch * problem->heads * parts; }
};

/// A head's map is copied together, with a border of zeros, where each of its cells is read this many times:
/// then a sample needs no bounds, its corners are neighbours, and the map stays in the cache. Else samples
/// are read from `value` where it lies.
inline constexpr std::int64_t kReadsWorthPacking = 4;
/// A larger map is not copied.
inline constexpr std::int64_t kMaxPackedBytes = std::int64_t{64} << 20;

/// A tensor's elements for one head: those of query q are the row_bytes at row(q).
template <typename Byte>
struct Strip {
  Byte* first = nullptr;
  std::size_t stride_bytes = 0;
  std::size_t row_bytes = 0;
  DType dtype = DType::kUndefined;

  [[nodiscard]] Byte* row(std::int64_t q) const { return first + static_cast<std::size_t>(q) * stride_bytes; }
};

/// What one head of one batch entry reads and writes beside the map.
struct Head {
  Strip<const std::byte> sampling;
  Strip<const std::byte> weights;
  Strip<const std::byte> references;
  Strip<std::byte> output;
};

Head head_of(const Problem& problem, std::int64_t b, std::int64_t m);

/// Memory for the samples of a few queries of one head, side by side. Arrays have slack for whole vectors.
struct Block {
  // What inputs say, in float32.
  float* sampling;       ///< x, y of each sample
  float* reference;      ///< x, y
  float* reference_box;  ///< w, h
  float* attention;
  float* reference_row;  ///< one query's references, where their dtype is not float32
  // What does not change from block to block: for each sample its level's …
  float* width;
  float* height;
  std::int32_t* base;           ///< place of the cell (0, 0)
  std::int32_t* stride;         ///< from one row of cells to the next
  std::uint32_t* reference_of;  ///< which reference
  // What is found for each sample.
  float* weights;        ///< 4 a sample, of its corners: upper left, upper right, lower left, lower right
  std::int32_t* places;  ///< packed: 2 a sample, bytes to the left corners, upper and lower; else 4, rows of
                         ///< `value`, -1 outside
  std::uint8_t* inside;  ///< one bit a sample
  // For each query.
  std::int64_t* queries;
  std::int64_t* next_queries;  ///< of the block that comes next
  // For the head.
  float* scale;      ///< D
  std::byte* zeros;  ///< a row of `value` for corners outside
};

/// Blocks of this thread's scratch memory.
inline constexpr std::size_t kBlockSlot = 0;
inline constexpr std::size_t kMapSlot = 1;

/// From kBlockSlot.
Block make_block(const Plan& plan);

}  // namespace tarmac::ops::msda
