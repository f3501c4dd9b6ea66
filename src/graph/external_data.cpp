#include "graph/external_data.h"

#include <onnx/onnx_pb.h>
#include <sys/stat.h>

#include <charconv>
#include <optional>
#include <set>

namespace tarmac {
namespace {

Error refused(const std::string& location, const std::string& why) {
  return make_error(ErrorCode::kInvalidModel,
                    "external data '" + location + "' refused: " + why +
                        "; weights must lie in a plain file inside the model's own folder");
}

Result<std::uint64_t> parse_number(const std::string& location, const std::string& key,
                                   const std::string& text) {
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size()) {
    return refused(location, key + " is '" + text + "', expected a whole number");
  }
  return value;
}

}  // namespace

Result<ExternalData::Range> ExternalData::open(const std::string& location) {
  if (const auto it = known_.find(location); it != known_.end()) return it->second;
  if (folder_.empty()) return refused(location, "this model was not read from a folder");
  // OpenVINO and ONNX Runtime take such a location for an address in memory and read it.
  if (location.find("_ORT_MEM_ADDR_") != std::string::npos || location.find('*') != std::string::npos) {
    return refused(location, "it is a marker for an address in memory");
  }
  const std::filesystem::path relative(location);
  if (location.empty() || location.find('\0') != std::string::npos || relative.is_absolute() ||
      location.find('\\') != std::string::npos) {
    return refused(location, "it is not a relative path");
  }
  for (const auto& part : relative) {
    if (part == "..") return refused(location, "it leaves the folder");
  }
  std::error_code failure;
  const auto base = std::filesystem::canonical(folder_, failure);
  if (failure) return refused(location, "the folder cannot be read: " + failure.message());
  const auto full = std::filesystem::canonical(base / relative, failure);
  if (failure) return refused(location, failure.message());
  const auto inside = full.lexically_relative(base);
  if (inside.empty() || *inside.begin() == "..")
    return refused(location, "a link in it leads outside the folder");
  struct stat status {};
  if (::stat(full.c_str(), &status) != 0 || !S_ISREG(status.st_mode))
    return refused(location, "it is not a regular file");
  if (status.st_nlink > 1) {
    return refused(location,
                   "the file has a second hard link, so it may be a file of someone else's (copy it)");
  }
  TARMAC_TRY(const auto file, MappedFile::open(full));
  return known_.emplace(location, Range{file->bytes(), file}).first->second;
}

Result<ExternalData::Range> ExternalData::resolve(const onnx::TensorProto& tensor,
                                                  std::size_t expected_bytes) {
  std::string location;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;
  std::set<std::string> seen;
  for (const auto& entry : tensor.external_data()) {
    // Readers differ in whether the first or the last counts.
    if (!seen.insert(entry.key()).second)
      return refused(location, "the entry '" + entry.key() + "' is given twice");
    if (entry.key() == "location") {
      location = entry.value();
    } else if (entry.key() == "offset") {
      TARMAC_TRY(offset, parse_number(location, "offset", entry.value()));
    } else if (entry.key() == "length") {
      TARMAC_TRY(length, parse_number(location, "length", entry.value()));
    }
  }
  TARMAC_TRY(const Range file, open(location));
  if (length && *length != expected_bytes) {
    return refused(location, "length is " + std::to_string(*length) + " bytes, dtype and shape need " +
                                 std::to_string(expected_bytes));
  }
  if (offset > file.bytes.size() || expected_bytes > file.bytes.size() - offset) {
    return refused(location, std::to_string(expected_bytes) + " bytes from byte " + std::to_string(offset) +
                                 " on are needed, the file has " + std::to_string(file.bytes.size()));
  }
  return Range{file.bytes.subspan(offset, expected_bytes), file.owner};
}

}  // namespace tarmac
