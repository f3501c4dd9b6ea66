// The parts that draw_scene_3d() and draw_map_3d() are made of.
#pragma once

#include <opencv2/core/mat.hpp>

#include "report/picture_scene.h"
#include "report/project_box.h"

namespace tarmac {

inline const cv::Scalar kScreen(24, 20, 16);    ///< Blue, green, red: behind everything.
inline const cv::Scalar kGround(38, 32, 27);    ///< Of the map.
inline const cv::Scalar kFaint(78, 68, 60);     ///< Rings.
inline const cv::Scalar kQuiet(168, 156, 146);  ///< Letters that explain.
inline const cv::Scalar kBright(248, 246, 244);
inline const cv::Scalar kTruthInk(255, 255, 255);

/// The class's colour, light enough for the dark ground.
cv::Scalar class_ink(std::int64_t label);

/// Fills `pixels` with the map; `cameras` are drawn as their fields of view. A shorter side of the range is
/// centred.
void draw_map(const Scene3d& scene, const std::vector<CameraPose>& cameras, cv::Mat& pixels);

/// Title, scene and frame to the left, what colours mean to the right; where there is no room for both, the
/// latter below. Returns the height that it takes; draws nothing where `pixels` is null.
int draw_headline(const Scene3d& scene, int width_px, cv::Mat* pixels);

/// kInvalidInput for a range that is empty or not finite.
Status check_range(const Scene3d& scene);

}  // namespace tarmac
