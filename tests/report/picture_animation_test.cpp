#include "report/picture_animation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <opencv2/imgcodecs.hpp>

#include "report/color_palette.h"
#include "report/png_chunks.h"
#include "support/expect.h"

namespace tarmac::test {
namespace {

using ::testing::ElementsAre;

PictureView view(const cv::Mat& pixels) { return {pixels.data, pixels.rows, pixels.cols, pixels.step[0]}; }

/// Vertical stripes in colours that each stand in a bin's middle.
cv::Mat stripes(int shift) {
  cv::Mat pixels(20, 48, CV_8UC3);
  for (int y = 0; y < pixels.rows; ++y) {
    for (int x = 0; x < pixels.cols; ++x) {
      const bool light = (x / 8 + shift) % 2 == 0;
      pixels.at<cv::Vec3b>(y, x) = light ? cv::Vec3b(0, 255, 255) : cv::Vec3b(255, 0, 0);
    }
  }
  return pixels;
}

std::uint32_t u32(std::span<const std::byte> bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = at; i < at + 4; ++i) value = value << 8U | std::to_integer<std::uint32_t>(bytes[i]);
  return value;
}

cv::Mat decode_file(const std::vector<std::byte>& file) {
  const cv::Mat bytes(1, static_cast<int>(file.size()), CV_8UC1, const_cast<std::byte*>(file.data()));
  return cv::imdecode(bytes, cv::IMREAD_COLOR);
}

/// A frame of an animation as a PNG file of its own, decoded.
cv::Mat decode(const std::vector<PngChunk>& chunks, const PngChunk& frame) {
  PngWriter writer;
  for (const PngChunk& chunk : chunks) {
    if (chunk.type == "IHDR" || chunk.type == "PLTE") writer.add(chunk.type, chunk.data);
  }
  writer.add("IDAT", frame.type == "fdAT" ? frame.data.subspan(4) : frame.data);
  writer.add("IEND", {});
  const auto file = writer.take();
  return decode_file(file);
}

TEST(PictureAnimation, HoldsEachFrameAsItWas) {
  PictureAnimation animation;
  const std::vector<cv::Mat> frames = {stripes(0), stripes(1), stripes(2)};
  for (const cv::Mat& frame : frames) expect_ok(animation.add(view(frame)));
  const auto file = expect_ok(animation.encode(500));
  const auto chunks = expect_ok(read_png_chunks(file));
  std::vector<std::string> types;
  for (const PngChunk& chunk : chunks) types.emplace_back(chunk.type);
  EXPECT_THAT(types,
              ElementsAre("IHDR", "acTL", "PLTE", "fcTL", "IDAT", "fcTL", "fdAT", "fcTL", "fdAT", "IEND"));
  EXPECT_EQ(u32(chunks[1].data, 0), 3U) << "frames";
  EXPECT_EQ(u32(chunks[1].data, 4), 0U) << "for ever";
  std::uint32_t sequence = 0;
  std::size_t at = 0;
  for (const PngChunk& chunk : chunks) {
    if (chunk.type == "fcTL" || chunk.type == "fdAT") {
      EXPECT_EQ(u32(chunk.data, 0), sequence++);
    }
    if (chunk.type == "fcTL") {
      EXPECT_EQ(u32(chunk.data, 4), 48U);
      EXPECT_EQ(u32(chunk.data, 8), 20U);
      EXPECT_EQ(u32(chunk.data, 20), 500U << 16U | 1000U);
    }
    if (chunk.type != "IDAT" && chunk.type != "fdAT") continue;
    const cv::Mat decoded = decode(chunks, chunk);
    ASSERT_EQ(decoded.size(), frames[at].size());
    EXPECT_EQ(cv::norm(decoded, frames[at], cv::NORM_INF), 0) << "frame " << at;
    ++at;
  }
  EXPECT_EQ(at, 3U);
  const cv::Mat still = decode_file(file);
  EXPECT_EQ(cv::norm(still, frames[0], cv::NORM_INF), 0) << "for programs that know no animation";
}

TEST(PictureAnimation, StaysCloseWhereThereAreMoreColours) {
  cv::Mat pixels(64, 64, CV_8UC3);
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x)
      pixels.at<cv::Vec3b>(y, x) = cv::Vec3b(static_cast<uchar>(4 * y), static_cast<uchar>(4 * x), 128);
  }
  PictureAnimation animation;
  expect_ok(animation.add(view(pixels)));
  const auto file = expect_ok(animation.encode(100));
  const cv::Mat decoded = decode_file(file);
  EXPECT_LT(cv::norm(decoded, pixels, cv::NORM_L1) / (64 * 64 * 3), 4);
  EXPECT_LT(cv::norm(decoded, pixels, cv::NORM_INF), 16);
}

TEST(PictureAnimation, IsTheSameEachTime) {
  const auto made = [] {
    PictureAnimation animation;
    expect_ok(animation.add(view(stripes(0))));
    return expect_ok(animation.encode(100));
  };
  EXPECT_EQ(made(), made());
}

TEST(PictureAnimation, RefusesFramesThatDoNotFit) {
  PictureAnimation animation;
  expect_error(animation.encode(100), ErrorCode::kUsage, "an animation needs a frame");
  expect_error(animation.add({}), ErrorCode::kInvalidInput, "without pixels");
  expect_ok(animation.add(view(stripes(0))));
  expect_error(animation.add(view(stripes(0).colRange(0, 10))), ErrorCode::kInvalidInput,
               "found a frame of 20 x 10 in an animation of 20 x 48");
  expect_error(animation.encode(0), ErrorCode::kInvalidInput, "1 to 65535");
}

TEST(PngChunks, RefuseDamagedFiles) {
  PictureAnimation animation;
  expect_ok(animation.add(view(stripes(0))));
  const auto file = expect_ok(animation.encode(100));
  for (std::size_t size = 0; size < file.size(); ++size)
    EXPECT_FALSE(read_png_chunks(std::span(file).first(size)).ok()) << size;
  for (std::size_t at = 0; at < file.size(); ++at) {
    auto damaged = file;
    damaged[at] ^= std::byte{0x10};
    EXPECT_FALSE(read_png_chunks(damaged).ok()) << at;
  }
}

TEST(ColorPalette, KeepsRareColoursThatAreFarFromOthers) {
  cv::Mat pixels(100, 100, CV_8UC3, cv::Scalar::all(40));
  for (int x = 0; x < 100; ++x) pixels.col(x) = cv::Scalar::all(40 + 0.5 * x);
  pixels.at<cv::Vec3b>(50, 50) = cv::Vec3b(255, 0, 255);
  ColorPalette palette;
  palette.count(view(pixels));
  palette.choose();
  EXPECT_LE(palette.colors().size(), 256U);
  const auto color = palette.colors()[palette.index_of(pixels.ptr(50) + 150)];
  EXPECT_EQ(color, (ColorPalette::Color{255, 0, 255}));
}

}  // namespace
}  // namespace tarmac::test
