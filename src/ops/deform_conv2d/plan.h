// How a call of the fast kernel is cut into pieces, and where they lie in memory.
#pragma once

#include <cstddef>

#include "ops/deform_conv2d/operator.h"

namespace tarmac::ops::deform {

/// The sum over taps and channels, row t · C/group + c of a group's matrix of weights, is made in parts of so
/// many rows that what belongs to one stays in the second-level cache.
inline constexpr std::size_t kDepth = 256;
/// Output positions that one task works on at most.
inline constexpr std::size_t kTile = 96;

struct Plan {
  Plan(const Geometry& geometry, const Settings& settings, std::size_t lanes, std::size_t row_step,
       int workers);

  std::size_t depth;         ///< rows of a group's matrix of weights
  std::size_t part_rows;     ///< of a part of the depth; the last one may have fewer
  std::size_t vectors;       ///< of a row of it
  std::size_t tile;          ///< positions of a task, a multiple of row_step
  std::size_t tiles;         ///< of one map
  std::size_t map_stride;    ///< from element to element of the map with channels innermost
  std::size_t a_stride;      ///< sampled values of a position and what a last vector writes beyond them
  std::size_t c_stride;      ///< sums of a position
  std::size_t weights_size;  ///< floats: all groups' weights
  std::size_t bias_size;     ///< floats
  std::size_t map_size;      ///< floats: all elements, a zero element, and what a last vector reads beyond it
};

}  // namespace tarmac::ops::deform
