#include "plan/layout.h"

#include <algorithm>
#include <cstring>

#include "plan/digests.h"
#include "tarmac/plan.h"

namespace tarmac {
namespace {

constexpr std::size_t kDigestOffset = 32;
constexpr std::size_t kDigestBytes = sizeof(Sha256Digest);
// Of the origin.
constexpr std::uint32_t kUnsigned = 0;
constexpr std::uint32_t kEd25519 = 1;
constexpr std::size_t kKeyOffset = 32;
constexpr std::size_t kSignatureOffset = kKeyOffset + sizeof(PublicKey);
constexpr std::size_t kSealOffset = kSignatureOffset + sizeof(SignatureBytes);
static_assert(kSealOffset + kDigestBytes == kPlanOriginBytes);

template <typename T>
void put(std::string& out, std::size_t offset, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) out[offset + i] = static_cast<char>((value >> (8 * i)) & 0xffU);
}

template <typename T>
T get(std::span<const std::byte> bytes, std::size_t offset) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>(value | (static_cast<T>(std::to_integer<T>(bytes[offset + i])) << (8 * i)));
  }
  return value;
}

std::uint64_t align_up(std::uint64_t offset) {
  return (offset + kPlanAlignmentBytes - 1) / kPlanAlignmentBytes * kPlanAlignmentBytes;
}

Sha256Digest header_digest(std::span<const std::byte> header) {
  Sha256 hash;
  hash.update(header.first(kDigestOffset));
  hash.update(header.subspan(kDigestOffset + kDigestBytes));
  return hash.finish();
}

bool all_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte value) { return value == std::byte{0}; });
}

Error damaged(const std::string& what) {
  return make_error(ErrorCode::kInvalidModel,
                    what + ": the plan is damaged; copy it again or rebuild it with tarmac compile");
}

bool same_digest(std::span<const std::byte> stored, const Sha256Digest& computed) {
  return std::memcmp(stored.data(), computed.data(), computed.size()) == 0;
}

/// One row of the section table; the layout leaves a writer no choice, so anything else is damage.
Result<PlanEntry> decode_entry(std::span<const std::byte> row, std::size_t index) {
  PlanEntry entry;
  const auto* name = reinterpret_cast<const char*>(row.data());
  entry.name.assign(name, ::strnlen(name, kPlanNameBytes));
  if (!is_plan_section_name(entry.name) ||
      !all_zero(row.subspan(entry.name.size(), kPlanNameBytes - entry.name.size())) ||
      !all_zero(row.subspan(112))) {
    return damaged("row " + std::to_string(index) + " of the section table is malformed");
  }
  entry.offset_bytes = get<std::uint64_t>(row, 64);
  entry.size_bytes = get<std::uint64_t>(row, 72);
  std::copy_n(row.begin() + 80, kDigestBytes, entry.digest.begin());
  return entry;
}

/// The header, once its digest holds and its version is ours.
Result<std::span<const std::byte>> decode_preamble(std::span<const std::byte> file) {
  if (file.size() < kPlanPreambleBytes ||
      std::memcmp(file.data(), kPlanMagic.data(), kPlanMagic.size()) != 0) {
    return make_error(ErrorCode::kInvalidModel,
                      "found no plan header; expected a file written by tarmac compile or tarmac deploy");
  }
  const auto header_bytes = get<std::uint32_t>(file, 12);
  const auto file_bytes = get<std::uint64_t>(file, 16);
  if (file_bytes != file.size()) {
    return damaged("the file has " + std::to_string(file.size()) + " bytes, its header says " +
                   std::to_string(file_bytes));
  }
  if (header_bytes < kPlanPreambleBytes || header_bytes > file.size() ||
      header_bytes > kPlanPreambleBytes + kPlanMaxSections * kPlanEntryBytes + kPlanOriginBytes) {
    return damaged("the header claims " + std::to_string(header_bytes) + " bytes");
  }
  const auto header = file.first(header_bytes);
  if (!same_digest(header.subspan(kDigestOffset, kDigestBytes), header_digest(header))) {
    return damaged("the header's SHA-256 does not match");
  }
  if (const auto version = get<std::uint32_t>(file, 8); version != kPlanFormatVersion) {
    return make_error(ErrorCode::kMismatch, "the plan has format version " + std::to_string(version) +
                                                ", this program reads version " +
                                                std::to_string(kPlanFormatVersion) +
                                                "; rebuild the plan with this program's tarmac compile");
  }
  if (header_bytes < kPlanPreambleBytes + kPlanOriginBytes ||
      (header_bytes - kPlanPreambleBytes - kPlanOriginBytes) % kPlanEntryBytes != 0 ||
      !all_zero(header.subspan(24, 8))) {
    return damaged("the header is malformed");
  }
  return header;
}

Result<PlanOrigin> decode_origin(std::span<const std::byte> block) {
  const auto algorithm = get<std::uint32_t>(block, 0);
  if (algorithm != kUnsigned && algorithm != kEd25519) {
    return make_error(ErrorCode::kMismatch, "the plan is signed by algorithm " + std::to_string(algorithm) +
                                                ", this program knows algorithm 1 (Ed25519)");
  }
  if (!all_zero(block.subspan(4, kKeyOffset - 4)) ||
      (algorithm == kUnsigned && !all_zero(block.subspan(kKeyOffset, kSealOffset - kKeyOffset)))) {
    return damaged("the header is malformed");
  }
  PlanOrigin origin;
  if (algorithm == kEd25519) {
    Signature& signature = origin.signature.emplace();
    std::copy_n(block.begin() + kKeyOffset, signature.signer.size(), signature.signer.begin());
    std::copy_n(block.begin() + kSignatureOffset, signature.bytes.size(), signature.bytes.begin());
  }
  const auto seal = block.subspan(kSealOffset, kDigestBytes);
  if (!all_zero(seal)) std::copy_n(seal.begin(), kDigestBytes, origin.seal.emplace().begin());
  return origin;
}

Status check_digests(std::span<const std::byte> file, const std::vector<PlanEntry>& entries) {
  std::vector<DigestParts> pieces;
  for (const PlanEntry& entry : entries)
    pieces.push_back({file.subspan(entry.offset_bytes, entry.size_bytes)});
  TARMAC_TRY(const auto digests, sha256_each(pieces));
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (digests[i] != entries[i].digest)
      return damaged("the SHA-256 of section '" + entries[i].name + "' does not match");
  }
  return {};
}

std::size_t header_bytes_of(const PlanLayout& layout) {
  return kPlanPreambleBytes + kPlanEntryBytes * layout.entries.size() + kPlanOriginBytes;
}

/// With zeros where the header's digest goes.
std::string encode_preamble_and_table(const PlanLayout& layout) {
  std::string header(kPlanPreambleBytes + kPlanEntryBytes * layout.entries.size(), '\0');
  header.replace(0, kPlanMagic.size(), kPlanMagic);
  put(header, 8, kPlanFormatVersion);
  put(header, 12, static_cast<std::uint32_t>(header_bytes_of(layout)));
  put(header, 16, layout.file_bytes);
  std::size_t row = kPlanPreambleBytes;
  for (const PlanEntry& entry : layout.entries) {
    header.replace(row, entry.name.size(), entry.name);
    put(header, row + 64, entry.offset_bytes);
    put(header, row + 72, entry.size_bytes);
    std::memcpy(header.data() + row + 80, entry.digest.data(), kDigestBytes);
    row += kPlanEntryBytes;
  }
  return header;
}

std::string encode_origin(const PlanOrigin& origin) {
  std::string block(kPlanOriginBytes, '\0');
  if (origin.signature) {
    put(block, 0, kEd25519);
    std::memcpy(block.data() + kKeyOffset, origin.signature->signer.data(), origin.signature->signer.size());
    std::memcpy(block.data() + kSignatureOffset, origin.signature->bytes.data(),
                origin.signature->bytes.size());
  }
  if (origin.seal) std::memcpy(block.data() + kSealOffset, origin.seal->data(), origin.seal->size());
  return block;
}

}  // namespace

bool is_plan_section_name(std::string_view name) {
  return !name.empty() && name.size() <= kPlanNameBytes && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  });
}

void place_plan_sections(PlanLayout& layout) {
  std::uint64_t end = header_bytes_of(layout);
  for (PlanEntry& entry : layout.entries) {
    entry.offset_bytes = align_up(end);
    end = entry.offset_bytes + entry.size_bytes;
  }
  layout.file_bytes = end;
}

std::string authenticated_message(const PlanLayout& layout) {
  const std::string header = encode_preamble_and_table(layout);
  std::string message("Tarmac plan origin, version 1\n");
  message.append(header, 0, kDigestOffset);
  return message.append(header, kPlanPreambleBytes);
}

std::string encode_plan_header(const PlanLayout& layout) {
  std::string header = encode_preamble_and_table(layout) + encode_origin(layout.origin);
  const Sha256Digest digest = header_digest(std::as_bytes(std::span(header)));
  std::memcpy(header.data() + kDigestOffset, digest.data(), kDigestBytes);
  return header;
}

Result<PlanLayout> decode_plan(std::span<const std::byte> file) {
  TARMAC_TRY(const auto header, decode_preamble(file));
  const std::size_t table_end = header.size() - kPlanOriginBytes;
  PlanLayout layout;
  layout.file_bytes = file.size();
  TARMAC_TRY(layout.origin, decode_origin(header.subspan(table_end)));
  std::uint64_t end = header.size();
  for (std::size_t row = kPlanPreambleBytes; row < table_end; row += kPlanEntryBytes) {
    TARMAC_TRY(PlanEntry entry, decode_entry(header.subspan(row, kPlanEntryBytes), layout.entries.size()));
    const auto same_name = [&](const PlanEntry& other) { return other.name == entry.name; };
    if (std::any_of(layout.entries.begin(), layout.entries.end(), same_name))
      return damaged("section '" + entry.name + "' occurs twice");
    if (entry.offset_bytes != align_up(end) || entry.offset_bytes > file.size() ||
        entry.size_bytes > file.size() - entry.offset_bytes) {
      return damaged("section '" + entry.name + "' is out of place");
    }
    if (!all_zero(file.subspan(end, entry.offset_bytes - end))) {
      return damaged("the padding before section '" + entry.name + "' is not zero");
    }
    end = entry.offset_bytes + entry.size_bytes;
    layout.entries.push_back(std::move(entry));
  }
  if (end != file.size())
    return damaged(std::to_string(file.size() - end) + " bytes follow the last section");
  TARMAC_CHECK_OK(check_digests(file, layout.entries));
  return layout;
}

}  // namespace tarmac
