// The pipeline against OpenCV's own calls, one after another.
#include "contract/preprocess.h"

#include <gtest/gtest.h>

#include <cmath>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <random>

#include "contract/scratch.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

/// Smooth colours with noise on top, so that every interpolation and channel order gives something else.
cv::Mat make_picture(int height, int width, unsigned seed = 1) {
  std::mt19937 random(seed);
  cv::Mat picture(height, width, CV_8UC3);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const int noise = static_cast<int>(random() % 32);
      picture.at<cv::Vec3b>(y, x) = cv::Vec3b(cv::saturate_cast<uchar>(255 * x / width + noise),
                                              cv::saturate_cast<uchar>(255 * y / height + noise),
                                              cv::saturate_cast<uchar>(40 + noise * 4));
    }
  }
  return picture;
}

PictureView view_of(const cv::Mat& picture) {
  return {picture.data, picture.rows, picture.cols, picture.step[0]};
}

InputSpec make_input(ColorOrder color, Layout layout, DType dtype, std::vector<PreprocessStep> steps) {
  InputSpec input;
  input.name = "image";
  input.dtype = dtype;
  input.layout = layout;
  input.preprocess = {DecodeStep{color}};
  input.preprocess.insert(input.preprocess.end(), steps.begin(), steps.end());
  return input;
}

NormalizeStep imagenet(std::size_t channels) {
  NormalizeStep step{1.0 / 255.0, {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}};
  step.mean.resize(channels);
  step.std.resize(channels);
  return step;
}

/// What a user writes with cv2: convert, letterbox, scale, subtract, divide.
cv::Mat step_by_step(const cv::Mat& bgr, ColorOrder color, const ResizeStep& resize,
                     const NormalizeStep& normalize) {
  cv::Mat picture = bgr;
  if (color == ColorOrder::kRGB) cv::cvtColor(bgr, picture, cv::COLOR_BGR2RGB);
  if (color == ColorOrder::kGray) cv::cvtColor(bgr, picture, cv::COLOR_BGR2GRAY);
  static constexpr int kFlags[] = {cv::INTER_NEAREST, cv::INTER_LINEAR, cv::INTER_CUBIC, cv::INTER_AREA,
                                   cv::INTER_LANCZOS4};
  const int flag = kFlags[static_cast<int>(resize.interpolation)];
  cv::Mat resized;
  if (resize.mode == ResizeMode::kLetterbox) {
    const double scale = std::min(double(resize.height) / bgr.rows, double(resize.width) / bgr.cols);
    const int height = static_cast<int>(std::nearbyint(bgr.rows * scale));
    const int width = static_cast<int>(std::nearbyint(bgr.cols * scale));
    cv::resize(picture, resized, cv::Size(width, height), 0, 0, flag);
    const int top = (resize.height - height) / 2;
    const int left = (resize.width - width) / 2;
    const cv::Scalar value(resize.pad_value[0], resize.pad_value[1], resize.pad_value[2]);
    cv::copyMakeBorder(resized, resized, top, resize.height - height - top, left, resize.width - width - left,
                       cv::BORDER_CONSTANT, value);
  } else {
    cv::resize(picture, resized, cv::Size(resize.width, resize.height), 0, 0, flag);
  }
  cv::Mat real;
  resized.convertTo(real, CV_32F, normalize.scale);
  cv::Scalar mean;
  cv::Scalar std;
  for (int c = 0; c < real.channels(); ++c) {
    mean[c] = normalize.mean[static_cast<std::size_t>(c)];
    std[c] = normalize.std[static_cast<std::size_t>(c)];
  }
  cv::subtract(real, mean, real);
  cv::divide(real, std, real);
  return real;
}

/// Element of `tensor` at channel c, row y, column x.
float at(const Tensor& tensor, Layout layout, int c, int y, int x) {
  const Shape& shape = tensor.shape();
  const std::int64_t index =
      layout == Layout::kNCHW ? (c * shape[2] + y) * shape[3] + x : (y * shape[2] + x) * shape[3] + c;
  return tensor.data<float>()[static_cast<std::size_t>(index)];
}

/// OpenCV rounds after each of three float steps, the pipeline once: they differ by less than three roundings
/// of the largest value on the way, which is below 4.
constexpr float kThreeRoundings = 3 * 4 * 0x1p-24F;

void expect_same(const Tensor& tensor, Layout layout, const cv::Mat& expected) {
  const Shape shape = layout == Layout::kNCHW ? Shape{1, expected.channels(), expected.rows, expected.cols}
                                              : Shape{1, expected.rows, expected.cols, expected.channels()};
  ASSERT_EQ(tensor.shape(), shape);
  float worst = 0;
  for (int y = 0; y < expected.rows; ++y) {
    for (int x = 0; x < expected.cols; ++x) {
      for (int c = 0; c < expected.channels(); ++c) {
        const float want = expected.ptr<float>(y)[x * expected.channels() + c];
        worst = std::max(worst, std::abs(at(tensor, layout, c, y, x) - want));
      }
    }
  }
  EXPECT_LE(worst, kThreeRoundings);
}

using Case = std::tuple<ColorOrder, Layout, Interpolation, ResizeMode>;
class PreprocessAgainstOpenCv : public testing::TestWithParam<Case> {};

TEST_P(PreprocessAgainstOpenCv, GivesWhatTheSingleCallsGive) {
  const auto [color, layout, interpolation, mode] = GetParam();
  const NormalizeStep normalize = imagenet(color == ColorOrder::kGray ? 1 : 3);
  const ResizeStep resize{64, 96, interpolation, mode, {10, 114, 250}};
  const auto input = make_input(color, layout, DType::kFloat32, {resize, normalize});
  const auto preprocessor = Preprocessor::make(input);
  ASSERT_TRUE(preprocessor.ok()) << preprocessor.error().str();
  for (const auto& [height, width] :
       {std::pair(37, 81), std::pair(200, 131), std::pair(64, 96), std::pair(9, 500)}) {
    SCOPED_TRACE(testing::Message() << height << " x " << width);
    const cv::Mat picture = make_picture(height, width);
    const auto tensor = preprocessor->run(view_of(picture));
    ASSERT_TRUE(tensor.ok()) << tensor.error().str();
    EXPECT_EQ(preprocessor->output_shape(), tensor->shape());
    expect_same(*tensor, layout, step_by_step(picture, color, resize, normalize));
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, PreprocessAgainstOpenCv,
    testing::Combine(testing::Values(ColorOrder::kRGB, ColorOrder::kBGR, ColorOrder::kGray),
                     testing::Values(Layout::kNCHW, Layout::kNHWC),
                     testing::Values(Interpolation::kNearest, Interpolation::kLinear, Interpolation::kCubic,
                                     Interpolation::kArea, Interpolation::kLanczos4),
                     testing::Values(ResizeMode::kStretch, ResizeMode::kLetterbox)),
    [](const auto& tested) {
      return std::string(to_string(std::get<0>(tested.param))) + "_" + to_string(std::get<1>(tested.param)) +
             "_" + to_string(std::get<2>(tested.param)) + "_" + to_string(std::get<3>(tested.param));
    });

TEST(Preprocess, FitsTheShorterSideThenCropsTheCenter) {
  const auto preprocessor =
      Preprocessor::make(make_input(ColorOrder::kBGR, Layout::kNHWC, DType::kUint8,
                                    {ResizeStep{40, 40, Interpolation::kLinear, ResizeMode::kFitShorter, {}},
                                     CropStep{32, 32, true, 0, 0}}));
  ASSERT_TRUE(preprocessor.ok());
  const cv::Mat picture = make_picture(100, 163);
  const auto tensor = preprocessor->run(view_of(picture));
  ASSERT_TRUE(tensor.ok()) << tensor.error().str();
  cv::Mat resized;
  cv::resize(picture, resized, cv::Size(65, 40));  // 163 * 0.4 = 65.2
  const cv::Mat cropped = resized(cv::Rect((65 - 32) / 2, 4, 32, 32)).clone();
  ASSERT_EQ(tensor->shape(), (Shape{1, 32, 32, 3}));
  EXPECT_EQ(std::memcmp(tensor->bytes().data(), cropped.data, 32 * 32 * 3), 0);
}

TEST(Preprocess, PadsAndCropsAtAPlaceInTheOrderWritten) {
  const auto preprocessor =
      Preprocessor::make(make_input(ColorOrder::kRGB, Layout::kNHWC, DType::kUint8,
                                    {CropStep{20, 30, false, 5, 7}, PadStep{1, 2, 3, 4, {9, 8, 7}}}));
  ASSERT_TRUE(preprocessor.ok());
  const cv::Mat picture = make_picture(50, 60);
  const auto tensor = preprocessor->run(view_of(picture));
  ASSERT_TRUE(tensor.ok()) << tensor.error().str();
  cv::Mat expected;
  cv::cvtColor(picture(cv::Rect(7, 5, 30, 20)), expected, cv::COLOR_BGR2RGB);
  cv::copyMakeBorder(expected, expected, 1, 2, 3, 4, cv::BORDER_CONSTANT, cv::Scalar(9, 8, 7));
  ASSERT_EQ(tensor->shape(), (Shape{1, 23, 37, 3}));
  EXPECT_EQ(std::memcmp(tensor->bytes().data(), expected.data, 23 * 37 * 3), 0);
}

TEST(Preprocess, SmallDtypesRoundHalfToEvenAndSaturate) {
  const cv::Mat picture = make_picture(16, 16);
  const NormalizeStep halves{0.5, {0, 0, 0}, {1, 1, 1}};
  const NormalizeStep wide{4.0, {300, 300, 300}, {1, 1, 1}};
  for (const NormalizeStep& normalize : {halves, wide}) {
    const auto real =
        Preprocessor::make(make_input(ColorOrder::kRGB, Layout::kNCHW, DType::kFloat32, {normalize}));
    ASSERT_TRUE(real.ok());
    const auto reference = real->run(view_of(picture));
    ASSERT_TRUE(reference.ok());
    const auto values = to_doubles(*reference);
    ASSERT_TRUE(values.ok());
    for (const DType dtype : {DType::kFloat16, DType::kUint8, DType::kInt8}) {
      const auto small = Preprocessor::make(make_input(ColorOrder::kRGB, Layout::kNCHW, dtype, {normalize}));
      ASSERT_TRUE(small.ok());
      const auto tensor = small->run(view_of(picture));
      ASSERT_TRUE(tensor.ok());
      const auto expected = from_doubles(dtype, reference->shape(), *values);
      ASSERT_TRUE(expected.ok());
      EXPECT_TRUE(identical(*tensor, *expected)) << to_string(dtype);
    }
  }
}

TEST(Preprocess, ReadsRowsThatAreFartherApartThanThePictureIsWide) {
  const auto preprocessor =
      Preprocessor::make(make_input(ColorOrder::kBGR, Layout::kNCHW, DType::kUint8, {}));
  ASSERT_TRUE(preprocessor.ok());
  EXPECT_FALSE(preprocessor->output_shape().has_value());
  const cv::Mat picture = make_picture(30, 40);
  const cv::Mat inside = picture(cv::Rect(3, 2, 20, 10));
  const auto tensor = preprocessor->run(view_of(inside));
  const auto copied = preprocessor->run(view_of(inside.clone()));
  ASSERT_TRUE(tensor.ok() && copied.ok());
  EXPECT_TRUE(identical(*tensor, *copied));
  EXPECT_FALSE(preprocessor->run(PictureView{picture.data, 30, 40, 40}).ok());
  EXPECT_FALSE(preprocessor->run(PictureView{}).ok());
}

TEST(Preprocess, RunIntoFillsExactlyItsSliceOfABatch) {
  const Scratch scratch;
  const auto preprocessor =
      Preprocessor::make(make_input(ColorOrder::kRGB, Layout::kNCHW, DType::kFloat32,
                                    {ResizeStep{8, 8, Interpolation::kLinear, ResizeMode::kStretch, {}}}));
  ASSERT_TRUE(preprocessor.ok());
  const std::string path = (scratch / "a.png").string();
  ASSERT_TRUE(cv::imwrite(path, make_picture(20, 30)));
  const auto alone = preprocessor->run(path);
  ASSERT_TRUE(alone.ok()) << alone.error().str();
  std::vector<float> batch(3 * 192, -7.0F);
  const auto slice = std::as_writable_bytes(std::span(batch)).subspan(192 * 4, 192 * 4);
  ASSERT_TRUE(preprocessor->run_into(path, slice).ok());
  EXPECT_EQ(std::memcmp(slice.data(), alone->bytes().data(), slice.size()), 0);
  EXPECT_EQ(batch[191], -7.0F);
  EXPECT_EQ(batch[384], -7.0F);
  const auto small = preprocessor->run_into(path, slice.first(700));
  ASSERT_FALSE(small.ok());
  EXPECT_EQ(small.error().context, path);
}

TEST(Preprocess, NamesThePictureWhoseCropReachesOutside) {
  const Scratch scratch;
  const auto preprocessor = Preprocessor::make(
      make_input(ColorOrder::kRGB, Layout::kNCHW, DType::kFloat32, {CropStep{32, 32, true, 0, 0}}));
  ASSERT_TRUE(preprocessor.ok());
  const std::string path = (scratch / "small.png").string();
  ASSERT_TRUE(cv::imwrite(path, make_picture(31, 40)));
  const auto tensor = preprocessor->run(path);
  ASSERT_FALSE(tensor.ok());
  EXPECT_EQ(
      tensor.error().str(),
      path + ": the crop of 32 x 32 at (0, 4) reaches outside the picture, which is 31 high and 40 wide");
}

TEST(Preprocess, RefusesAResizeThatWouldFillTheMemory) {
  const auto preprocessor = Preprocessor::make(
      make_input(ColorOrder::kRGB, Layout::kNCHW, DType::kFloat32,
                 {ResizeStep{512, 512, Interpolation::kLinear, ResizeMode::kFitShorter, {}},
                  CropStep{512, 512, true, 0, 0}}));
  ASSERT_TRUE(preprocessor.ok());
  const auto tensor = preprocessor->run(view_of(make_picture(1, 60'000)));
  ASSERT_FALSE(tensor.ok());
  EXPECT_EQ(tensor.error().code, ErrorCode::kInvalidInput);
}

TEST(Preprocess, RefusesInputsThatAreNoPicture) {
  EXPECT_FALSE(Preprocessor::make(InputSpec{}).ok());
  EXPECT_FALSE(Preprocessor::make(make_input(ColorOrder::kRGB, Layout::kNone, DType::kFloat32, {})).ok());
  EXPECT_FALSE(Preprocessor::make(make_input(ColorOrder::kRGB, Layout::kNCHW, DType::kInt64, {})).ok());
  EXPECT_FALSE(
      Preprocessor::make(make_input(ColorOrder::kGray, Layout::kNCHW, DType::kInt8, {imagenet(3)})).ok());
}

TEST(Preprocess, DescriptionAndFingerprintNameEverySetting) {
  const ResizeStep resize{64, 48, Interpolation::kArea, ResizeMode::kLetterbox, {1, 2, 3}};
  const auto base = make_input(ColorOrder::kRGB, Layout::kNCHW, DType::kFloat32, {resize, imagenet(3)});
  const auto first = Preprocessor::make(base);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->description(),
            "decode RGB; resize 64x48 area letterbox pad 1 2 3; normalize scale 0.00392156862745098 mean "
            "0.485 0.456 "
            "0.406 std 0.229 0.224 0.225; float32 NCHW");
  EXPECT_EQ(first->fingerprint().size(), 64U);

  InputSpec renamed = base;
  renamed.name = "other";
  EXPECT_EQ(Preprocessor::make(renamed)->fingerprint(), first->fingerprint());
  InputSpec changed = base;
  std::get<ResizeStep>(changed.preprocess[1]).pad_value[2] = 4;
  EXPECT_NE(Preprocessor::make(changed)->fingerprint(), first->fingerprint());
  changed = base;
  std::get<NormalizeStep>(changed.preprocess[2]).std[1] = std::nextafter(0.224, 1.0);
  EXPECT_NE(Preprocessor::make(changed)->fingerprint(), first->fingerprint());
}

}  // namespace
}  // namespace tarmac
