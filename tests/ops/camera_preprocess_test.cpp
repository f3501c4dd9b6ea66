// CameraPreprocess: exact numbers where they are known, the plain reference in double elsewhere, and OpenCV's
// chain for how far one interpolation is from two.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <limits>
#include <opencv2/imgproc.hpp>
#include <random>

#include "ops/camera_preprocess/fused.h"
#include "ops/camera_preprocess/operator.h"
#include "support/expect.h"
#include "support/operator_check.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

using ops::Attributes;
using test::expect_ok;
using Ints = std::vector<std::int64_t>;
using Floats = std::vector<float>;

// ---- where pixels lie

struct Known {
  double u, v, x, y;
};

void expect_places(const Lens& lens, const std::vector<Known>& places) {
  for (const Known& known : places) {
    const auto found = ops::camera::distort(lens, known.u, known.v);
    EXPECT_NEAR(found.x, known.x, 2e-6) << known.u << ", " << known.v;
    EXPECT_NEAR(found.y, known.y, 2e-6) << known.u << ", " << known.v;
  }
}

// From OpenCV 5.0.0 in Python: cv2.projectPoints(((u - cx') / fx', (v - cy') / fy', 1), 0, 0, K, D).
TEST(CameraLens, BendsAsOpenCvsFiveCoefficientsDo) {
  const Lens lens{LensModel::kRadialTangential,
                  {1266.4, 1262.9, 816.3, 491.5},
                  {1100, 1090, 800, 450},
                  {-0.36, 0.17, 0.0011, -0.0007, -0.05}};
  expect_places(lens, {{0, 0, 65.617616, 67.867459},
                       {1599, 899, 1564.977922, 916.226026},
                       {800, 450, 816.300000, 491.500000},
                       {133, 777, 149.694839, 820.828781},
                       {1402, 95, 1423.854343, 131.286986}});
}

TEST(CameraLens, BendsAsOpenCvsRationalModelDoes) {
  const Lens lens{LensModel::kRadialTangential,
                  {1266.4, 1262.9, 816.3, 491.5},
                  {1100, 1090, 800, 450},
                  {-0.36, 0.17, 0.0011, -0.0007, -0.05, 0.02, -0.01, 0.003}};
  expect_places(lens, {{0, 0, 73.132948, 72.121826},
                       {1599, 0, 1555.673661, 73.041852},
                       {0, 899, 71.321669, 912.909567},
                       {1402, 95, 1419.821539, 133.680320}});
}

// cv2.fisheye.distortPoints(((u - cx') / fx', (v - cy') / fy'), K, D).
TEST(CameraLens, BendsAsOpenCvsFisheyeDoes) {
  const Lens lens{LensModel::kFisheye,
                  {520.7, 519.1, 803.2, 447.6},
                  {430, 430, 800, 450},
                  {0.05, -0.012, 0.006, -0.0015}};
  expect_places(lens, {{0, 0, 261.906715, 144.058121},
                       {1599, 899, 1344.323132, 750.751075},
                       {800, 450, 803.200000, 447.600000},
                       {816, 491, 822.517667, 496.949415},
                       {133, 777, 291.600179, 697.643606}});
}

TEST(CameraAxis, TakesStepsFromTheLastBackToTheFirst) {
  // 100 pixels, 20 of them from 30 on, resized to 8: (i + 0.5) 20 / 8 - 0.5 + 30.
  const std::array steps{ops::camera::crop_step(100, 30), ops::camera::resize_step(20, 8)};
  EXPECT_EQ(ops::camera::axis_positions(steps, 3), (std::vector<double>{30.75, 33.25, 35.75}));
  // Enlarged, the ends stay inside the picture.
  const std::array larger{ops::camera::resize_step(2, 4)};
  EXPECT_EQ(ops::camera::axis_positions(larger, 4), (std::vector<double>{0, 0.25, 0.75, 1}));
}

// ---- against the reference

const ops::Operator& op() { return ops::camera_preprocess(); }

struct Source {
  const char* format;
  int height;
  int width;
  int spare = 0;  ///< bytes of a row beyond the width's
};

Shape frames_shape(const Source& source, int cameras) {
  const std::string format = source.format;
  const bool nv12 = format == "nv12";
  const int bytes = (nv12 ? 1 : format == "yuyv" ? 2 : 3) * source.width + source.spare;
  return {cameras, nv12 ? source.height * 3 / 2 : source.height, bytes};
}

Attributes base(const Source& source, Ints output) {
  return {{"format", std::string(source.format)},
          {"source_height", std::int64_t{source.height}},
          {"source_width", std::int64_t{source.width}},
          {"output_size", std::move(output)}};
}

Attributes with(Attributes attributes, const Attributes& more) {
  for (const auto& [name, value] : more) attributes[name] = value;
  return attributes;
}

/// Focal length and centre as of a camera of this size, bent enough that rows are not straight.
Attributes lens_of(const Source& source, bool fisheye, int cameras) {
  Floats intrinsics;
  Floats distortion;
  for (int i = 0; i < cameras; ++i) {
    const auto width = static_cast<float>(source.width);
    intrinsics.insert(intrinsics.end(), {0.7F * width + float(i), 0.72F * width, 0.49F * width,
                                         0.51F * static_cast<float>(source.height)});
    const Floats each = fisheye ? Floats{0.06F, -0.02F, 0.004F, -0.001F}
                                : Floats{-0.31F, 0.09F, 0.002F, -0.001F, -0.01F * float(i)};
    distortion.insert(distortion.end(), each.begin(), each.end());
  }
  return {{"distortion_model", std::string(fisheye ? "fisheye" : "radial_tangential")},
          {"intrinsics", intrinsics},
          {"distortion", distortion}};
}

const Attributes kImagenet = {
    {"scale", 1.0F / 255}, {"mean", Floats{0.485F, 0.456F, 0.406F}}, {"std", Floats{0.229F, 0.224F, 0.225F}}};

/// Positions are in 2^-14 pixels: half of one along each axis, over 255 grey levels; of Y, U and V a channel
/// takes at most 3.3 times as much.
constexpr double kHairGray = 3.3 * 2 * 255 * 0x1p-15 + 0.002;
constexpr double kHair = kHairGray / 255 / 0.22;

void expect_same(const std::string& name, const Source& source, int cameras, const Attributes& attributes,
                 double absolute, bool in_engines = false) {
  test::expect_agreement({name,
                          op(),
                          attributes,
                          {test::random_integers(DType::kUint8, frames_shape(source, cameras), 0, 255, 5)},
                          absolute,
                          1e-5,
                          in_engines});
}

constexpr Source kSources[] = {{"nv12", 46, 70},    {"nv12", 46, 62, 5}, {"yuyv", 37, 58},
                               {"yuyv", 37, 58, 7}, {"rgb", 41, 53},     {"bgr", 41, 53, 4}};

TEST(CameraPreprocess, ResizesEveryFormatAsTheReferenceDoes) {
  for (const Source& source : kSources) {
    for (const Ints& size : {Ints{17, 23}, Ints{46, 70}, Ints{61, 131}, Ints{1, 1}}) {
      expect_same(std::string(source.format) + " to " + std::to_string(size[1]), source, 2,
                  with(base(source, size), kImagenet), kHair, size[1] == 23);
    }
  }
}

TEST(CameraPreprocess, UndistortsEveryFormatAsTheReferenceDoes) {
  for (const Source& source : kSources) {
    for (const bool fisheye : {false, true}) {
      const auto attributes = with(base(source, {29, 50}), lens_of(source, fisheye, 3));
      expect_same(std::string(source.format) + (fisheye ? " fisheye" : " radial"), source, 3,
                  with(attributes, {{"layout", std::string(fisheye ? "NHWC" : "NCHW")}}), kHairGray);
    }
  }
}

TEST(CameraPreprocess, GivesEveryDtypeLayoutAndColorOrder) {
  const Source source{"nv12", 64, 96};
  for (const char* layout : {"NCHW", "NHWC"}) {
    for (const char* color : {"RGB", "BGR", "GRAY"}) {
      for (const char* dtype : {"float32", "float16"}) {
        const auto attributes = with(base(source, {31, 45}), {{"layout", std::string(layout)},
                                                              {"color", std::string(color)},
                                                              {"dtype", std::string(dtype)},
                                                              {"yuv_matrix", std::string("bt709")}});
        // A tiny difference may round to the next float16 of up to 255.
        expect_same(std::string(layout) + " " + color + " " + dtype, source, 1, attributes,
                    dtype == std::string("float16") ? kHairGray + 0.125 : kHairGray);
      }
    }
  }
}

TEST(CameraPreprocess, CropsAtAnyPlace) {
  const Source source{"nv12", 54, 96, 3};
  for (const Ints& crop : {Ints{0, 0}, Ints{3, 5}, Ints{14, 7}}) {
    expect_same("crop", source, 2, with(base(source, {21, 33}), {{"resize", Ints{35, 41}}, {"crop", crop}}),
                kHairGray);
  }
}

/// Of whole pixels nothing is interpolated, so that integers have to be equal.
TEST(CameraPreprocess, QuantisesWholePixelsExactly) {
  const Source source{"rgb", 40, 60};
  for (const char* dtype : {"int8", "uint8"}) {
    for (const char* layout : {"NCHW", "NHWC"}) {
      const auto attributes = with(base(source, {31, 37}), {{"resize", Ints{40, 60}},
                                                            {"crop", Ints{3, 4}},
                                                            {"dtype", std::string(dtype)},
                                                            {"layout", std::string(layout)},
                                                            {"output_scale", 2.0F},
                                                            {"zero_point", std::int64_t{-7}}});
      expect_same(std::string("whole ") + dtype, source, 2, attributes, 0, true);
    }
  }
}

TEST(CameraPreprocess, QuantisesInterpolatedPixelsWithinOneStep) {
  const Source source{"nv12", 90, 160};
  auto attributes = with(base(source, {37, 51}), kImagenet);
  attributes = with(
      attributes, {{"dtype", std::string("int8")}, {"output_scale", 0.02F}, {"zero_point", std::int64_t{3}}});
  const test::OperatorCase one{
      "int8", op(), attributes, {test::random_integers(DType::kUint8, frames_shape(source, 2), 0, 255, 9)}};
  ops::Serial serial;
  const auto found = expect_ok(test::run_kernel(one, false, serial));
  const auto expected = expect_ok(test::run_kernel(one, true, serial));
  std::size_t different = 0;
  for (std::size_t i = 0; i < found[0].data<std::int8_t>().size(); ++i) {
    const int step = std::abs(found[0].data<std::int8_t>()[i] - expected[0].data<std::int8_t>()[i]);
    ASSERT_LE(step, 1) << i;
    different += step != 0;
  }
  EXPECT_LE(different, found[0].data<std::int8_t>().size() / 100);
}

TEST(CameraPreprocess, HasTheBorderWhereTheCameraSeesNothing) {
  const Source source{"nv12", 48, 64};
  // A new camera that sees twice as far to each side as the old one.
  const Attributes wide = {{"distortion_model", std::string("radial_tangential")},
                           {"intrinsics", Floats{60, 60, 32, 24}},
                           {"undistorted_intrinsics", Floats{20, 20, 32, 24}},
                           {"distortion", Floats{0, 0, 0, 0}},
                           {"border", Floats{10, 200, 90}}};
  const auto attributes = with(base(source, {48, 64}), wide);
  expect_same("wide", source, 1, attributes, kHairGray);
  ops::Serial serial;
  const auto found =
      expect_ok(test::run_kernel({"corner",
                                  op(),
                                  attributes,
                                  {test::random_integers(DType::kUint8, frames_shape(source, 1), 0, 255, 1)}},
                                 false, serial));
  EXPECT_NEAR(found[0].data<float>()[0], 10, 0.01);
  EXPECT_NEAR(found[0].data<float>()[48 * 64], 200, 0.01);
  EXPECT_NEAR(found[0].data<float>()[2 * 48 * 64], 90, 0.01);
}

TEST(CameraPreprocess, SurvivesALensThatThrowsPixelsToInfinity) {
  const Source source{"bgr", 20, 30};
  const Attributes wild = {{"distortion_model", std::string("radial_tangential")},
                           {"intrinsics", Floats{1e-20F, 1e-20F, 15, 10}},
                           {"distortion", Floats{3e38F, -3e38F, 3e38F, 3e38F, 3e38F, 3e38F, -3e38F, 1}}};
  expect_same("wild", source, 1, with(base(source, {20, 30}), wild), kHairGray);
}

TEST(CameraPreprocess, TakesNoCamerasAndTinyFrames) {
  const Source source{"nv12", 2, 2};
  expect_same("2 x 2", source, 1, base(source, {5, 7}), kHairGray);
  const Source pixel{"rgb", 1, 1};
  expect_same("1 x 1", pixel, 3, base(pixel, {3, 2}), kHairGray);
  ops::Serial serial;
  const auto none = expect_ok(test::run_kernel(
      {"none", op(), base(source, {5, 7}), {expect_ok(Tensor::allocate(DType::kUint8, {0, 3, 2}))}}, false,
      serial));
  EXPECT_EQ(none[0].shape(), (Shape{0, 3, 5, 7}));
}

TEST(CameraPreprocess, AgreesOnRandomSettings) {
  std::mt19937 random(20);
  const auto upto = [&](int low, int high) {
    return low + static_cast<int>(random() % unsigned(high - low + 1));
  };
  for (int i = 0; i < 60; ++i) {
    const char* const formats[] = {"nv12", "yuyv", "rgb", "bgr"};
    Source source{formats[upto(0, 3)], upto(1, 40), upto(1, 60), upto(0, 9)};
    if (source.format[0] == 'n') source.height *= 2;
    if (source.format[0] == 'n' || source.format[0] == 'y') source.width *= 2;
    const Ints resize{upto(1, 70), upto(1, 90)};
    const Ints crop{upto(0, int(resize[0]) - 1), upto(0, int(resize[1]) - 1)};
    const Ints size{upto(1, int(resize[0] - crop[0])), upto(1, int(resize[1] - crop[1]))};
    auto attributes = with(base(source, size), {{"resize", resize}, {"crop", crop}});
    if (upto(0, 1) == 1) attributes = with(attributes, lens_of(source, upto(0, 1) == 1, 2));
    if (upto(0, 1) == 1) attributes["layout"] = std::string("NHWC");
    if (upto(0, 1) == 1) attributes["yuv_range"] = std::string("full");
    SCOPED_TRACE(i);
    expect_same("random " + std::to_string(i), source, 2, attributes, kHairGray);
  }
}

// ---- colours

/// cv2.cvtColor(…, COLOR_YUV2RGB_NV12) of OpenCV 5.0.0; its constants have three decimals and it rounds.
TEST(CameraPreprocess, HasOpenCvsColoursOfNv12) {
  struct Color {
    std::uint8_t y, u, v;
    std::array<float, 3> rgb;
  };
  for (const Color& color : {Color{16, 128, 128, {0, 0, 0}}, Color{235, 128, 128, {255, 255, 255}},
                             Color{82, 90, 240, {255, 1, 0}}, Color{145, 54, 34, {0, 255, 1}},
                             Color{41, 240, 110, {0, 0, 255}}, Color{180, 100, 150, {226, 184, 134}}}) {
    Tensor frame = expect_ok(Tensor::allocate(DType::kUint8, {1, 6, 4}));
    const auto bytes = frame.mutable_data<std::uint8_t>();
    std::fill(bytes.begin(), bytes.begin() + 16, color.y);
    for (std::size_t i = 16; i < 24; i += 2) {
      bytes[i] = color.u;
      bytes[i + 1] = color.v;
    }
    ops::Serial serial;
    const auto found =
        expect_ok(test::run_kernel({"color", op(), base({"nv12", 4, 4}, {4, 4}), {frame}}, false, serial));
    for (std::size_t c = 0; c < 3; ++c) EXPECT_NEAR(found[0].data<float>()[16 * c + 5], color.rgb[c], 0.75);
  }
}

// ---- against OpenCV's chain

/// Edges as a street has them, blurred as a lens does.
cv::Mat street(int height, int width) {
  cv::Mat picture(height, width, CV_8UC3);
  cv::RNG random(11);
  picture.setTo(cv::Scalar(90, 100, 110));
  for (int i = 0; i < 120; ++i) {
    const cv::Point corner(random.uniform(0, width), random.uniform(0, height));
    const cv::Size size(random.uniform(8, width / 4), random.uniform(8, height / 4));
    cv::rectangle(picture, cv::Rect(corner, size),
                  cv::Scalar(random.uniform(0, 256), random.uniform(0, 256), random.uniform(0, 256)),
                  cv::FILLED);
  }
  cv::GaussianBlur(picture, picture, cv::Size(5, 5), 1.0);
  return picture;
}

struct Difference {
  double mean = 0;
  double max = 0;
};

Difference difference(const cv::Mat& expected, const Tensor& found) {
  Difference result;
  const auto values = found.data<float>();
  std::size_t i = 0;
  for (int y = 0; y < expected.rows; ++y) {
    for (int k = 0; k < expected.cols * 3; ++k, ++i) {
      const double one = std::abs(double(expected.ptr(y)[k]) - double(values[i]));
      result.mean += one;
      result.max = std::max(result.max, one);
    }
  }
  result.mean /= static_cast<double>(i);
  return result;
}

Tensor frame_of(const cv::Mat& picture) {
  Tensor frame =
      expect_ok(Tensor::allocate(DType::kUint8, {1, picture.rows, picture.cols * picture.channels()}));
  std::memcpy(frame.mutable_bytes().data(), picture.data, frame.bytes().size());
  return frame;
}

Tensor run(const Attributes& attributes, const Tensor& frame) {
  ops::Serial serial;
  return expect_ok(
      test::run_kernel({"run",
                        op(),
                        with(attributes, {{"layout", std::string("NHWC")}, {"color", std::string("BGR")}}),
                        {frame}},
                       false, serial))[0];
}

/// cv::resize rounds its weights to 11 bits and its result to whole numbers.
TEST(CameraPreprocess, IsWithinOneGreyLevelOfOpenCvsResize) {
  const cv::Mat picture = street(270, 480);
  for (const cv::Size size : {cv::Size(200, 120), cv::Size(611, 403)}) {
    cv::Mat resized;
    cv::resize(picture, resized, size, 0, 0, cv::INTER_LINEAR);
    const auto found = run(base({"bgr", 270, 480}, {size.height, size.width}), frame_of(picture));
    const Difference far = difference(resized, found);
    EXPECT_LE(far.max, 1.0);
    EXPECT_LE(far.mean, 0.3);
  }
}

TEST(CameraPreprocess, IsNearOpenCvsChainOfTwoInterpolations) {
  const cv::Mat picture = street(270, 480);
  const Lens lens{
      LensModel::kRadialTangential, {330, 331, 238, 137}, {330, 331, 238, 137}, {-0.3, 0.08, 0.001, -0.001}};
  cv::Mat x(270, 480, CV_32FC1);
  cv::Mat y(270, 480, CV_32FC1);
  for (int row = 0; row < 270; ++row) {
    for (int column = 0; column < 480; ++column) {
      const auto place = ops::camera::distort(lens, column, row);
      x.at<float>(row, column) = float(place.x);
      y.at<float>(row, column) = float(place.y);
    }
  }
  cv::Mat straight;
  cv::Mat resized;
  cv::remap(picture, straight, x, y, cv::INTER_LINEAR, cv::BORDER_CONSTANT);
  cv::resize(straight, resized, cv::Size(200, 120));
  const auto found =
      run(with(base({"bgr", 270, 480}, {120, 200}), {{"distortion_model", std::string("radial_tangential")},
                                                     {"intrinsics", Floats{330, 331, 238, 137}},
                                                     {"distortion", Floats{-0.3F, 0.08F, 0.001F, -0.001F}}}),
          frame_of(picture));
  // The chain smooths each edge twice: far at edges, near on the whole.
  const Difference far = difference(resized, found);
  EXPECT_LE(far.mean, 1.5);
  EXPECT_LE(far.max, 60);
  EXPECT_GE(far.mean, 0.05) << "two interpolations are not one";
}

// ---- what is refused

TEST(CameraPreprocess, RefusesWhatMakesNoSense) {
  const Source source{"bgr", 20, 30};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto lens = lens_of(source, false, 1);
  const std::vector<Attributes> bad = {
      {{"format", std::string("yv12")}},
      {{"source_height", std::int64_t{0}}},
      {{"output_size", Ints{0, 4}}},
      {{"output_size", Ints{4}}},
      {{"resize", Ints{8, 8}}, {"crop", Ints{1, 0}}},
      {{"crop", Ints{-1, 0}}},
      {{"mean", Floats{0, 0}}},
      {{"mean", Floats{nan, 0, 0}}},
      {{"std", Floats{1, 0, 1}}},
      {{"std", Floats{1, nan, 1}}},
      {{"scale", nan}},
      {{"border", Floats{0, 256, 0}}},
      {{"border", Floats{nan, 0, 0}}},
      {{"dtype", std::string("bfloat16")}},
      {{"zero_point", std::int64_t{4}}},
      {{"dtype", std::string("int8")}, {"output_scale", 0.0F}},
      {{"dtype", std::string("int8")}, {"zero_point", std::int64_t{1000}}},
      {{"intrinsics", Floats{1, 1, 0, 0}}},
      with(lens, {{"intrinsics", Floats{1, 1, 0}}}),
      with(lens, {{"intrinsics", Floats{nan, 1, 0, 0}}}),
      with(lens, {{"intrinsics", Floats{-1, 1, 0, 0}}}),
      with(lens, {{"distortion", Floats{nan, 0, 0, 0}}}),
      with(lens, {{"distortion", Floats{0, 0, 0}}}),
      with(lens, {{"distortion_model", std::string("fisheye")}}),
      with(lens, {{"undistorted_intrinsics", Floats{1, 1}}}),
  };
  const Tensor frame = test::random_integers(DType::kUint8, frames_shape(source, 1), 0, 255, 1);
  ops::Serial serial;
  for (std::size_t i = 0; i < bad.size(); ++i) {
    const auto attributes = with(base(source, {8, 8}), bad[i]);
    EXPECT_FALSE(test::run_kernel({"bad", op(), attributes, {frame}}, false, serial).ok()) << i;
    EXPECT_FALSE(test::run_kernel({"bad", op(), attributes, {frame}}, true, serial).ok()) << i;
  }
}

TEST(CameraPreprocess, RefusesFramesOfAnotherSize) {
  ops::Serial serial;
  const auto refused = [&](const Attributes& attributes, const Shape& shape) {
    const Tensor frame = test::random_integers(DType::kUint8, shape, 0, 255, 1);
    const auto found = test::run_kernel({"size", op(), attributes, {frame}}, false, serial);
    return found.ok() ? std::string() : found.error().message;
  };
  EXPECT_NE(refused(base({"bgr", 20, 30}, {8, 8}), {1, 20, 89}), "");
  EXPECT_NE(refused(base({"bgr", 20, 30}, {8, 8}), {1, 21, 90}), "");
  EXPECT_NE(refused(base({"nv12", 20, 30}, {8, 8}), {1, 20, 30}), "");
  EXPECT_NE(refused(base({"nv12", 21, 30}, {8, 8}), {1, 31, 30}), "");
  EXPECT_NE(refused(base({"yuyv", 20, 31}, {8, 8}), {1, 20, 62}), "");
  const Source source{"bgr", 20, 30};
  EXPECT_NE(refused(with(base(source, {8, 8}), lens_of(source, true, 3)), {2, 20, 90}), "");
}

// ---- memory

/// Bytes that end where a page begins that nobody may touch, and begin right after another one.
class Guarded {
 public:
  Guarded(std::size_t bytes, bool at_end)
      : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))), room_((bytes + page_ - 1) / page_ * page_) {
    memory_ = static_cast<std::uint8_t*>(
        mmap(nullptr, room_ + 2 * page_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(memory_ + page_, room_, PROT_READ | PROT_WRITE);
    data_ = memory_ + page_ + (at_end ? room_ - bytes : 0);
    std::fill(data_, data_ + bytes, std::uint8_t{77});
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() { munmap(memory_, room_ + 2 * page_); }
  [[nodiscard]] const std::uint8_t* data() const { return data_; }

 private:
  std::size_t page_;
  std::size_t room_;
  std::uint8_t* memory_ = nullptr;
  std::uint8_t* data_ = nullptr;
};

/// Vector loads take four bytes where two or three are wanted; the compiler's checks do not see them.
TEST(CameraPreprocess, ReadsNothingOutsideItsPlanes) {
  ops::Serial serial;
  for (const PixelFormat format : {PixelFormat::kNv12, PixelFormat::kYuyv, PixelFormat::kRgb}) {
    for (const int spare : {0, 1, 13}) {
      for (const bool at_end : {false, true}) {
        for (const bool bent : {false, true}) {
          const int height = 34;
          const int width = 66;
          const std::size_t row = ops::camera::row_bytes_of(format, width) + static_cast<std::size_t>(spare);
          // The last row has no spare bytes.
          const Guarded first(height * row - static_cast<std::size_t>(spare), at_end);
          const Guarded second(height / 2 * row - static_cast<std::size_t>(spare), at_end);
          const ops::camera::FrameView frame{format, height, width, first.data(), row, second.data(), row};
          const std::array down{ops::camera::resize_step(height, 71)};
          const std::array across{ops::camera::resize_step(width, 90)};
          ops::camera::MapSpec spec{height, width, ops::camera::axis_positions(down, 71),
                                    ops::camera::axis_positions(across, 90), std::nullopt};
          if (bent)
            spec.lens = Lens{LensModel::kRadialTangential, {60, 60, 33, 17}, {60, 60, 33, 17}, {0.2, 0.05}};
          const auto map = expect_ok(ops::camera::CameraMap::make(spec));
          ops::camera::ColorSpec color;
          color.format = format;
          const auto transform = expect_ok(ops::camera::make_color_transform(color));
          std::vector<float> result(std::size_t{3} * 71 * 90);
          const auto output = ops::camera::FusedOutput::dense(
              DType::kFloat32, Layout::kNCHW, reinterpret_cast<std::byte*>(result.data()), 3, 71, 90);
          expect_ok(ops::camera::fuse_frames({&frame, 1}, {&map, 1}, transform, output, serial));
          EXPECT_TRUE(std::isfinite(result[1000]));
        }
      }
    }
  }
}

}  // namespace
}  // namespace tarmac
