// The bytes of a plan file, format version 1. All integers little-endian.
//
//   0   magic[8]  8 format version (u32)  12 header bytes (u32)  16 file bytes (u64)  24 zero[8]
//   32  SHA-256 of the header without this field
//   64  section table, 128 bytes a section: name[64] (zero-padded), offset (u64), size (u64), SHA-256[32],
//   zero[16] then the sections in table order, each at the next multiple of 4096, zeros between; the file
//   ends with the last.
//
// The first 64 bytes and what their digest covers stay the same in all versions, so that damage and a newer
// version can be told apart.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.h"
#include "tarmac/result.h"

namespace tarmac {

inline constexpr std::string_view kPlanMagic{"\x93TPLAN\r\n", 8};
inline constexpr std::size_t kPlanPreambleBytes = 64;
inline constexpr std::size_t kPlanEntryBytes = 128;
inline constexpr std::size_t kPlanNameBytes = 64;
inline constexpr std::uint64_t kPlanAlignmentBytes = 4096;
inline constexpr std::size_t kPlanMaxSections = 1024;

struct PlanEntry {
  std::string name;
  std::uint64_t offset_bytes = 0;
  std::uint64_t size_bytes = 0;
  Sha256Digest digest{};
};

/// Gives each entry its offset; returns the size of the file.
std::uint64_t place_plan_sections(std::vector<PlanEntry>& entries);

/// The header for placed entries.
std::string encode_plan_header(const std::vector<PlanEntry>& entries, std::uint64_t file_bytes);

/// Checks every byte of `file` (digests, layout, zero padding, no byte left over) and returns its table.
/// Errors: kInvalidModel; kMismatch for an undamaged file of another format version.
Result<std::vector<PlanEntry>> decode_plan(std::span<const std::byte> file);

/// Letters a-z, digits, '.', '_', '-'; 1 to 64 of them.
bool is_plan_section_name(std::string_view name);

}  // namespace tarmac
