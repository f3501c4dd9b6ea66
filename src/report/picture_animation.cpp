#include "report/picture_animation.h"

#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <string>

#include "contract/picture_codecs.h"
#include "report/color_palette.h"
#include "report/png_chunks.h"

namespace tarmac {
namespace {

constexpr std::size_t kColorTypeAt = 9;  ///< in IHDR
constexpr std::byte kIndexed{3};

/// A frame as zlib's stream of the indices of its pixels' colours, and the header of its size. OpenCV writes
/// no palettes, but pixels of 8 bits are the same bytes whether they are grey levels or indices.
struct EncodedFrame {
  std::vector<std::byte> header;
  std::vector<std::byte> pixels;
};

Result<EncodedFrame> encode_indices(const ColorPalette& palette, const PictureView& frame) {
  cv::Mat indices(frame.height, frame.width, CV_8UC1);
  for (int y = 0; y < frame.height; ++y) {
    const std::uint8_t* const row = frame.data + static_cast<std::size_t>(y) * frame.row_bytes;
    for (int x = 0; x < frame.width; ++x)
      indices.at<std::uint8_t>(y, x) = palette.index_of(row + 3 * static_cast<std::size_t>(x));
  }
  const auto file = encode_with_opencv(".png", indices, {cv::IMWRITE_PNG_COMPRESSION, 9});
  TARMAC_TRY(const auto chunks, read_png_chunks(std::as_bytes(std::span(file))));
  EncodedFrame encoded;
  for (const PngChunk& chunk : chunks) {
    if (chunk.type == "IHDR") encoded.header.assign(chunk.data.begin(), chunk.data.end());
    if (chunk.type == "IDAT")
      encoded.pixels.insert(encoded.pixels.end(), chunk.data.begin(), chunk.data.end());
  }
  encoded.header.at(kColorTypeAt) = kIndexed;
  return encoded;
}

/// Chunk fcTL: a whole frame that replaces what was there.
std::vector<std::byte> frame_control(std::uint32_t sequence, int width, int height, int frame_ms) {
  std::vector<std::byte> control;
  append_u32(control, sequence);
  append_u32(control, static_cast<std::uint32_t>(width));
  append_u32(control, static_cast<std::uint32_t>(height));
  append_u32(control, 0);  // left
  append_u32(control, 0);  // top
  append_u16(control, static_cast<std::uint16_t>(frame_ms));
  append_u16(control, 1000);
  append_u16(control, 0);  // dispose: none, blend: source
  return control;
}

}  // namespace

bool PictureAnimation::has_room_for(const PictureView& frame) const {
  const std::size_t bytes =
      std::size_t{3} * static_cast<std::size_t>(frame.height) * static_cast<std::size_t>(frame.width);
  return (frames_.size() + 1) * bytes <= kMaxBytes;
}

Status PictureAnimation::add(const PictureView& frame) {
  const auto size = [](int height, int width) {
    return std::to_string(height) + " x " + std::to_string(width);
  };
  if (frame.height <= 0 || frame.width <= 0)
    return make_error(ErrorCode::kInvalidInput, "found a frame without pixels");
  if (!frames_.empty() && (frame.height != height_ || frame.width != width_)) {
    return make_error(ErrorCode::kInvalidInput, "found a frame of " + size(frame.height, frame.width) +
                                                    " in an animation of " + size(height_, width_));
  }
  if (!has_room_for(frame))
    return make_error(ErrorCode::kResourceExhausted, "the animation has no room for a further frame");
  height_ = frame.height;
  width_ = frame.width;
  std::vector<std::uint8_t>& pixels = frames_.emplace_back();
  for (int y = 0; y < height_; ++y) {
    const std::uint8_t* const row = frame.data + static_cast<std::size_t>(y) * frame.row_bytes;
    pixels.insert(pixels.end(), row, row + std::size_t{3} * static_cast<std::size_t>(width_));
  }
  return {};
}

Result<std::vector<std::byte>> PictureAnimation::encode(int frame_ms) const {
  if (frames_.empty()) return make_error(ErrorCode::kUsage, "an animation needs a frame");
  if (frame_ms < 1 || frame_ms > 65'535) {
    return make_error(ErrorCode::kInvalidInput,
                      "found frames of " + std::to_string(frame_ms) + " ms; expected 1 to 65535");
  }
  const auto view = [&](const std::vector<std::uint8_t>& pixels) {
    return PictureView{pixels.data(), height_, width_, std::size_t{3} * static_cast<std::size_t>(width_)};
  };
  try {
    ColorPalette palette;
    for (const auto& frame : frames_) palette.count(view(frame));
    palette.choose();
    PngWriter writer;
    std::uint32_t sequence = 0;
    for (const auto& frame : frames_) {
      TARMAC_TRY(const EncodedFrame encoded, encode_indices(palette, view(frame)));
      const bool first = sequence == 0;
      if (first) {
        writer.add("IHDR", encoded.header);
        std::vector<std::byte> control;
        append_u32(control, static_cast<std::uint32_t>(frames_.size()));
        append_u32(control, 0);  // for ever
        writer.add("acTL", control);
        std::vector<std::byte> colors;
        for (const auto& [blue, green, red] : palette.colors())
          colors.insert(colors.end(), {std::byte{red}, std::byte{green}, std::byte{blue}});
        writer.add("PLTE", colors);
      }
      writer.add("fcTL", frame_control(sequence++, width_, height_, frame_ms));
      if (first) {
        writer.add("IDAT", encoded.pixels);
        continue;
      }
      std::vector<std::byte> data;
      append_u32(data, sequence++);
      data.insert(data.end(), encoded.pixels.begin(), encoded.pixels.end());
      writer.add("fdAT", data);
    }
    writer.add("IEND", {});
    return writer.take();
  } catch (const cv::Exception& error) {
    return make_error(ErrorCode::kInternal, std::string("the animation cannot be encoded: ") + error.what());
  } catch (const std::exception& error) {
    return make_error(ErrorCode::kUnavailable, error.what());
  }
}

}  // namespace tarmac
