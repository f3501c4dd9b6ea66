// Step by step, each with OpenCV's result.
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <utility>

#include "contract/picture_frame.h"
#include "contract/preprocess_geometry.h"
#include "ops/camera_preprocess/camera_map.h"

namespace tarmac {
namespace {

using ops::camera::FrameView;

int to_opencv(Interpolation interpolation) {
  switch (interpolation) {
    case Interpolation::kNearest:
      return cv::INTER_NEAREST;
    case Interpolation::kLinear:
      return cv::INTER_LINEAR;
    case Interpolation::kCubic:
      return cv::INTER_CUBIC;
    case Interpolation::kArea:
      return cv::INTER_AREA;
    case Interpolation::kLanczos4:
      return cv::INTER_LANCZOS4;
  }
  return cv::INTER_LINEAR;
}

Result<cv::Mat> apply_step(const PadStep& step, const cv::Mat& picture) {
  TARMAC_CHECK_OK(check_result_size(double(picture.rows) + step.top + step.bottom,
                                    double(picture.cols) + step.left + step.right));
  const cv::Scalar value(step.pad_value[0], step.pad_value[1], step.pad_value[2]);
  cv::Mat padded;
  // Isolated: what a crop left outside must not come back as border.
  cv::copyMakeBorder(picture, padded, step.top, step.bottom, step.left, step.right,
                     cv::BORDER_CONSTANT | cv::BORDER_ISOLATED, value);
  return padded;
}

Result<cv::Mat> apply_step(const ResizeStep& step, const cv::Mat& picture) {
  TARMAC_TRY(const Window size, resized_window(step, picture.rows, picture.cols));
  cv::Mat resized;
  cv::resize(picture, resized, cv::Size(size.width, size.height), 0, 0, to_opencv(step.interpolation));
  if (step.mode != ResizeMode::kLetterbox) return resized;
  return apply_step(letterbox_pad(step, size.height, size.width), resized);
}

Result<cv::Mat> apply_step(const CropStep& step, const cv::Mat& picture) {
  TARMAC_TRY(const Window window, crop_window(step, picture.rows, picture.cols));
  return picture(cv::Rect(window.left, window.top, window.width, window.height));
}

Result<cv::Mat> apply_step(const DecodeStep& /*step*/, const cv::Mat& picture) { return picture; }
Result<cv::Mat> apply_step(const UndistortStep& /*step*/, const cv::Mat& picture) { return picture; }
Result<cv::Mat> apply_step(const NormalizeStep& /*step*/, const cv::Mat& picture) { return picture; }

/// Pad values are written in the decoded order, the working picture is blue green red.
PreprocessStep with_working_order(PreprocessStep step, ColorOrder color) {
  if (color != ColorOrder::kRGB) return step;
  if (auto* resize = std::get_if<ResizeStep>(&step)) std::swap(resize->pad_value[0], resize->pad_value[2]);
  if (auto* pad = std::get_if<PadStep>(&step)) std::swap(pad->pad_value[0], pad->pad_value[2]);
  return step;
}

class OpenCvGeometry final : public PictureGeometry {
 public:
  explicit OpenCvGeometry(const PictureSteps& steps)
      : color_(steps.decode.color),
        layout_(steps.layout),
        table_(make_pack_table(steps.dtype, steps.normalize)) {
    for (const PreprocessStep& step : steps.geometry) geometry_.push_back(with_working_order(step, color_));
    if (steps.undistort) make_maps(*steps.undistort);
  }

  Status run(const FrameView& frame, const Room& room) const override {
    try {
      cv::Mat picture = to_bgr(frame);
      if (!map_.empty()) {
        cv::Mat straight;
        cv::remap(picture, straight, map_, fractions_, cv::INTER_LINEAR, cv::BORDER_CONSTANT);
        picture = straight;
      }
      if (color_ == ColorOrder::kGray) {
        cv::Mat gray;
        cv::cvtColor(picture, gray, cv::COLOR_BGR2GRAY);
        picture = gray;
      }
      for (const PreprocessStep& step : geometry_) {
        TARMAC_TRY(picture, std::visit([&](const auto& typed) { return apply_step(typed, picture); }, step));
      }
      TARMAC_TRY(std::byte* const out, room(picture.rows, picture.cols));
      // Colours stay blue green red until here, as pack() turns them round at no cost.
      pack({picture.data, picture.rows, picture.cols, picture.step[0]}, table_, layout_,
           color_ == ColorOrder::kRGB, out);
      return {};
    } catch (const std::bad_alloc&) {
      return make_error(ErrorCode::kResourceExhausted, "not enough memory to preprocess the picture");
    } catch (const std::exception& error) {  // cv::Exception is one
      return make_error(ErrorCode::kInternal,
                        std::string("OpenCV failed while preprocessing: ") + error.what());
    }
  }

 private:
  /// What cv::initUndistortRectifyMap and cv::fisheye::initUndistortRectifyMap give as CV_16SC2, without the
  /// module they are in.
  void make_maps(const UndistortStep& step) {
    cv::Mat x(step.height, step.width, CV_32FC1);
    cv::Mat y(step.height, step.width, CV_32FC1);
    for (int row = 0; row < step.height; ++row) {
      for (int column = 0; column < step.width; ++column) {
        const auto place = ops::camera::distort(step.lens, column, row);
        x.at<float>(row, column) = static_cast<float>(place.x);
        y.at<float>(row, column) = static_cast<float>(place.y);
      }
    }
    cv::convertMaps(x, y, map_, fractions_, CV_16SC2);
  }

  ColorOrder color_;
  Layout layout_;
  PackTable table_;
  std::vector<PreprocessStep> geometry_;  ///< Pad values in the order of the working picture.
  cv::Mat map_;
  cv::Mat fractions_;
};

}  // namespace

Result<std::shared_ptr<const PictureGeometry>> make_opencv_geometry(const PictureSteps& steps) {
  try {
    return std::shared_ptr<const PictureGeometry>(std::make_shared<OpenCvGeometry>(steps));
  } catch (const std::exception& error) {
    return make_error(ErrorCode::kResourceExhausted,
                      std::string("cannot make the map of the lens: ") + error.what());
  }
}

}  // namespace tarmac
