#include "report/png_chunks.h"

#include <algorithm>
#include <array>
#include <string>

namespace tarmac {
namespace {

constexpr std::array<std::uint8_t, 8> kSignature = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
constexpr std::size_t kFrame = 12;  ///< of a chunk: length, type and checksum

/// CRC-32 of ISO 3309, as PNG's annex D.
std::uint32_t checksum(std::span<const std::byte> bytes) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> made{};
    for (std::uint32_t n = 0; n < made.size(); ++n) {
      std::uint32_t c = n;
      for (int bit = 0; bit < 8; ++bit) c = (c & 1U) != 0 ? 0xedb88320U ^ c >> 1U : c >> 1U;
      made[n] = c;
    }
    return made;
  }();
  std::uint32_t crc = 0xffffffffU;
  for (const std::byte byte : bytes)
    crc = table[(crc ^ std::to_integer<std::uint32_t>(byte)) & 0xffU] ^ crc >> 8U;
  return ~crc;
}

std::uint32_t read_u32(std::span<const std::byte> bytes) {
  std::uint32_t value = 0;
  for (const std::byte byte : bytes.first<4>()) value = value << 8U | std::to_integer<std::uint32_t>(byte);
  return value;
}

}  // namespace

Result<std::vector<PngChunk>> read_png_chunks(std::span<const std::byte> file) {
  const auto signature = std::as_bytes(std::span(kSignature));
  if (file.size() < signature.size() || !std::equal(signature.begin(), signature.end(), file.begin()))
    return make_error(ErrorCode::kInvalidInput, "expected a PNG file, found another signature");
  std::vector<PngChunk> chunks;
  auto rest = file.subspan(signature.size());
  while (chunks.empty() || chunks.back().type != "IEND") {
    const std::string number = "chunk " + std::to_string(chunks.size());
    if (rest.size() < kFrame || read_u32(rest) > rest.size() - kFrame)
      return make_error(ErrorCode::kInvalidInput, number + " of the PNG file is cut short");
    const std::size_t length = read_u32(rest);
    if (checksum(rest.subspan(4, 4 + length)) != read_u32(rest.subspan(8 + length)))
      return make_error(ErrorCode::kInvalidInput, number + " of the PNG file has a wrong checksum");
    chunks.push_back({{reinterpret_cast<const char*>(rest.data()) + 4, 4}, rest.subspan(8, length)});
    rest = rest.subspan(kFrame + length);
  }
  return chunks;
}

PngWriter::PngWriter() {
  const auto signature = std::as_bytes(std::span(kSignature));
  file_.assign(signature.begin(), signature.end());
}

void PngWriter::add(std::string_view type, std::span<const std::byte> data) {
  append_u32(file_, static_cast<std::uint32_t>(data.size()));
  const std::size_t begin = file_.size();
  const auto letters = std::as_bytes(std::span(type));
  file_.insert(file_.end(), letters.begin(), letters.end());
  file_.insert(file_.end(), data.begin(), data.end());
  append_u32(file_, checksum(std::span(file_).subspan(begin)));
}

void append_u32(std::vector<std::byte>& bytes, std::uint32_t value) {
  for (const unsigned shift : {24U, 16U, 8U, 0U})
    bytes.push_back(static_cast<std::byte>(value >> shift & 0xffU));
}

void append_u16(std::vector<std::byte>& bytes, std::uint16_t value) {
  for (const unsigned shift : {8U, 0U})
    bytes.push_back(static_cast<std::byte>(unsigned{value} >> shift & 0xffU));
}

}  // namespace tarmac
