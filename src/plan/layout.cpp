#include "plan/layout.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "tarmac/plan.h"

namespace tarmac {
namespace {

constexpr std::size_t kDigestOffset = 32;
constexpr std::size_t kDigestBytes = sizeof(Sha256Digest);

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

}  // namespace

bool is_plan_section_name(std::string_view name) {
  return !name.empty() && name.size() <= kPlanNameBytes && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  });
}

std::uint64_t place_plan_sections(std::vector<PlanEntry>& entries) {
  std::uint64_t end = kPlanPreambleBytes + kPlanEntryBytes * entries.size();
  for (PlanEntry& entry : entries) {
    entry.offset_bytes = align_up(end);
    end = entry.offset_bytes + entry.size_bytes;
  }
  return end;
}

std::string encode_plan_header(const std::vector<PlanEntry>& entries, std::uint64_t file_bytes) {
  std::string header(kPlanPreambleBytes + kPlanEntryBytes * entries.size(), '\0');
  header.replace(0, kPlanMagic.size(), kPlanMagic);
  put(header, 8, kPlanFormatVersion);
  put(header, 12, static_cast<std::uint32_t>(header.size()));
  put(header, 16, file_bytes);
  std::size_t row = kPlanPreambleBytes;
  for (const PlanEntry& entry : entries) {
    header.replace(row, entry.name.size(), entry.name);
    put(header, row + 64, entry.offset_bytes);
    put(header, row + 72, entry.size_bytes);
    std::memcpy(header.data() + row + 80, entry.digest.data(), kDigestBytes);
    row += kPlanEntryBytes;
  }
  const Sha256Digest digest = header_digest(std::as_bytes(std::span(header)));
  std::memcpy(header.data() + kDigestOffset, digest.data(), kDigestBytes);
  return header;
}

Result<std::vector<PlanEntry>> decode_plan(std::span<const std::byte> file) {
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
      header_bytes > kPlanPreambleBytes + kPlanMaxSections * kPlanEntryBytes) {
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
  if ((header_bytes - kPlanPreambleBytes) % kPlanEntryBytes != 0 || !all_zero(header.subspan(24, 8))) {
    return damaged("the header is malformed");
  }

  std::vector<PlanEntry> entries;
  std::uint64_t end = header_bytes;
  for (std::size_t row = kPlanPreambleBytes; row < header_bytes; row += kPlanEntryBytes) {
    TARMAC_TRY(PlanEntry entry, decode_entry(header.subspan(row, kPlanEntryBytes), entries.size()));
    const auto same_name = [&](const PlanEntry& other) { return other.name == entry.name; };
    if (std::any_of(entries.begin(), entries.end(), same_name))
      return damaged("section '" + entry.name + "' occurs twice");
    if (entry.offset_bytes != align_up(end) || entry.offset_bytes > file.size() ||
        entry.size_bytes > file.size() - entry.offset_bytes) {
      return damaged("section '" + entry.name + "' is out of place");
    }
    if (!all_zero(file.subspan(end, entry.offset_bytes - end))) {
      return damaged("the padding before section '" + entry.name + "' is not zero");
    }
    end = entry.offset_bytes + entry.size_bytes;
    entries.push_back(std::move(entry));
  }
  if (end != file.size())
    return damaged(std::to_string(file.size() - end) + " bytes follow the last section");
  for (const PlanEntry& entry : entries) {
    if (!same_digest(entry.digest, sha256(file.subspan(entry.offset_bytes, entry.size_bytes)))) {
      return damaged("the SHA-256 of section '" + entry.name + "' does not match");
    }
  }
  return entries;
}

}  // namespace tarmac
