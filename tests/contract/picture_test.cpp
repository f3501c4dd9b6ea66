#include "contract/picture.h"

#include <gtest/gtest.h>

#include <opencv2/imgcodecs.hpp>
#include <random>

#include "base/file.h"
#include "contract/scratch.h"

namespace tarmac {
namespace {

using namespace std::string_literals;

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

cv::Mat make_picture(int height, int width) {
  cv::Mat picture(height, width, CV_8UC3);
  cv::RNG random(5);
  random.fill(picture, cv::RNG::UNIFORM, 0, 256);
  return picture;
}

std::string encode(const char* extension, const cv::Mat& picture) {
  std::vector<uchar> bytes;
  EXPECT_TRUE(cv::imencode(extension, picture, bytes));
  return {bytes.begin(), bytes.end()};
}

TEST(Picture, HeaderGivesFormatAndSizeOfEveryFormat) {
  const std::pair<const char*, PictureFormat> formats[] = {{".jpg", PictureFormat::kJpeg},
                                                           {".png", PictureFormat::kPng},
                                                           {".bmp", PictureFormat::kBmp},
                                                           {".webp", PictureFormat::kWebp},
                                                           {".ppm", PictureFormat::kPnm}};
  for (const auto& [extension, format] : formats) {
    SCOPED_TRACE(extension);
    EXPECT_TRUE(has_picture_extension("folder/NAME"s + extension));
    const std::string file = encode(extension, make_picture(23, 45));
    const auto header = read_picture_header(bytes_of(file));
    ASSERT_TRUE(header.ok()) << header.error().str();
    EXPECT_EQ(header->format, format);
    EXPECT_EQ(header->height, 23);
    EXPECT_EQ(header->width, 45);
    const auto picture = decode_picture(bytes_of(file));
    ASSERT_TRUE(picture.ok()) << picture.error().str();
    EXPECT_EQ(picture->view.height, 23);
    EXPECT_EQ(picture->view.width, 45);
  }
  EXPECT_TRUE(has_picture_extension("A.JPEG"));
  EXPECT_FALSE(has_picture_extension("labels.txt"));
}

/// An APP1 segment that says "turn by 90 degrees" (EXIF 2.3, tag 0x0112 = 6).
std::string with_exif_rotation(const std::string& jpeg) {
  const std::string exif =
      "\xff\xe1\x00\x22"
      "Exif\0\0"
      "II*\0\x08\0\0\0"
      "\x01\0"
      "\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"
      "\0\0\0\0"s;
  return jpeg.substr(0, 2) + exif + jpeg.substr(2);
}

TEST(Picture, IgnoresExifOrientation) {
  const std::string plain = encode(".jpg", make_picture(16, 40));
  const std::string rotated = with_exif_rotation(plain);
  const std::vector<uchar> encoded(rotated.begin(), rotated.end());
  ASSERT_EQ(cv::imdecode(encoded, cv::IMREAD_COLOR).rows, 40)
      << "the EXIF segment of this test is not understood";
  const auto picture = decode_picture(bytes_of(rotated));
  ASSERT_TRUE(picture.ok()) << picture.error().str();
  EXPECT_EQ(picture->view.height, 16);
  EXPECT_EQ(picture->view.width, 40);
}

TEST(Picture, DropsAlphaAndReducesSixteenBits) {
  cv::Mat deep(8, 8, CV_16UC4, cv::Scalar(256 * 10, 256 * 20, 256 * 30, 256 * 40));
  const auto picture = decode_picture(bytes_of(encode(".png", deep)));
  ASSERT_TRUE(picture.ok()) << picture.error().str();
  EXPECT_EQ(picture->view.data[0], 10);
  EXPECT_EQ(picture->view.data[1], 20);
  EXPECT_EQ(picture->view.data[2], 30);
  EXPECT_EQ(picture->view.row_bytes, 24U);
}

TEST(Picture, RefusesFilesThatEndEarly) {
  for (const char* extension : {".jpg", ".png"}) {
    const std::string file = encode(extension, make_picture(64, 64));
    for (std::size_t kept = 0; kept < file.size() - 2; kept += 97) {
      EXPECT_FALSE(decode_picture(bytes_of(file.substr(0, kept))).ok()) << extension << " cut at " << kept;
    }
  }
}

TEST(Picture, RefusesOtherFilesNamingThem) {
  const Scratch scratch;
  const auto path = scratch.write("notes.jpg", "these are not pixels");
  const auto picture = read_picture(path);
  ASSERT_FALSE(picture.ok());
  EXPECT_EQ(picture.error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(picture.error().str(), path.string() +
                                       ": found no picture format that is read here; allowed: JPEG, PNG, "
                                       "BMP, WebP, binary PGM and PPM");
  EXPECT_EQ(read_picture(scratch / "missing.png").error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(read_picture(scratch.write("empty.png", "")).ok());
}

TEST(Picture, RefusesABombByItsHeader) {
  std::string png = encode(".png", make_picture(4, 4));
  png.replace(16, 8, "\x00\x01\x00\x00\x00\x01\x00\x00"s);
  const auto picture = decode_picture(bytes_of(png));
  ASSERT_FALSE(picture.ok());
  EXPECT_EQ(picture.error().message, "found a picture of 65536 x 65536 pixels; at most 100000000 are read");
  EXPECT_FALSE(decode_picture(bytes_of("P6 99999999999999999999 4 255\n"s)).ok());
  EXPECT_FALSE(decode_picture(bytes_of("BM"s)).ok());
}

TEST(Picture, DamagedFilesAreDecodedOrRefused) {
  std::mt19937 random(11);
  for (const char* extension : {".png", ".bmp", ".webp", ".ppm"}) {
    const std::string good = encode(extension, make_picture(20, 20));
    for (int i = 0; i < 200; ++i) {
      std::string bad = good;
      for (int flips = 0; flips < 3; ++flips)
        bad[random() % std::min<std::size_t>(bad.size(), 64)] ^= static_cast<char>(random());
      const auto picture = decode_picture(bytes_of(bad));
      if (picture.ok()) {
        EXPECT_LE(std::int64_t{picture->view.height} * picture->view.width, kMaxPicturePixels);
      }
    }
  }
}

TEST(Picture, EqualsImreadOnRealFrames) {
  const std::filesystem::path folder =
      std::filesystem::path(TARMAC_SOURCE_DIR) / "../shared/data/traffic_frames";
  if (!std::filesystem::is_directory(folder))
    GTEST_SKIP() << "the folder shared/data/traffic_frames is not beside the tree";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto picture = read_picture(entry.path());
    ASSERT_TRUE(picture.ok()) << picture.error().str();
    const cv::Mat expected =
        cv::imread(entry.path().string(), cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
    ASSERT_EQ(picture->view.height, expected.rows);
    ASSERT_EQ(picture->view.row_bytes, expected.step[0]);
    EXPECT_EQ(std::memcmp(picture->view.data, expected.data, expected.total() * 3), 0) << entry.path();
  }
}

}  // namespace
}  // namespace tarmac
