// Files: read-only memory maps, bounded reads, and writes that appear whole or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "tarmac/result.h"

namespace tarmac {

/// A regular file mapped read-only. Shared: tensors that point into it keep it alive.
class MappedFile {
 public:
  /// Errors: kNotFound, kInvalidInput (a folder or a device), kIo.
  static Result<std::shared_ptr<const MappedFile>> open(const std::filesystem::path& path);

  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  [[nodiscard]] std::span<const std::byte> bytes() const { return {data_, size_}; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  MappedFile(std::filesystem::path path, const std::byte* data, std::size_t size)
      : path_(std::move(path)), data_(data), size_(size) {}

  std::filesystem::path path_;
  const std::byte* data_;
  std::size_t size_;
};

/// Gives memory back that holds what was read of a MappedFile, so that passing once through a large file does
/// not keep all of it: the bytes stay valid and are read again when needed. Bytes that lie elsewhere are left
/// alone.
void release_pages(std::span<const std::byte> bytes);

/// Writes to a temporary name beside `path`; commit() syncs and renames, so that readers see the old or the
/// new file, never a part. Without commit() the destructor removes what was written; what a killed writer
/// left is removed by the next one of the same path. A lock on the file says that its writer lives, also to
/// other machines that share the folder, where its file system shares locks.
class AtomicFile {
 public:
  /// Errors: kNotFound (no such folder), kIo.
  static Result<AtomicFile> create(const std::filesystem::path& path);

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  Status write(std::span<const std::byte> bytes);
  Status write(std::string_view text) { return write(std::as_bytes(std::span(text))); }
  /// Bytes written so far; also the offset of the next write.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  Status commit();

 private:
  AtomicFile(std::filesystem::path path, std::filesystem::path temporary, int descriptor)
      : path_(std::move(path)), temporary_(std::move(temporary)), descriptor_(descriptor) {}

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int descriptor_;
  std::uint64_t size_ = 0;
};

/// AtomicFile in one call.
Status write_file(const std::filesystem::path& path, std::string_view text);

/// Whole file as text. Errors: as MappedFile::open, kResourceExhausted above `limit_bytes`.
Result<std::string> read_file(const std::filesystem::path& path,
                              std::uint64_t limit_bytes = std::uint64_t{64} << 20U);

}  // namespace tarmac
