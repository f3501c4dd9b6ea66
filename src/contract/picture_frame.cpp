#include "contract/picture_frame.h"

#include <opencv2/imgproc.hpp>

namespace tarmac {

cv::Mat to_bgr(const ops::camera::FrameView& frame) {
  // OpenCV has no read-only matrix; nothing writes to these.
  const auto matrix = [](const std::uint8_t* data, int height, int width, int type, std::size_t row_bytes) {
    return cv::Mat(height, width, type, const_cast<std::uint8_t*>(data), row_bytes);
  };
  cv::Mat bgr;
  switch (frame.format) {
    case PixelFormat::kBgr:
      return matrix(frame.data, frame.height, frame.width, CV_8UC3, frame.row_bytes);
    case PixelFormat::kRgb:
      cv::cvtColor(matrix(frame.data, frame.height, frame.width, CV_8UC3, frame.row_bytes), bgr,
                   cv::COLOR_RGB2BGR);
      return bgr;
    case PixelFormat::kYuyv:
      cv::cvtColor(matrix(frame.data, frame.height, frame.width, CV_8UC2, frame.row_bytes), bgr,
                   cv::COLOR_YUV2BGR_YUYV);
      return bgr;
    case PixelFormat::kNv12:
      cv::cvtColorTwoPlane(
          matrix(frame.data, frame.height, frame.width, CV_8UC1, frame.row_bytes),
          matrix(frame.chroma, frame.height / 2, frame.width / 2, CV_8UC2, frame.chroma_row_bytes), bgr,
          cv::COLOR_YUV2BGR_NV12);
      return bgr;
  }
  return bgr;
}

}  // namespace tarmac
