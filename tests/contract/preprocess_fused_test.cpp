// One pass beside the same steps one after another, and frames of cameras in both.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <opencv2/imgproc.hpp>
#include <random>
#include <thread>

#include "contract/dataset.h"
#include "contract/preprocess.h"
#include "contract/scratch.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

/// Smooth: OpenCV's rounded weights are then within a grey level.
cv::Mat make_picture(int height, int width) {
  cv::Mat picture(height, width, CV_8UC3);
  std::mt19937 random(3);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x)
      picture.at<cv::Vec3b>(y, x) =
          cv::Vec3b(uchar(random() % 256), uchar(random() % 256), uchar(random() % 256));
  }
  cv::GaussianBlur(picture, picture, cv::Size(9, 9), 2.0);
  return picture;
}

PictureView view_of(const cv::Mat& picture) {
  return {picture.data, picture.rows, picture.cols, picture.step[0]};
}

InputSpec make_input(Geometry geometry, std::vector<PreprocessStep> steps) {
  InputSpec input;
  input.name = "image";
  input.layout = Layout::kNCHW;
  input.geometry = geometry;
  input.preprocess = std::move(steps);
  return input;
}

std::vector<double> values_of(const InputSpec& input, const cv::Mat& picture) {
  const auto preprocessor = Preprocessor::make(input);
  EXPECT_TRUE(preprocessor.ok()) << preprocessor.error().str();
  const auto tensor = preprocessor->run(view_of(picture));
  EXPECT_TRUE(tensor.ok()) << tensor.error().str();
  EXPECT_EQ(preprocessor->output_shape().value_or(tensor->shape()), tensor->shape());
  return *to_doubles(*tensor);
}

/// Largest difference of the two geometries; the results have one shape.
double farthest(InputSpec input, const cv::Mat& picture) {
  input.geometry = Geometry::kFused;
  const auto fused = values_of(input, picture);
  input.geometry = Geometry::kOpenCv;
  const auto opencv = values_of(input, picture);
  EXPECT_EQ(fused.size(), opencv.size());
  double far = 0;
  for (std::size_t i = 0; i < fused.size() && i < opencv.size(); ++i)
    far = std::max(far, std::abs(fused[i] - opencv[i]));
  return far;
}

ResizeStep resize(int height, int width, ResizeMode mode = ResizeMode::kStretch) {
  return {height, width, Interpolation::kLinear, mode, {200, 114, 10}};
}

TEST(FusedPreprocess, IsWithinAGreyLevelOfOpenCvWhereOneStepInterpolates) {
  const std::vector<std::vector<PreprocessStep>> geometries = {
      {},
      {resize(48, 64)},
      {resize(131, 170)},
      {resize(64, 64, ResizeMode::kLetterbox)},
      {resize(64, 24, ResizeMode::kLetterbox)},
      {resize(40, 40, ResizeMode::kFitShorter), CropStep{40, 40, true, 0, 0}},
      {CropStep{51, 47, false, 13, 9}, resize(33, 50)},
      {resize(64, 80), CropStep{31, 33, false, 5, 40}, PadStep{1, 2, 3, 4, {9, 8, 7}}},
      {resize(64, 64, ResizeMode::kLetterbox), CropStep{60, 30, false, 2, 20},
       PadStep{0, 5, 0, 1, {1, 2, 3}}},
      {resize(64, 64, ResizeMode::kLetterbox), CropStep{3, 64, false, 0, 0}},
  };
  for (std::size_t i = 0; i < geometries.size(); ++i) {
    for (const ColorOrder color : {ColorOrder::kRGB, ColorOrder::kBGR, ColorOrder::kGray}) {
      for (const Layout layout : {Layout::kNCHW, Layout::kNHWC}) {
        for (const DType dtype : {DType::kFloat32, DType::kFloat16, DType::kUint8, DType::kInt8}) {
          SCOPED_TRACE(testing::Message() << i << " " << to_string(color) << " " << to_string(layout) << " "
                                          << to_string(dtype));
          InputSpec input = make_input(Geometry::kFused, {DecodeStep{color}});
          input.preprocess.insert(input.preprocess.end(), geometries[i].begin(), geometries[i].end());
          input.layout = layout;
          input.dtype = dtype;
          // Gray is rounded once more, before it is resized.
          const double limit = color == ColorOrder::kGray ? 1.6 : 1.13;
          EXPECT_LE(farthest(input, make_picture(97, 150)), limit);
        }
      }
    }
  }
}

/// The tall, narrow picture's letterbox is all padding in its corner rows.
TEST(FusedPreprocess, PadsWithExactlyOpenCvsNumbers) {
  const NormalizeStep normalize{1.0 / 255.0, {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}};
  const InputSpec input =
      make_input(Geometry::kFused, {DecodeStep{ColorOrder::kRGB}, resize(64, 64, ResizeMode::kLetterbox),
                                    PadStep{2, 2, 0, 0, {3, 4, 5}}, normalize});
  const cv::Mat picture = make_picture(90, 31);
  const auto fused = values_of(input, picture);
  InputSpec other = input;
  other.geometry = Geometry::kOpenCv;
  const auto opencv = values_of(other, picture);
  for (int c = 0; c < 3; ++c) {
    for (int y = 0; y < 68; ++y) {
      for (int x = 0; x < 20; ++x) {  // the picture is 22 of 64 columns
        const auto i = (static_cast<std::size_t>(c) * 68 + static_cast<std::size_t>(y)) * 64 +
                       static_cast<std::size_t>(x);
        ASSERT_EQ(fused[i], opencv[i]) << c << " " << y << " " << x;
      }
    }
  }
}

UndistortStep lens_step(int height, int width, LensModel model) {
  Lens lens{model, {0.8 * width, 0.8 * width, 0.5 * width, 0.5 * height}, {}, {-0.25, 0.06, 0.001, -0.001}};
  if (model == LensModel::kFisheye) lens.coefficients = {0.05, -0.01, 0.003, -0.001};
  lens.undistorted = lens.camera;
  return {height, width, lens};
}

TEST(FusedPreprocess, UndistortsAsOpenCvDoesUpToItsSecondInterpolation) {
  const cv::Mat picture = make_picture(120, 160);
  for (const LensModel model : {LensModel::kRadialTangential, LensModel::kFisheye}) {
    const UndistortStep undistort = lens_step(120, 160, model);
    // Alone: OpenCV's map has 32nds of a pixel.
    EXPECT_LE(farthest(make_input(Geometry::kFused, {DecodeStep{ColorOrder::kRGB}, undistort}), picture), 3);
    EXPECT_LE(
        farthest(make_input(Geometry::kFused, {DecodeStep{ColorOrder::kRGB}, undistort, resize(48, 64)}),
                 picture),
        12);
  }
}

TEST(FusedPreprocess, ALensThatBendsNothingChangesNothing) {
  const cv::Mat picture = make_picture(60, 80);
  UndistortStep flat = lens_step(60, 80, LensModel::kRadialTangential);
  flat.lens.coefficients = {};
  for (const Geometry geometry : {Geometry::kOpenCv, Geometry::kFused}) {
    const auto with = values_of(make_input(geometry, {DecodeStep{ColorOrder::kBGR}, flat}), picture);
    const auto without = values_of(make_input(geometry, {DecodeStep{ColorOrder::kBGR}}), picture);
    ASSERT_EQ(with.size(), without.size());
    for (std::size_t i = 0; i < with.size(); ++i) ASSERT_NEAR(with[i], without[i], 0.02) << i;
  }
}

TEST(FusedPreprocess, TakesPicturesOfSeveralSizesOnSeveralThreads) {
  const InputSpec input = make_input(Geometry::kFused, {DecodeStep{}, resize(16, 16)});
  const std::vector<cv::Mat> pictures = {make_picture(31, 40), make_picture(40, 31)};
  const auto preprocessor = Preprocessor::make(input);
  ASSERT_TRUE(preprocessor.ok()) << preprocessor.error().str();
  constexpr std::size_t kThreads = 4;
  constexpr std::size_t kTimes = 200;
  std::vector<std::size_t> right(kThreads, 0);
  const std::vector<std::vector<double>> expected = {values_of(input, pictures[0]),
                                                     values_of(input, pictures[1])};
  std::vector<std::thread> threads;
  for (std::size_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (std::size_t i = 0; i < kTimes; ++i) {
        const std::size_t which = (thread + i) % 2;
        const auto made = preprocessor->run(view_of(pictures[which]));
        if (made && *to_doubles(*made) == expected[which]) ++right[thread];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, std::vector<std::size_t>(kThreads, kTimes));
}

TEST(FusedPreprocess, RefusesAPictureThatTheCameraWasNotCalibratedFor) {
  for (const Geometry geometry : {Geometry::kOpenCv, Geometry::kFused}) {
    const auto preprocessor = Preprocessor::make(make_input(
        geometry, {DecodeStep{ColorOrder::kRGB}, lens_step(60, 80, LensModel::kFisheye), resize(8, 8)}));
    ASSERT_TRUE(preprocessor.ok()) << preprocessor.error().str();
    const auto tensor = preprocessor->run(view_of(make_picture(60, 81)));
    ASSERT_FALSE(tensor.ok());
    EXPECT_EQ(tensor.error().message,
              "found a picture 60 high and 81 wide; the camera was calibrated for 60 high and 80 wide");
  }
}

TEST(FusedPreprocess, RefusesWhatOneInterpolationCannotDo) {
  ResizeStep cubic = resize(8, 8);
  cubic.interpolation = Interpolation::kCubic;
  const DecodeStep decode{ColorOrder::kRGB};
  EXPECT_FALSE(Preprocessor::make(make_input(Geometry::kFused, {decode, cubic})).ok());
  EXPECT_FALSE(
      Preprocessor::make(make_input(Geometry::kFused, {decode, PadStep{1, 1, 1, 1, {}}, resize(8, 8)})).ok());
  EXPECT_FALSE(Preprocessor::make(
                   make_input(Geometry::kFused, {decode, resize(8, 8, ResizeMode::kLetterbox), resize(4, 4)}))
                   .ok());
  const auto crop = Preprocessor::make(make_input(Geometry::kFused, {decode, CropStep{32, 32, true, 0, 0}}))
                        ->run(view_of(make_picture(31, 40)));
  ASSERT_FALSE(crop.ok());
  EXPECT_EQ(crop.error().message,
            "the crop of 32 x 32 at (0, 4) reaches outside the picture, which is 31 high and 40 wide");
}

// ---- frames of cameras

constexpr int kHeight = 48;
constexpr int kWidth = 70;
constexpr int kRowBytes = 160;

RawFormat raw_of(PixelFormat format) {
  return {format, kHeight, kWidth, format == PixelFormat::kRgb ? 3 * kWidth + 11 : kRowBytes};
}

/// Slow changes of brightness and colour, and rubbish beyond the width.
std::string frame_bytes(const RawFormat& raw) {
  const auto rows = static_cast<int>(ops::camera::rows_of(raw.format, raw.height));
  std::string bytes;
  for (int y = 0; y < rows; ++y) {
    for (int x = 0; x < raw.row_bytes; ++x)
      bytes.push_back(static_cast<char>(y < raw.height ? 60 + x / 2 + y : 110 + (x % 2) * 20 + (y + x) / 8));
  }
  return bytes;
}

TEST(RawFrames, GiveTheSameInBothGeometries) {
  const Scratch scratch;
  for (const PixelFormat format : {PixelFormat::kNv12, PixelFormat::kYuyv, PixelFormat::kRgb}) {
    SCOPED_TRACE(to_string(format));
    const RawFormat raw = raw_of(format);
    const auto path = scratch.write("frame.raw", frame_bytes(raw));
    std::vector<std::vector<double>> results;
    for (const Geometry geometry : {Geometry::kOpenCv, Geometry::kFused}) {
      const auto preprocessor =
          Preprocessor::make(make_input(geometry, {DecodeStep{ColorOrder::kRGB, raw}, resize(24, 35)}));
      ASSERT_TRUE(preprocessor.ok()) << preprocessor.error().str();
      EXPECT_TRUE(preprocessor->reads(path));
      EXPECT_FALSE(preprocessor->reads("frame.png"));
      const auto tensor = preprocessor->run(path);
      ASSERT_TRUE(tensor.ok()) << tensor.error().str();
      ASSERT_EQ(tensor->shape(), (Shape{1, 3, 24, 35}));
      results.push_back(*to_doubles(*tensor));
      const std::string bytes = frame_bytes(raw);
      const auto encoded = preprocessor->run_encoded(std::as_bytes(std::span(bytes)));
      ASSERT_TRUE(encoded.ok());
      EXPECT_TRUE(identical(*encoded, *tensor));
    }
    for (std::size_t i = 0; i < results[0].size(); ++i) ASSERT_NEAR(results[0][i], results[1][i], 2) << i;
  }
}

TEST(RawFrames, OfAnotherSizeOrFormAreRefused) {
  const Scratch scratch;
  const RawFormat raw = raw_of(PixelFormat::kNv12);
  const auto preprocessor =
      Preprocessor::make(make_input(Geometry::kFused, {DecodeStep{ColorOrder::kRGB, raw}}));
  ASSERT_TRUE(preprocessor.ok());
  const auto path = scratch.write("a.nv12", frame_bytes(raw).substr(1));
  const auto tensor = preprocessor->run(path);
  ASSERT_FALSE(tensor.ok());
  EXPECT_EQ(tensor.error().str(),
            path.string() + ": found 11519 bytes; a frame of nv12 48 x 70 with rows of 160 bytes has 11520");
  const cv::Mat picture = make_picture(kHeight, kWidth);
  const auto other = preprocessor->run(view_of(picture));
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().message, "found a frame of bgr; the contract's decode step says nv12");
}

TEST(RawFrames, AreFoundInFoldersByTheirNames) {
  const Scratch scratch;
  const RawFormat raw = raw_of(PixelFormat::kYuyv);
  scratch.write("data/b.YUV", frame_bytes(raw));
  scratch.write("data/a.yuyv", frame_bytes(raw));
  scratch.write("data/c.png", "no frame");
  Contract contract;
  contract.inputs = {make_input(Geometry::kFused, {DecodeStep{ColorOrder::kGray, raw}, resize(8, 8)})};
  DataSource source;
  source.path = scratch / "data";
  const auto data = Dataset::open(contract, source);
  ASSERT_TRUE(data.ok()) << data.error().str();
  ASSERT_EQ(data->size(), 2U);
  EXPECT_EQ(data->ignored_files(), 1U);
  const auto sample = data->load(1);
  ASSERT_TRUE(sample.ok()) << sample.error().str();
  EXPECT_EQ(sample->at("image").shape(), (Shape{1, 1, 8, 8}));
}

TEST(FusedPreprocess, DescriptionNamesGeometryFrameAndLens) {
  InputSpec input =
      make_input(Geometry::kFused, {DecodeStep{ColorOrder::kRGB, raw_of(PixelFormat::kNv12)},
                                    lens_step(kHeight, kWidth, LensModel::kFisheye), resize(8, 9)});
  const auto first = Preprocessor::make(input);
  ASSERT_TRUE(first.ok()) << first.error().str();
  EXPECT_EQ(
      first->description(),
      "decode RGB nv12 48x70 rows of 160 bt601 limited; undistort fisheye 48x70 from 56 56 35 24 to 56 56 "
      "35 24 by 0.05 -0.01 0.003 -0.001 0 0 0 0; resize 8x9 linear stretch; geometry fused; float32 NCHW");
  input.geometry = Geometry::kOpenCv;
  EXPECT_NE(Preprocessor::make(input)->fingerprint(), first->fingerprint());
}

}  // namespace
}  // namespace tarmac
