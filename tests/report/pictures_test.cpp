#include "report/pictures.h"

#include <gtest/gtest.h>

#include <opencv2/imgcodecs.hpp>
#include <string>

#include "base/file.h"
#include "support/temporary_folder.h"

namespace tarmac {
namespace {

using test::TemporaryFolder;

std::filesystem::path picture(const TemporaryFolder& folder, int width, int height) {
  const auto path = folder / "picture.png";
  cv::imwrite(path.string(), cv::Mat(height, width, CV_8UC3, cv::Scalar(0, 0, 255)));
  return path;
}

cv::Mat decode(const std::vector<std::byte>& jpeg) {
  return cv::imdecode(cv::Mat(1, static_cast<int>(jpeg.size()), CV_8UC1, const_cast<std::byte*>(jpeg.data())),
                      cv::IMREAD_COLOR);
}

TEST(Thumbnail, ShrinksTheLongSideAndKeepsTheColour) {
  const TemporaryFolder folder;
  const auto jpeg = encode_thumbnail(picture(folder, 640, 320), 160);
  ASSERT_TRUE(jpeg.ok()) << jpeg.error().str();
  const cv::Mat small = decode(*jpeg);
  EXPECT_EQ(small.cols, 160);
  EXPECT_EQ(small.rows, 80);
  const auto pixel = small.at<cv::Vec3b>(40, 80);
  EXPECT_LT(pixel[0], 10);
  EXPECT_GT(pixel[2], 245);
}

TEST(Thumbnail, NeverEnlarges) {
  const TemporaryFolder folder;
  EXPECT_EQ(decode(*encode_thumbnail(picture(folder, 20, 61), 160)).rows, 61);
}

TEST(Thumbnail, AThinPictureKeepsAtLeastOnePixel) {
  const TemporaryFolder folder;
  const cv::Mat small = decode(*encode_thumbnail(picture(folder, 2000, 1), 100));
  EXPECT_EQ(small.cols, 100);
  EXPECT_EQ(small.rows, 1);
}

TEST(Thumbnail, WhatIsNotAPictureIsAnError) {
  const TemporaryFolder folder;
  EXPECT_EQ(encode_thumbnail(folder / "missing.jpg", 100).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(encode_thumbnail(folder.path(), 100).error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(encode_thumbnail(folder.write("empty.jpg", ""), 100).error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(encode_thumbnail(folder.write("text.jpg", "no picture"), 100).error().code,
            ErrorCode::kInvalidInput);
}

TEST(Thumbnail, ACutPictureNeverCrashes) {
  const TemporaryFolder folder;
  const std::string whole = *read_file(picture(folder, 64, 64));
  for (const std::size_t length : {std::size_t{8}, std::size_t{30}, whole.size() / 2, whole.size() - 1}) {
    const auto jpeg = encode_thumbnail(folder.write("cut.png", whole.substr(0, length)), 32);
    EXPECT_TRUE(jpeg.ok() || jpeg.error().code == ErrorCode::kInvalidInput) << length;
  }
}

}  // namespace
}  // namespace tarmac
