// How pixels become a model's input: the two geometries of the contract, and what they share.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "contract/pack.h"
#include "ops/camera_preprocess/color.h"
#include "tarmac/contract.h"

namespace tarmac {

/// The steps of an input, taken apart.
struct PictureSteps {
  DecodeStep decode;
  std::optional<UndistortStep> undistort;
  std::vector<PreprocessStep> geometry;  ///< resize, crop and pad
  NormalizeStep normalize;               ///< as many values as channels
  DType dtype = DType::kFloat32;
  Layout layout = Layout::kNCHW;
};

/// Immutable; shared by threads.
class PictureGeometry {
 public:
  /// Gives the memory for a result of this height and width, dense.
  using Room = std::function<Result<std::byte*>(int height, int width)>;

  virtual ~PictureGeometry() = default;
  /// Takes `frame`, which check_frame() accepts and which has the size that decode and undistort name, to the
  /// model's input. Errors: kInvalidInput when a crop reaches outside or a result is too large,
  /// kResourceExhausted, and those of `room`.
  virtual Status run(const ops::camera::FrameView& frame, const Room& room) const = 0;
};

/// Step by step with OpenCV.
Result<std::shared_ptr<const PictureGeometry>> make_opencv_geometry(const PictureSteps& steps);
/// In one pass.
Result<std::shared_ptr<const PictureGeometry>> make_fused_geometry(const PictureSteps& steps);

/// kInvalidInput where the input's geometry cannot do its steps, and why: fused interpolates linearly and
/// once, opencv has no other colours than those of BT.601 in limited range.
Status check_geometry(const InputSpec& input);

/// A rectangle of a picture.
struct Window {
  int top = 0;
  int left = 0;
  int height = 0;
  int width = 0;
};

/// What a resize scales a picture of this size to, before letterbox pads it. Errors: kInvalidInput above
/// kMaxPicturePixels.
Result<Window> resized_window(const ResizeStep& step, int height, int width);
/// What a crop takes. Errors: kInvalidInput where it reaches outside.
Result<Window> crop_window(const CropStep& step, int height, int width);
/// kInvalidInput when a step's result is above kMaxPicturePixels.
Status check_result_size(double height, double width);
/// The padding that makes a letterbox of a picture that resized_window() gave.
PadStep letterbox_pad(const ResizeStep& step, int height, int width);

}  // namespace tarmac
