// The attributes of CameraPreprocess, read and checked.
#pragma once

#include <vector>

#include "ops/camera_preprocess/camera_map.h"
#include "ops/camera_preprocess/color.h"
#include "ops/operator.h"

namespace tarmac::ops::camera {

struct Settings {
  ColorSpec color;
  int source_height = 0;
  int source_width = 0;
  std::vector<MapSpec> maps;  ///< One, or one for each camera.
  DType dtype = DType::kFloat32;
  Layout layout = Layout::kNCHW;
  int zero_point = 0;

  [[nodiscard]] int channels() const { return color.order == ColorOrder::kGray ? 1 : 3; }
  [[nodiscard]] int height() const { return static_cast<int>(maps.front().rows.size()); }
  [[nodiscard]] int width() const { return static_cast<int>(maps.front().columns.size()); }
};

/// Errors: kInvalidInput for words that the schema does not list, sizes below 1 or above 32768, lists of the
/// wrong length.
Result<Settings> read_settings(const Attributes& attributes);

/// The frames in the operator's input, one after another, into `views`, one for each. Errors: kInvalidInput
/// where the shape does not fit.
Status read_frames(const Settings& settings, const ConstTensorView& frames, std::span<FrameView> views);

}  // namespace tarmac::ops::camera
