// Where the pixels of a picture go on their way to the model's input: for labels that lie over pictures.
#pragma once

#include <cstdint>
#include <vector>

#include "metrics/detection.h"
#include "tarmac/contract.h"

namespace tarmac {

/// A picture of one size under an input's resize, crop and pad steps. Both are about the undistorted picture
/// where there is an undistort step.
struct GeometryTrace {
  /// For each row (column) of the input, the picture's that lies at its centre; -1 in padding.
  std::vector<std::int32_t> rows;
  std::vector<std::int32_t> columns;
  /// y of the input = y · y_scale + y_offset, the same for x; the first pixel reaches from 0 to 1.
  double y_scale = 1;
  double y_offset = 0;
  double x_scale = 1;
  double x_offset = 0;

  /// What of a box lies in the input; its area may be 0.
  [[nodiscard]] Box apply(const Box& box) const;
  /// From the input to the picture, beyond whose edges it may reach.
  [[nodiscard]] Box invert(const Box& box) const;
};

/// Errors: kInvalidInput where a crop reaches outside or a result is too large.
Result<GeometryTrace> trace_geometry(const InputSpec& input, int height, int width);

/// Where a box of the model's input lies in the camera's picture of this size, cut at its edges: back through
/// the trace and, where there is an undistort step, the lens (the smallest box around the bent one).
Box to_picture(const InputSpec& input, const GeometryTrace& trace, int height, int width, const Box& box);

}  // namespace tarmac
