// The chunks that a PNG file is made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tarmac/result.h"

namespace tarmac {

struct PngChunk {
  std::string_view type;            ///< four letters
  std::span<const std::byte> data;  ///< borrowed from the file
};

/// All chunks up to and with IEND. Errors (kInvalidInput): no PNG, a chunk that is cut short or whose
/// checksum is wrong, no IEND.
Result<std::vector<PngChunk>> read_png_chunks(std::span<const std::byte> file);

/// Writes a PNG file chunk by chunk, beginning with the signature.
class PngWriter {
 public:
  PngWriter();
  void add(std::string_view type, std::span<const std::byte> data);
  [[nodiscard]] std::vector<std::byte> take() { return std::move(file_); }

 private:
  std::vector<std::byte> file_;
};

/// Big endian.
void append_u32(std::vector<std::byte>& bytes, std::uint32_t value);
void append_u16(std::vector<std::byte>& bytes, std::uint16_t value);

}  // namespace tarmac
