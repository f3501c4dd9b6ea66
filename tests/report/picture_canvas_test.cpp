#include "report/picture_canvas.h"

#include <gtest/gtest.h>

#include <opencv2/imgcodecs.hpp>

#include "support/expect.h"

namespace tarmac::test {
namespace {

cv::Mat gray(int height, int width) { return {height, width, CV_8UC3, cv::Scalar::all(128)}; }

PictureCanvas canvas_of(const cv::Mat& pixels) {
  return expect_ok(PictureCanvas::create(PictureView{pixels.data, pixels.rows, pixels.cols, pixels.step[0]}));
}

cv::Vec3b at(const PictureCanvas& canvas, int y, int x) {
  const PictureView view = canvas.view();
  const std::uint8_t* const pixel = view.data + static_cast<std::size_t>(y) * view.row_bytes + 3 * x;
  return {pixel[0], pixel[1], pixel[2]};
}

bool is_gray(const PictureCanvas& canvas, int y, int x) {
  return at(canvas, y, x) == cv::Vec3b(128, 128, 128);
}

int changed(const PictureCanvas& canvas, const cv::Rect& where) {
  int count = 0;
  for (int y = where.y; y < where.y + where.height; ++y) {
    for (int x = where.x; x < where.x + where.width; ++x) count += is_gray(canvas, y, x) ? 0 : 1;
  }
  return count;
}

TEST(PictureCanvas, DrawsABoxOnItsEdgesWithItsNameAbove) {
  const cv::Mat picture = gray(256, 256);
  PictureCanvas canvas = canvas_of(picture);
  canvas.box({50, 100, 150, 200}, 2, "car 87%");
  EXPECT_FALSE(is_gray(canvas, 150, 50));
  EXPECT_FALSE(is_gray(canvas, 150, 149));
  EXPECT_FALSE(is_gray(canvas, 199, 100));
  EXPECT_TRUE(is_gray(canvas, 150, 100)) << "what is inside stays";
  EXPECT_TRUE(is_gray(canvas, 150, 151));
  EXPECT_GT(changed(canvas, {50, 85, 60, 14}), 300) << "the name's plate";
  EXPECT_EQ(picture.at<cv::Vec3b>(150, 50), cv::Vec3b(128, 128, 128)) << "the picture itself stays";
}

TEST(PictureCanvas, KeepsNamesInThePicture) {
  PictureCanvas canvas = canvas_of(gray(64, 64));
  canvas.box({-10, -10, 30, 30}, 0, "a name that is longer than the picture is wide");
  canvas.box({60, 60, 500, 1e12}, 1, "x");
  EXPECT_GT(changed(canvas, {0, 0, 64, 12}), 100);
  PictureCanvas tiny = canvas_of(gray(1, 1));
  tiny.box({0, 0, 1, 1}, 0, "car");
  tiny.headline("sky", -1);
}

TEST(PictureCanvas, GivesEachClassAColour) {
  PictureCanvas canvas = canvas_of(gray(64, 640));
  for (int label = 0; label < 30; ++label)
    canvas.box({label * 20.0 + 2, 30, label * 20.0 + 12, 60}, label, "");
  for (int a = 0; a < 30; ++a) {
    for (int b = 0; b < a; ++b)
      EXPECT_NE(at(canvas, 45, a * 20 + 2), at(canvas, 45, b * 20 + 2)) << a << " and " << b;
  }
}

TEST(PictureCanvas, TintsPixelsThroughTheGeometry) {
  InputSpec input;
  input.preprocess = {DecodeStep{}, ResizeStep{4, 4, Interpolation::kLinear, ResizeMode::kLetterbox, {}}};
  const GeometryTrace trace = expect_ok(trace_geometry(input, 4, 8));
  PictureCanvas canvas = canvas_of(gray(4, 8));
  // The picture lies in rows 1 and 2 of the input.
  const std::vector<std::int32_t> classes = {5, 5, 5,  5,   //
                                             1, 1, 2,  2,   //
                                             1, 1, -1, -1,  //
                                             5, 5, 5,  5};
  canvas.classes(classes, 4, 4, trace);
  EXPECT_EQ(at(canvas, 0, 0), at(canvas, 3, 3));
  EXPECT_NE(at(canvas, 0, 0), at(canvas, 0, 4));
  EXPECT_EQ(at(canvas, 1, 4), at(canvas, 0, 7));
  EXPECT_TRUE(is_gray(canvas, 2, 4)) << "no class there";
  EXPECT_TRUE(is_gray(canvas, 3, 7));
}

TEST(PictureCanvas, EncodesAsPngAndJpeg) {
  PictureCanvas canvas = canvas_of(gray(40, 60));
  for (const char* extension : {".png", ".jpg"}) {
    const auto file = expect_ok(canvas.encode(extension));
    const cv::Mat read =
        cv::imdecode(cv::Mat(1, static_cast<int>(file.size()), CV_8U, const_cast<std::byte*>(file.data())),
                     cv::IMREAD_COLOR);
    EXPECT_EQ(read.size(), cv::Size(60, 40));
  }
  expect_error(PictureCanvas::create(PictureView{}), ErrorCode::kInvalidInput);
}

TEST(ToPicture, TakesABoxBackThroughTheGeometryAndTheLens) {
  InputSpec input;
  input.preprocess = {DecodeStep{}, ResizeStep{8, 8, Interpolation::kLinear, ResizeMode::kLetterbox, {}}};
  GeometryTrace trace = expect_ok(trace_geometry(input, 8, 16));  // halved, two rows above
  EXPECT_EQ(to_picture(input, trace, 8, 16, {2, 3, 4, 5}), (Box{4, 2, 8, 6}));
  EXPECT_EQ(to_picture(input, trace, 8, 16, {-2, 0, 9, 9}), (Box{0, 0, 16, 8})) << "cut at the edges";
  EXPECT_EQ(trace.apply(trace.invert({2, 3, 4, 5})), (Box{2, 3, 4, 5}));

  UndistortStep shift{8, 16, {}};
  shift.lens.camera = {1, 1, 3, 1};  // three columns to the right, one row down
  shift.lens.undistorted = {1, 1, 0, 0};
  input.preprocess = {DecodeStep{}, shift};
  trace = expect_ok(trace_geometry(input, 8, 16));
  const Box box = to_picture(input, trace, 8, 16, {2, 3, 4, 5});
  EXPECT_NEAR(box.x1, 5, 1e-9);
  EXPECT_NEAR(box.y2, 6, 1e-9);
}

}  // namespace
}  // namespace tarmac::test
