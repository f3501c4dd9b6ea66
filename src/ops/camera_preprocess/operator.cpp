#include "ops/camera_preprocess/operator.h"

#include "ops/camera_preprocess/settings.h"
#include "ops/shapes.h"

namespace tarmac::ops {
namespace {

constexpr const char* kDoc =
    "y[n] = (color(interpolate(frames[n], p)) * scale - mean) / std for every output pixel, in one pass. p "
    "is "
    "where the pixel lies in the camera's picture: output pixel (i, j) is (i + crop_y, j + crop_x) of the "
    "undistorted picture resized to `resize` with pixel centres aligned, (i + 0.5) h / resize_h - 0.5, "
    "clamped "
    "to the picture; the lens takes that place to p as OpenCV's initUndistortRectifyMap does (Brown 1966; "
    "Kannala and Brandt 2006). Interpolation is bilinear and happens once, on the frame's own values: Y at "
    "each pixel, U and V for their 2 x 2 (nv12) or 2 x 1 (yuyv) pixels. Neighbours outside the frame have "
    "the "
    "colour `border`. Colours are clamped to 0 ... 255 before normalisation. Integers are "
    "round-half-to-even(y / output_scale) + zero_point, saturated. One interpolation is what OpenCV's chain "
    "cvtColor, remap, resize approximates with two and a rounding after each.";

Result<std::vector<Type>> infer(const Attributes& attributes, std::span<const Type> inputs) {
  TARMAC_TRY(const auto settings, camera::read_settings(attributes));
  const Type& frames = inputs[0];
  if (frames.shape && frames.shape->size() != 3) {
    TARMAC_CHECK_OK(check_rank("CameraPreprocess", "frames", frames, 4));
  }
  TARMAC_TRY(const Dim rows,
             same_size("CameraPreprocess", "the number of rows", dim_of(frames, 1),
                       Dim::of(camera::rows_of(settings.color.format, settings.source_height))));
  (void)rows;
  const auto cameras = static_cast<std::int64_t>(settings.maps.size());
  Dim count = dim_of(frames, 0);
  if (cameras > 1) {
    TARMAC_TRY(count, same_size("CameraPreprocess", "the number of cameras", count, Dim::of(cameras)));
  }
  const Dim channels = Dim::of(settings.channels());
  const Dim height = Dim::of(settings.height());
  const Dim width = Dim::of(settings.width());
  std::vector<Dim> shape = settings.layout == Layout::kNCHW
                               ? std::vector<Dim>{count, channels, height, width}
                               : std::vector<Dim>{count, height, width, channels};
  return std::vector<Type>{Type::tensor(settings.dtype, std::move(shape))};
}

}  // namespace

const Operator& camera_preprocess() {
  static const Operator op = {
      .name = "CameraPreprocess",
      .version = 1,
      .doc = kDoc,
      .inputs = {{"frames",
                  "[N, rows, bytes]: N cameras' frames as they lie in memory, rows of at least the width's "
                  "bytes (the row stride); nv12 has source_height rows of Y, then half as many of U V. Or "
                  "[N, rows, pixels, bytes of a pixel]",
                  {DType::kUint8}}},
      .outputs = {{"y",
                   "[N, C, H, W] or [N, H, W, C], as `layout` says",
                   {DType::kFloat32, DType::kFloat16, DType::kInt8, DType::kUint8}}},
      .attributes = {{"format", "nv12, yuyv, rgb or bgr", std::string("bgr")},
                     {"source_height", "of a frame, pixels", std::int64_t{0}, true},
                     {"source_width", "of a frame, pixels", std::int64_t{0}, true},
                     {"yuv_matrix", "bt601 or bt709", std::string("bt601")},
                     {"yuv_range", "limited (Y 16 to 235) or full", std::string("limited")},
                     {"distortion_model", "none, radial_tangential or fisheye", std::string("none")},
                     {"intrinsics", "fx, fy, cx, cy in pixels; of one camera for all, or of each",
                      std::vector<float>{}},
                     {"undistorted_intrinsics",
                      "those of the undistorted picture (OpenCV's new camera matrix); "
                      "without them, intrinsics",
                      std::vector<float>{}},
                     {"distortion",
                      "for each camera k1 k2 p1 p2 [k3 [k4 k5 k6]] in OpenCV's order, or fisheye k1 k2 k3 k4",
                      std::vector<float>{}},
                     {"resize",
                      "height, width that the undistorted picture is resized to; without it, output_size",
                      std::vector<std::int64_t>{}},
                     {"crop", "y, x of the resized picture where the output begins",
                      std::vector<std::int64_t>{}},
                     {"output_size", "H, W", std::vector<std::int64_t>{}, true},
                     {"color", "RGB, BGR or GRAY: the channels of y", std::string("RGB")},
                     {"border", "0 to 255 a channel; 0 without it", std::vector<float>{}},
                     {"scale", "before mean is subtracted", 1.0F},
                     {"mean", "one a channel; 0 without it", std::vector<float>{}},
                     {"std", "one a channel; 1 without it", std::vector<float>{}},
                     {"layout", "NCHW or NHWC", std::string("NCHW")},
                     {"dtype", "of y: float32, float16, int8, uint8", std::string("float32")},
                     {"output_scale", "what 1 of an integer stands for", 1.0F},
                     {"zero_point", "the integer that stands for 0", std::int64_t{0}}},
      .infer = infer,
      .reference = camera::make_reference,
      .cpu = camera::make_cpu,
  };
  return op;
}

}  // namespace tarmac::ops
