#include "base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>

namespace tarmac {
namespace {

Error system_error(const std::filesystem::path& path, const std::string& what, int number) {
  const auto code = number == ENOENT || number == ENOTDIR ? ErrorCode::kNotFound : ErrorCode::kIo;
  std::string remedy;
  if (number == ENOENT) remedy = "; check the path";
  if (number == EACCES || number == EPERM) remedy = "; check the permissions";
  if (number == ENOSPC) remedy = "; free some space and run again (nothing was changed)";
  return make_error(code, what + ": " + std::strerror(number) + remedy, {}, path.string());
}

/// Closes on every way out.
struct Descriptor {
  int value;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

/// Where files are mapped at present: giving back pages of anything else would lose their contents.
struct Mappings {
  std::mutex mutex;
  std::map<const std::byte*, std::size_t> size_by_start;
};
Mappings& mappings() {
  static Mappings all;
  return all;
}

}  // namespace

Result<std::shared_ptr<const MappedFile>> MappedFile::open(const std::filesystem::path& path) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.value < 0) return system_error(path, "cannot open", errno);
  struct stat status {};
  if (::fstat(file.value, &status) != 0) return system_error(path, "cannot read its size", errno);
  if (!S_ISREG(status.st_mode)) {
    return make_error(ErrorCode::kInvalidInput,
                      std::string("expected a regular file, found a ") +
                          (S_ISDIR(status.st_mode) ? "folder" : "special file"),
                      {}, path.string());
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  const std::byte* data = nullptr;
  if (size > 0) {
    void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.value, 0);
    if (mapped == MAP_FAILED) return system_error(path, "cannot map into memory", errno);
    data = static_cast<const std::byte*>(mapped);
    const std::lock_guard lock(mappings().mutex);
    mappings().size_by_start.emplace(data, size);
  }
  return std::shared_ptr<const MappedFile>(new MappedFile(path, data, size));
}

MappedFile::~MappedFile() {
  if (data_ == nullptr) return;
  {
    const std::lock_guard lock(mappings().mutex);
    mappings().size_by_start.erase(data_);
  }
  ::munmap(const_cast<std::byte*>(data_), size_);
}

void release_pages(std::span<const std::byte> bytes) {
  const std::lock_guard lock(mappings().mutex);
  const auto& all = mappings().size_by_start;
  auto mapping = all.upper_bound(bytes.data());
  if (mapping == all.begin()) return;
  --mapping;
  const std::byte* const end = mapping->first + mapping->second;
  if (bytes.data() >= end || bytes.size() > static_cast<std::size_t>(end - bytes.data())) return;
  // Whole pages, those at the borders included: the file has their contents as well.
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto from = reinterpret_cast<std::uintptr_t>(bytes.data()) / page * page;
  const auto to = reinterpret_cast<std::uintptr_t>(bytes.data() + bytes.size());
  ::madvise(reinterpret_cast<void*>(from), to - from, MADV_DONTNEED);
}

namespace {

/// Whether `name` still stands for the open file.
bool names_file(const std::filesystem::path& name, int descriptor) {
  struct stat named {};
  struct stat opened {};
  return ::lstat(name.c_str(), &named) == 0 && ::fstat(descriptor, &opened) == 0 && S_ISREG(opened.st_mode) &&
         named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

/// Removes the file of a dead writer: its lock is free. Whoever unlinks holds the lock, so the name cannot
/// come to stand for another file in between.
void remove_abandoned(const std::filesystem::path& name) {
  const Descriptor file{::open(name.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  if (file.value < 0 || ::flock(file.value, LOCK_EX | LOCK_NB) != 0) return;
  if (names_file(name, file.value)) ::unlink(name.c_str());
}

/// A new file, locked for as long as it stays open; -1 with errno. Without locks in the file system nobody
/// else gets one either, and so nobody removes it.
int create_locked(const std::filesystem::path& name) {
  const int file = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file < 0) return -1;
  while (::flock(file, LOCK_EX) != 0 && errno == EINTR) {
  }
  if (names_file(name, file)) return file;
  ::close(file);  // it was taken for abandoned before the lock was there
  errno = EEXIST;
  return -1;
}

}  // namespace

Result<AtomicFile> AtomicFile::create(const std::filesystem::path& path) {
  // Names are few, so that those of killed writers are met again. More than these writers at once are rare.
  constexpr int kSearched = 8;
  constexpr int kMostWriters = 1000;
  std::filesystem::path temporary;
  int descriptor = -1;
  for (int number = 0; number < kSearched || (descriptor < 0 && number < kMostWriters); ++number) {
    auto name = path;
    name += ".tarmac-tmp." + std::to_string(number);
    remove_abandoned(name);
    if (descriptor >= 0) continue;
    descriptor = create_locked(name);
    if (descriptor < 0 && errno != EEXIST) return system_error(path, "cannot create", errno);
    temporary = std::move(name);
  }
  if (descriptor < 0) return system_error(path, "cannot create", EEXIST);
  return AtomicFile(path, std::move(temporary), descriptor);
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_) {}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::unlink(temporary_.c_str());  // before the lock is gone with the descriptor
  ::close(descriptor_);
}

Status AtomicFile::write(std::span<const std::byte> bytes) {
  constexpr std::size_t kMaxWriteBytes = std::size_t{1} << 30U;  // Linux writes at most 2 GiB a call
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), std::min(bytes.size(), kMaxWriteBytes));
    if (written < 0) {
      if (errno == EINTR) continue;
      return system_error(path_, "cannot write", errno);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    size_ += static_cast<std::uint64_t>(written);
  }
  return {};
}

Status AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) return system_error(path_, "cannot sync", errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0)
    return system_error(path_, "cannot rename into place", errno);
  ::close(std::exchange(descriptor_, -1));
  // The rename itself is durable only once the folder is synced; a file system that cannot is not an error.
  const auto folder = path_.has_parent_path() ? path_.parent_path() : std::filesystem::path(".");
  const Descriptor directory{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (directory.value >= 0) ::fsync(directory.value);
  return {};
}

Status write_file(const std::filesystem::path& path, std::string_view text) {
  TARMAC_TRY(auto file, AtomicFile::create(path));
  TARMAC_CHECK_OK(file.write(text));
  return file.commit();
}

Result<std::string> read_file(const std::filesystem::path& path, std::uint64_t limit_bytes) {
  TARMAC_TRY(const auto file, MappedFile::open(path));
  const auto bytes = file->bytes();
  if (bytes.size() > limit_bytes) {
    return make_error(ErrorCode::kResourceExhausted,
                      "the file has " + std::to_string(bytes.size()) + " bytes, at most " +
                          std::to_string(limit_bytes) + " are read for this kind of file",
                      {}, path.string());
  }
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace tarmac
