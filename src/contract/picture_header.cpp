#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "contract/picture.h"

namespace tarmac {
namespace {

/// Bounds-checked reads; past the end they give 0, which every caller then refuses as a size.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  [[nodiscard]] std::uint32_t at(std::size_t offset) const {
    return offset < bytes_.size() ? std::to_integer<std::uint32_t>(bytes_[offset]) : 0;
  }
  [[nodiscard]] std::uint32_t little16(std::size_t offset) const { return at(offset) | at(offset + 1) << 8U; }
  [[nodiscard]] std::uint32_t little24(std::size_t offset) const {
    return little16(offset) | at(offset + 2) << 16U;
  }
  [[nodiscard]] std::uint32_t little32(std::size_t offset) const {
    return little16(offset) | little16(offset + 2) << 16U;
  }
  [[nodiscard]] std::uint32_t big16(std::size_t offset) const { return at(offset) << 8U | at(offset + 1); }
  [[nodiscard]] std::uint32_t big32(std::size_t offset) const {
    return big16(offset) << 16U | big16(offset + 2);
  }
  [[nodiscard]] bool has(std::size_t offset, std::string_view text) const {
    if (offset > bytes_.size() || bytes_.size() - offset < text.size()) return false;
    return std::equal(text.begin(), text.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(offset),
                      [](char c, std::byte b) { return static_cast<std::byte>(c) == b; });
  }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }

 private:
  std::span<const std::byte> bytes_;
};

Error damaged(const std::string& what) {
  return make_error(ErrorCode::kInvalidInput, "the picture is damaged: " + what + "; replace the file");
}

/// The offset of the marker that ends the compressed data starting at `offset`, or size() when the file ends
/// first.
std::size_t skip_scan(const ByteReader& file, std::size_t offset) {
  for (; offset + 1 < file.size(); ++offset) {
    if (file.at(offset) != 0xff) continue;
    const std::uint32_t code = file.at(offset + 1);
    const bool is_data = code == 0 || (code >= 0xd0 && code <= 0xd7) || code == 0xff;
    if (!is_data) return offset;
  }
  return file.size();
}

/// ITU-T T.81 annex B: segments up to the end-of-image marker. Decoders fill what a cut file lacks with grey,
/// silently.
Result<PictureHeader> read_jpeg(const ByteReader& file) {
  PictureHeader header{PictureFormat::kJpeg, 0, 0};
  std::size_t offset = 2;
  while (offset + 1 < file.size()) {
    if (file.at(offset) != 0xff) return damaged("found no JPEG marker at byte " + std::to_string(offset));
    const std::uint32_t code = file.at(offset + 1);
    if (code == 0xff) {  // fill byte
      ++offset;
      continue;
    }
    if (code == 0xd9) return header;
    const bool is_frame = code >= 0xc0 && code <= 0xcf && code != 0xc4 && code != 0xc8 && code != 0xcc;
    if (is_frame && header.height == 0) {
      header.height = file.big16(offset + 5);
      header.width = file.big16(offset + 7);
    }
    const std::uint32_t length = file.big16(offset + 2);
    if (length < 2) return damaged("found an empty JPEG segment at byte " + std::to_string(offset));
    offset += 2 + length;
    if (code == 0xda) offset = skip_scan(file, offset);
  }
  return damaged("the JPEG ends before its end-of-image marker");
}

Result<PictureHeader> read_png(const ByteReader& file) {
  if (!file.has(12, "IHDR")) return damaged("found no PNG header");
  return PictureHeader{PictureFormat::kPng, file.big32(20), file.big32(16)};
}

Result<PictureHeader> read_bmp(const ByteReader& file) {
  if (file.little32(14) == 12)
    return PictureHeader{PictureFormat::kBmp, file.little16(20), file.little16(18)};
  const auto height = static_cast<std::int32_t>(file.little32(22));  // negative: rows from the top
  const auto width = static_cast<std::int32_t>(file.little32(18));
  return PictureHeader{PictureFormat::kBmp, height < 0 ? -std::int64_t{height} : height, width};
}

/// WebP container, RFC 9649.
Result<PictureHeader> read_webp(const ByteReader& file) {
  PictureHeader header{PictureFormat::kWebp, 0, 0};
  if (file.has(12, "VP8 ")) {
    header.width = file.little16(26) & 0x3fffU;
    header.height = file.little16(28) & 0x3fffU;
  } else if (file.has(12, "VP8L")) {
    const std::uint32_t bits = file.little32(21);
    header.width = (bits & 0x3fffU) + 1;
    header.height = (bits >> 14U & 0x3fffU) + 1;
  } else if (file.has(12, "VP8X")) {
    header.width = std::int64_t{file.little24(24)} + 1;
    header.height = std::int64_t{file.little24(27)} + 1;
  }
  return header;
}

/// The next number of a PNM header, after white space and comments.
std::int64_t next_pnm_number(const ByteReader& file, std::size_t& offset) {
  const auto is_space = [](std::uint32_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (is_space(file.at(offset)) || file.at(offset) == '#') {
    if (file.at(offset) == '#') {
      while (offset < file.size() && file.at(offset) != '\n') ++offset;
    }
    ++offset;
  }
  std::int64_t number = 0;
  for (; file.at(offset) >= '0' && file.at(offset) <= '9' && number <= kMaxPicturePixels; ++offset) {
    number = number * 10 + (file.at(offset) - '0');
  }
  return number;
}

Result<PictureHeader> read_pnm(const ByteReader& file) {
  std::size_t offset = 2;
  PictureHeader header{PictureFormat::kPnm, 0, 0};
  header.width = next_pnm_number(file, offset);
  header.height = next_pnm_number(file, offset);
  return header;
}

Result<PictureHeader> read_any(const ByteReader& file) {
  if (file.has(0, "\xff\xd8\xff")) return read_jpeg(file);
  if (file.has(0, "\x89PNG\r\n\x1a\n")) return read_png(file);
  if (file.has(0, "BM")) return read_bmp(file);
  if (file.has(0, "RIFF") && file.has(8, "WEBP")) return read_webp(file);
  if (file.has(0, "P5") || file.has(0, "P6")) return read_pnm(file);
  return make_error(
      ErrorCode::kInvalidInput,
      "found no picture format that is read here; allowed: JPEG, PNG, BMP, WebP, binary PGM and PPM");
}

}  // namespace

Result<PictureHeader> read_picture_header(std::span<const std::byte> file) {
  TARMAC_TRY(const PictureHeader header, read_any(ByteReader(file)));
  if (header.height <= 0 || header.width <= 0) return damaged("its header gives no size");
  if (header.height > kMaxPicturePixels / header.width) {
    return make_error(ErrorCode::kInvalidInput, "found a picture of " + std::to_string(header.width) + " x " +
                                                    std::to_string(header.height) + " pixels; at most " +
                                                    std::to_string(kMaxPicturePixels) + " are read");
  }
  return header;
}

}  // namespace tarmac
