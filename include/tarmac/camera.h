// How pixels come from a camera: formats, colours, and the lens between the scene and the sensor.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace tarmac {

/// Where channels stand in a picture input's shape; kNone for inputs that are not pictures.
enum class Layout { kNone, kNCHW, kNHWC };
/// Channel order after decoding; kGray is OpenCV's COLOR_BGR2GRAY of the decoded colours.
enum class ColorOrder { kRGB, kBGR, kGray };

/// Pixels of 8 bits a value.
enum class PixelFormat {
  kRgb,   ///< R G B a pixel.
  kBgr,   ///< B G R a pixel.
  kNv12,  ///< A plane of Y, then one of half the rows with U V for each 2 x 2 pixels. Even height and width.
  kYuyv,  ///< Y U Y V for each two pixels of a row. Even width.
};

/// One frame as it lies in memory, borrowed. Row y of a plane begins at its pointer + y * its row_bytes.
struct CameraFrame {
  PixelFormat format = PixelFormat::kBgr;
  int height = 0;
  int width = 0;
  const std::uint8_t* data = nullptr;  ///< The pixels, or the plane of Y.
  std::size_t row_bytes = 0;
  const std::uint8_t* chroma = nullptr;  ///< NV12: the plane of U V.
  std::size_t chroma_row_bytes = 0;
};

/// Which luma weights Y U V have: ITU-R BT.601 (0.299 R, 0.114 B) or BT.709 (0.2126 R, 0.0722 B).
enum class YuvMatrix { kBt601, kBt709 };
/// Limited: Y from 16 to 235, U and V from 16 to 240. Full: 0 to 255.
enum class YuvRange { kLimited, kFull };

/// u = fx x / z + cx, v = fy y / z + cy, in pixels; the centre of the first pixel is (0, 0).
struct Intrinsics {
  double fx = 1;
  double fy = 1;
  double cx = 0;
  double cy = 0;

  bool operator==(const Intrinsics&) const = default;
};

enum class LensModel { kRadialTangential, kFisheye };

/// A lens as OpenCV's calibration describes it. With x = (u - undistorted.cx) / undistorted.fx, y likewise,
/// r^2 = x^2 + y^2, a pixel (u, v) of the undistorted picture lies in the camera's picture at
/// (camera.fx x' + camera.cx, camera.fy y' + camera.cy), where
///   radial-tangential, coefficients k1 k2 p1 p2 k3 k4 k5 k6:
///     q = (1 + k1 r^2 + k2 r^4 + k3 r^6) / (1 + k4 r^2 + k5 r^4 + k6 r^6)
///     x' = q x + 2 p1 x y + p2 (r^2 + 2 x^2),  y' = q y + p1 (r^2 + 2 y^2) + 2 p2 x y
///   fisheye, coefficients k1 k2 k3 k4:
///     t = atan(r), (x', y') = (x, y) (t / r) (1 + k1 t^2 + k2 t^4 + k3 t^6 + k4 t^8)
/// Source: cv::initUndistortRectifyMap and cv::fisheye::initUndistortRectifyMap with R = I.
struct Lens {
  LensModel model = LensModel::kRadialTangential;
  Intrinsics camera;
  Intrinsics undistorted;  ///< OpenCV's newCameraMatrix; equal to `camera` where nothing else is wanted.
  std::array<double, 8> coefficients{};

  bool operator==(const Lens&) const = default;
};

}  // namespace tarmac
