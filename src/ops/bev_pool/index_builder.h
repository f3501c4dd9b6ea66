// From camera geometry to the index tensors of BevPool.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "tarmac/tensor.h"

namespace tarmac::ops::bev {

/// Matrices are row-major. `post_*` is what preprocessing did to the picture after the camera:
/// pixel of the network = post_rotation · (u, v, 1) + post_translation, with the scale in post_rotation.
struct Camera {
  std::array<double, 9> intrinsics{};      ///< K, pixels of the camera's own picture
  std::array<double, 16> sensor_to_ego{};  ///< [R t; 0 0 0 1], metres
  std::array<double, 9> post_rotation = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  std::array<double, 3> post_translation = {0, 0, 0};
};

/// lower, lower + step, … below upper.
struct Axis {
  double lower = 0;
  double upper = 0;
  double step = 0;
};

struct Geometry {
  std::int64_t batch = 1;
  std::vector<Camera> cameras;    ///< those of the first sample, then those of the next
  std::int64_t image_height = 0;  ///< pixels of the network's input
  std::int64_t image_width = 0;
  std::int64_t feature_height = 0;
  std::int64_t feature_width = 0;
  Axis depth;    ///< metres; the depth bins
  Axis x, y, z;  ///< metres in ego coordinates; a whole number of cells
};

/// int32 tensors in the form of BevPool, and the sizes that go with them.
struct Index {
  Tensor ranks_depth;
  Tensor ranks_feat;
  Tensor ranks_bev;
  Tensor interval_starts;
  Tensor interval_lengths;
  std::int64_t depth_bins = 0;  ///< D
  std::int64_t z = 0;           ///< cells
  std::int64_t height = 0;      ///< cells along y
  std::int64_t width = 0;       ///< cells along x
};

/// The points of all depth bins of all feature cells, in ego coordinates:
///   (u, v) = feature cell (i, j) spread evenly from pixel 0 to the last one, d = lower + bin · step
///   (u', v', d') = post_rotation⁻¹ · ((u, v, d) - post_translation)
///   p = R · K⁻¹ · (u'·d', v'·d', d') + t
///   cell = trunc((p - lower) / step) for each of x, y, z; a point outside the grid is left out.
/// That is voxel_pooling_prepare_v2 of BEVDet's view transformer. As there, trunc() rounds towards zero, so
/// the first cell of an axis also takes what lies less than one cell below its lower bound. An augmentation
/// of the grid (bda) is multiplied to sensor_to_ego by the caller. All in float64. Points are sorted by cell;
/// those of one cell are in the order of depth. Errors: kInvalidInput for singular or non-finite matrices,
/// empty axes, sizes beyond 2^31-1, or no point inside.
Result<Index> build_index(const Geometry& geometry);

}  // namespace tarmac::ops::bev
