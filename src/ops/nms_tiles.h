// Boxes sorted by where they are, so that those near one are found without a look at all.
#pragma once

#include <cstdint>

#include "ops/kernel.h"
#include "ops/scratch_layout.h"

namespace tarmac::ops::nms {

/// A position is a box's place in the order by area; kTile positions in a row are a tile with an upright
/// frame around it. Positions behind the last box are filled with boxes that are out.
struct Tiles {
  static constexpr std::uint32_t kTile = 16;
  static constexpr std::size_t kSlot = 3;

  /// In this thread's scratch memory for at most `most` boxes, with `extra` further arrays of floats.
  Tiles(std::int64_t most, std::int64_t extra) {
    ScratchLayout layout;
    // Room for a whole tile, and for a vector of tiles, more.
    const std::int64_t stride = (most + kTile - 1) / kTile * kTile + kTile;
    const auto floats = layout.add<float>(stride * (kArrays + extra));
    const auto numbers = layout.add<std::uint32_t>(2 * stride);
    const auto wide = layout.add<std::uint64_t>(2 * stride);
    std::byte* const memory = scratch(layout.size_bytes(), kSlot);
    float* array = floats.in(memory);
    for (float** part : {&x, &y, &extent_x, &extent_y, &low_x, &high_x, &low_y, &high_y}) {
      *part = array;
      array += stride;
    }
    extra_arrays = array;
    extra_stride = stride;
    who = numbers.in(memory);
    at = who + stride;
    keys = wide.in(memory);
    room = keys + stride;
  }

  float* extra(std::int64_t i) const { return extra_arrays + i * extra_stride; }

  static constexpr std::int64_t kArrays = 8;
  float *x, *y;
  float *extent_x, *extent_y;              ///< half sizes of a box's frame; x is −∞ once it is out
  float *low_x, *high_x, *low_y, *high_y;  ///< frames of tiles
  float* extra_arrays;
  std::int64_t extra_stride;
  std::uint32_t* who;  ///< the box at a position
  std::uint32_t* at;   ///< the position of a box
  std::uint64_t *keys, *room;
  std::uint32_t count = 0;
};

}  // namespace tarmac::ops::nms
