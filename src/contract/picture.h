// Picture files: what a header says, checked before any decoder sees the file, and decoding to 8-bit BGR.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>

#include "tarmac/result.h"

namespace tarmac {

enum class PictureFormat { kBmp, kJpeg, kPng, kPnm, kWebp };

struct PictureHeader {
  PictureFormat format = PictureFormat::kPng;
  std::int64_t height = 0;
  std::int64_t width = 0;
};

/// 8 bits a channel, channels interleaved (blue, green, red where nothing else is said); row y starts at
/// `data + y * row_bytes`. Borrows its bytes.
struct PictureView {
  const std::uint8_t* data = nullptr;
  int height = 0;
  int width = 0;
  std::size_t row_bytes = 0;
};

/// A decoded picture and what keeps its bytes alive.
struct Picture {
  PictureView view;
  std::shared_ptr<const void> owner;
};

inline constexpr std::int64_t kMaxPicturePixels = 100'000'000;
inline constexpr std::uint64_t kMaxPictureFileBytes = std::uint64_t{256} << 20U;

/// Format and size of a JPEG, PNG, BMP, WebP or binary PGM/PPM file from its header. Errors (kInvalidInput):
/// another format, a damaged header, a JPEG that ends early, no pixels, more than kMaxPicturePixels.
Result<PictureHeader> read_picture_header(std::span<const std::byte> file);

/// Decodes as cv2.imdecode(file, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION): three channels, alpha
/// dropped, 16 bits reduced to 8, EXIF orientation ignored. Errors: as read_picture_header(); kInvalidInput
/// when the decoder refuses; kResourceExhausted.
Result<Picture> decode_picture(std::span<const std::byte> file);

/// decode_picture() of a file; errors carry its path as context, also kNotFound and kIo.
Result<Picture> read_picture(const std::filesystem::path& path);

/// Whether the name ends with one of these, given in lower case, in any case.
bool has_extension(const std::filesystem::path& path, std::initializer_list<std::string_view> extensions);

/// Whether the name ends as a picture's does: .jpg .jpeg .png .bmp .webp .ppm .pgm, in any case.
bool has_picture_extension(const std::filesystem::path& path);

}  // namespace tarmac
