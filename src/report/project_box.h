// Boxes in space as lines and faces in a camera's picture. Plain geometry, without pixels.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "metrics/detection_3d.h"

namespace tarmac {

/// Rows of the 4 × 4 matrix that takes (x, y, z, 1) in the vehicle's frame, in metres, to (u d, v d, d, 1): u
/// and v are parts of the picture's width and height from its upper left corner, d the depth in metres.
using Projection = std::array<double, 16>;

/// Nearer than this nothing is drawn, in metres of depth.
inline constexpr double kNearPlane = 0.1;

/// (x, y, z) in the vehicle's frame.
using Place = std::array<double, 3>;

/// Corners 0 to 3 are of the front face, the one that the heading leaves by: upper left, upper right, lower
/// right, lower left, seen from behind; 4 to 7 the same of the back face.
std::array<Place, 8> corners_of(const Box3d& box);

/// Parts of the picture's width and height, in [0, 1].
struct PicturePoint {
  double u = 0;
  double v = 0;
};

struct PictureLine {
  PicturePoint first;
  PicturePoint last;
};

/// What a camera sees of a box.
struct ProjectedBox {
  std::vector<PictureLine> lines;   ///< Of its twelve edges what lies in the picture.
  std::vector<PicturePoint> front;  ///< The front face, cut by the picture's edges; empty: not in it.
  double depth = 0;                 ///< Of the box's middle, metres.
};

/// Cut at the near plane and at the picture's edges. Absent where nothing is left, and for numbers that are
/// not finite.
std::optional<ProjectedBox> project_box(const Box3d& box, const Projection& projection);

/// A camera on the map. Angles are radians from x towards y.
struct CameraPose {
  double x = 0;  ///< Metres.
  double y = 0;
  double yaw = 0;   ///< Where it looks.
  double left = 0;  ///< Along the left and right edge of its picture, halfway up.
  double right = 0;
};

/// Absent for a matrix that no camera has.
std::optional<CameraPose> pose_of(const Projection& projection);

/// "front", "front left", …, by where it looks.
std::string view_name(const CameraPose& pose);

}  // namespace tarmac
