// Matrices in 4 bits: a scale and a zero point for each block of rows in each column.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tarmac/tensor.h"

namespace tarmac {

/// How a matrix [rows, columns] in row-major order is cut; `block` divides `rows`.
struct BlockLayout {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t block = 0;
  bool symmetric = false;  ///< z is 8, so that q − z is an int4
  [[nodiscard]] std::size_t blocks() const { return rows / block * columns; }
};

/// w ≈ (q − z)·scale with q and z from 0 to 15 (uint4 of DequantizeLinear-21).
struct WeightBlocks {
  std::vector<std::uint8_t> codes;        ///< q, [rows, columns]
  std::vector<float> scales;              ///< [rows / block, columns]
  std::vector<std::uint8_t> zero_points;  ///< z, [rows / block, columns]
};

/// Rounds to nearest, each block's range widened to contain 0 (symmetric: to [−8 s, 7 s]). With `importance`
/// (a weight for each row's squared errors) ranges are narrowed where that lowers the block's error: a few
/// large weights are clipped so that the others get finer steps (the clipping search of Lin et al., "AWQ:
/// activation-aware weight quantization", MLSys 2024). Weights must be finite.
WeightBlocks round_blocks(std::span<const float> weights, const BlockLayout& layout,
                          std::span<const float> importance = {});

/// (q − z)·scale of every element into `out`.
void dequantize(const WeightBlocks& blocks, const BlockLayout& layout, std::span<float> out);

/// Numbers from 0 to 15 as ONNX's uint4: two a byte, the first in the low bits; the last half of an odd count
/// is 0.
Tensor pack_uint4(const Shape& shape, std::span<const std::uint8_t> codes);

}  // namespace tarmac
