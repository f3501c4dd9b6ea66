// The bytes of a plan file, format version 2. All integers little-endian.
//
//   0   magic[8]  8 format version (u32)  12 header bytes (u32)  16 file bytes (u64)  24 zero[8]
//   32  SHA-256 of the header without this field
//   64  section table, 128 bytes a section: name[64] (zero-padded), offset (u64), size (u64), SHA-256[32],
//       zero[16]
//   then who made it, 160 bytes: algorithm (u32; 0 none, 1 Ed25519), zero[28], public key[32], signature[64],
//       local seal[32]
//   then the sections in table order, each at the next multiple of 4096, zeros between; the file ends with
//       the last.
//
// Signature and seal are over authenticated_message(). The first 64 bytes and what their digest covers stay
// the same in all versions, so that damage and a newer version can be told apart.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.h"
#include "plan/signature.h"
#include "tarmac/result.h"

namespace tarmac {

inline constexpr std::string_view kPlanMagic{"\x93TPLAN\r\n", 8};
inline constexpr std::size_t kPlanPreambleBytes = 64;
inline constexpr std::size_t kPlanEntryBytes = 128;
inline constexpr std::size_t kPlanNameBytes = 64;
inline constexpr std::size_t kPlanOriginBytes = 160;
inline constexpr std::uint64_t kPlanAlignmentBytes = 4096;
inline constexpr std::size_t kPlanMaxSections = 1024;

struct PlanEntry {
  std::string name;
  std::uint64_t offset_bytes = 0;
  std::uint64_t size_bytes = 0;
  Sha256Digest digest{};
};

/// Who vouches for a plan.
struct PlanOrigin {
  std::optional<Signature> signature;
  std::optional<Sha256Digest> seal;  ///< LocalSecret::seal(); stored as zeros when there is none
};

struct PlanLayout {
  std::vector<PlanEntry> entries;
  std::uint64_t file_bytes = 0;
  PlanOrigin origin;
};

/// Gives each entry its offset and the layout the size of the file.
void place_plan_sections(PlanLayout& layout);

/// What signature and seal are over: a prefix that no other use has, and all of the header but its digest
/// and the origin. It names every section's digest.
std::string authenticated_message(const PlanLayout& layout);

/// The header of a layout whose sections are placed.
std::string encode_plan_header(const PlanLayout& layout);

/// Checks every byte of `file` (digests, layout, zero padding, no byte left over) and returns its layout;
/// whether the origin holds is the caller's to check. Errors: kInvalidModel; kMismatch for an undamaged file
/// of another format version or a signature of another kind.
Result<PlanLayout> decode_plan(std::span<const std::byte> file);

/// Letters a-z, digits, '.', '_', '-'; 1 to 64 of them.
bool is_plan_section_name(std::string_view name);

}  // namespace tarmac
