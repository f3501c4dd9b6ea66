// Six surround cameras of a vehicle, 1080p NV12, into the input of a bird's-eye-view network.
#include <array>
#include <memory>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <random>

#include "ops/camera_preprocess/fused.h"
#include "ops/sides.h"

namespace tarmac::bench {
namespace {

using namespace tarmac::ops;  // NOLINT: a benchmark of one operator

constexpr int kCameras = 6;
constexpr int kSourceHeight = 1080;
constexpr int kSourceWidth = 1920;
constexpr int kHeight = 480;
constexpr int kWidth = 800;
constexpr std::array<double, 3> kMean{123.675, 116.28, 103.53};
constexpr std::array<double, 3> kStd{58.395, 57.12, 57.375};

Lens lens_of(int camera) {
  Lens lens;
  lens.camera = {1380.0 + 5 * camera, 1378.0 + 4 * camera, 957.5 + camera, 541.2 - camera};
  lens.undistorted = lens.camera;
  lens.coefficients = {-0.32, 0.11, 0.0008, -0.0005, -0.018};
  return lens;
}

/// What both sides read: gradients with noise, one block of memory a camera.
struct Frames {
  std::array<cv::Mat, kCameras> pictures;

  Frames() {
    std::mt19937 random(7);
    for (cv::Mat& picture : pictures) {
      picture.create(kSourceHeight * 3 / 2, kSourceWidth, CV_8UC1);
      for (int y = 0; y < picture.rows; ++y) {
        for (int x = 0; x < picture.cols; ++x) {
          const auto noise = static_cast<int>(random() % 24U);
          picture.at<std::uint8_t>(y, x) = static_cast<std::uint8_t>((x / 10 + y / 9 + noise) % 220 + 16);
        }
      }
    }
  }
};

class Fused {
 public:
  Fused(std::shared_ptr<const Frames> frames, bool undistorted)
      : frames_(std::move(frames)), result_(std::size_t{kCameras} * 3 * kHeight * kWidth) {
    const std::array<camera::AxisStep, 1> down{camera::resize_step(kSourceHeight, kHeight)};
    const std::array<camera::AxisStep, 1> across{camera::resize_step(kSourceWidth, kWidth)};
    for (int i = 0; i < kCameras; ++i) {
      camera::MapSpec spec{kSourceHeight, kSourceWidth, camera::axis_positions(down, kHeight),
                           camera::axis_positions(across, kWidth), std::nullopt};
      if (undistorted) spec.lens = lens_of(i);
      maps_.push_back(value_of(camera::CameraMap::make(spec)));
      const cv::Mat& picture = frames_->pictures[static_cast<std::size_t>(i)];
      views_.push_back({PixelFormat::kNv12, kSourceHeight, kSourceWidth, picture.data, picture.step[0],
                        picture.ptr(kSourceHeight), picture.step[0]});
    }
    camera::ColorSpec color;
    color.format = PixelFormat::kNv12;
    color.mean.assign(kMean.begin(), kMean.end());
    color.std.assign(kStd.begin(), kStd.end());
    color_ = value_of(camera::make_color_transform(color));
  }

  void run() {
    const auto output = camera::FusedOutput::dense(
        DType::kFloat32, Layout::kNCHW, reinterpret_cast<std::byte*>(result_.data()), 3, kHeight, kWidth);
    value_of(camera::fuse_frames(views_, maps_, color_, output, parallel_));
  }

 private:
  std::shared_ptr<const Frames> frames_;
  std::vector<camera::CameraMap> maps_;
  std::vector<camera::FrameView> views_;
  camera::ColorTransform color_;
  std::vector<float> result_;
  ArenaParallel parallel_;
};

/// What a user writes with OpenCV, the buffers and maps made once. OpenCV's functions use its own threads.
class Chain {
 public:
  Chain(std::shared_ptr<const Frames> frames, bool undistorted, bool split_first)
      : frames_(std::move(frames)),
        split_first_(split_first),
        result_(std::size_t{kCameras} * 3 * kHeight * kWidth) {
    for (int i = 0; undistorted && i < kCameras; ++i) maps_.push_back(make_map(lens_of(i)));
  }

  void run() {
    for (std::size_t i = 0; i < kCameras; ++i) {
      cv::cvtColor(frames_->pictures[i], color_, cv::COLOR_YUV2RGB_NV12);
      if (!maps_.empty())
        cv::remap(color_, straight_, maps_[i].first, maps_[i].second, cv::INTER_LINEAR, cv::BORDER_CONSTANT);
      cv::resize(maps_.empty() ? color_ : straight_, small_, cv::Size(kWidth, kHeight), 0, 0,
                 cv::INTER_LINEAR);
      std::array<cv::Mat, 3> planes;
      for (std::size_t c = 0; c < 3; ++c)
        planes[c] = cv::Mat(kHeight, kWidth, CV_32FC1, result_.data() + (i * 3 + c) * kHeight * kWidth);
      if (split_first_) {
        cv::split(small_, bytes_);
        for (std::size_t c = 0; c < 3; ++c)
          bytes_[c].convertTo(planes[c], CV_32F, 1 / kStd[c], -kMean[c] / kStd[c]);
      } else {
        small_.convertTo(real_, CV_32F);
        cv::subtract(real_, cv::Scalar(kMean[0], kMean[1], kMean[2]), real_);
        cv::multiply(real_, cv::Scalar(1 / kStd[0], 1 / kStd[1], 1 / kStd[2]), real_);
        cv::split(real_, planes.data());
      }
    }
  }

 private:
  static std::pair<cv::Mat, cv::Mat> make_map(const Lens& lens) {
    cv::Mat x(kSourceHeight, kSourceWidth, CV_32FC1);
    cv::Mat y(kSourceHeight, kSourceWidth, CV_32FC1);
    for (int row = 0; row < kSourceHeight; ++row) {
      for (int column = 0; column < kSourceWidth; ++column) {
        const camera::Position place = camera::distort(lens, column, row);
        x.at<float>(row, column) = static_cast<float>(place.x);
        y.at<float>(row, column) = static_cast<float>(place.y);
      }
    }
    std::pair<cv::Mat, cv::Mat> fixed;
    cv::convertMaps(x, y, fixed.first, fixed.second, CV_16SC2);
    return fixed;
  }

  std::shared_ptr<const Frames> frames_;
  bool split_first_;
  std::vector<std::pair<cv::Mat, cv::Mat>> maps_;
  cv::Mat color_;
  cv::Mat straight_;
  cv::Mat small_;
  cv::Mat real_;
  std::array<cv::Mat, 3> bytes_;
  std::vector<float> result_;
};

template <typename T>
Side side(std::string name, std::shared_ptr<T> work) {
  return function(std::move(name), [work = std::move(work)] { work->run(); });
}

Case make_case(bool undistorted) {
  cv::setNumThreads(kThreads);
  const auto frames = std::make_shared<const Frames>();
  Case made;
  made.name = undistorted ? "camera_preprocess/six_nv12_undistort" : "camera_preprocess/six_nv12";
  made.what = std::string("six 1080p NV12 cameras to 6 x 3 x 480 x 800 float32, ") +
              (undistorted ? "radial-tangential undistortion, " : "no undistortion, ") +
              "OpenCV: cvtColor, " + (undistorted ? "remap, " : "") + "resize, normalise, split";
  constexpr double kOutputs = double{kCameras} * kHeight * kWidth;
  const double map_bytes = undistorted ? kOutputs * 8 : 0;
  made.work.bytes = double{kCameras} * kSourceHeight * kSourceWidth * 3 / 2 + map_bytes + kOutputs * 3 * 4;
  // Along a lens's bent rows four words a pixel come from addresses in the map; straight rows are read in
  // order.
  if (undistorted) made.work.gathers = kOutputs * 4;
  if (undistorted) made.required_ratio = 4;
  made.sides = {side("tarmac", std::make_shared<Fused>(frames, undistorted)),
                side("opencv", std::make_shared<Chain>(frames, undistorted, false)),
                side("opencv, split before normalise", std::make_shared<Chain>(frames, undistorted, true))};
  return made;
}

}  // namespace

std::vector<CaseMaker> camera_preprocess_cases() {
  return {{"camera_preprocess/six_nv12_undistort", [] { return make_case(true); }},
          {"camera_preprocess/six_nv12", [] { return make_case(false); }}};
}

}  // namespace tarmac::bench
