// Camera frames as OpenCV's blue, green, red.
#pragma once

#include <opencv2/core/mat.hpp>

#include "contract/picture.h"
#include "ops/camera_preprocess/color.h"

namespace tarmac {

/// With OpenCV's conversions (BT.601, limited range); borrowed where it is that already. Throws what OpenCV
/// throws.
cv::Mat to_bgr(const ops::camera::FrameView& frame);

}  // namespace tarmac
