// What a 3-D detector says of a frame, to look at: boxes in the cameras' pictures, and a map seen from above.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "metrics/detection_3d.h"
#include "report/picture_canvas.h"
#include "tarmac/contract.h"
#include "tarmac/tensor.h"

namespace tarmac {

/// One frame of a rig of cameras.
struct Scene3d {
  /// uint8 [cameras, 3, height, width], red green blue; or with a first axis of 1 before that.
  Tensor images;
  /// float32 [cameras, 4, 4]: (x, y, z, 1) in the vehicle's frame to (u d, v d, d, 1), as `Projection` of
  /// report/project_box.h; or with a first axis of 1 before that.
  Tensor projection;
  std::vector<std::string> labels;  ///< Class names by index.
  std::vector<Detection3d> predictions;
  std::optional<std::vector<LabelledBox3d>> truth;  ///< Absent: not known, and not in the legend.
  /// What the map shows, metres: least x and y, greatest x and y.
  std::array<double, 4> range = {-25.6, -25.6, 25.6, 25.6};
  std::string title;  ///< ASCII; "int8 on openvino"
  std::int64_t scene = 0;
  std::int64_t frame = 0;  ///< The how manieth of its scene.
};

/// What the contract says about drawing, and a sample's pictures: everything but what was found, what is
/// true, and where the frame comes from. Errors: kUsage (the contract has no 3-D detections, or says no
/// `view`), kNotFound (an input that it names).
Result<Scene3d> scene_of(const Contract& contract, const std::map<std::string, Tensor>& inputs);

/// The views in the rig's order, down one column and then the next, which leaves the map beside them the most
/// room. A view is `view_height_px` high where that can be had by a whole factor, else a little less; up to
/// two cameras get twice as much, and larger pictures are reduced to it. Sizes depend on shapes, range, names
/// and `view_height_px` only, and are even. Predictions are in the colours of their classes, the face that
/// the heading leaves by filled; truth is white and dashed. Errors: kInvalidInput (dtype or shape of `images`
/// or `projection`, a range that is empty; says both), kResourceExhausted.
Result<PictureCanvas> draw_scene_3d(const Scene3d& scene, int view_height_px = 256);

/// The map alone, this wide: x to the top, y to the left, rings every 10 m (of large ranges every 50 m), the
/// vehicle as a car of 4.7 × 1.9 m, predictions filled and with their score in percent, truth dashed, and
/// where each will be in a second as an arrow. Needs no images. Errors: as above, for the range.
Result<PictureCanvas> draw_map_3d(const Scene3d& scene, int width_px);

}  // namespace tarmac
