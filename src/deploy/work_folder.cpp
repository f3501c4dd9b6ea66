#include "deploy/work_folder.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

namespace tarmac {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = "tarmac-work-";
constexpr const char* kLock = "lock";

int open_lock(const fs::path& folder, int flags) {
  return ::open((folder / kLock).c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600);  // NOLINT(*-vararg)
}

/// Whether nobody holds its lock. One without a lock is just being made, unless it is old.
bool abandoned(const fs::path& folder) {
  struct stat status {};
  if (::lstat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != ::getuid())
    return false;
  const int lock = open_lock(folder, O_RDWR);
  if (lock < 0) return std::time(nullptr) - status.st_mtime > 3600;
  const bool free = ::flock(lock, LOCK_EX | LOCK_NB) == 0;
  ::close(lock);
  return free;
}

void remove_abandoned(const fs::path& parent) {
  std::error_code failure;
  for (auto at = fs::directory_iterator(parent, failure); !failure && at != fs::directory_iterator();
       at.increment(failure)) {
    if (!at->path().filename().string().starts_with(kPrefix) || !abandoned(at->path())) continue;
    std::error_code ignored;
    fs::remove_all(at->path(), ignored);
  }
}

Error failed(const fs::path& folder) {
  return make_error(ErrorCode::kIo,
                    std::string("cannot make a folder to work in: ") + std::strerror(errno) +
                        "; check the permissions and the space",
                    {}, folder.string());
}

}  // namespace

Result<WorkFolder> WorkFolder::create(const fs::path& parent) {
  remove_abandoned(parent);
  std::string name = (parent / (std::string(kPrefix) + "XXXXXX")).string();
  if (::mkdtemp(name.data()) == nullptr) return failed(parent);
  const int lock = open_lock(name, O_RDWR | O_CREAT);
  if (lock < 0 || ::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    const Error error = failed(name);
    if (lock >= 0) ::close(lock);
    std::error_code ignored;
    fs::remove_all(name, ignored);
    return error;
  }
  return WorkFolder(name, lock);
}

WorkFolder::WorkFolder(WorkFolder&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

WorkFolder::~WorkFolder() {
  if (lock_ < 0) return;
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  ::close(lock_);
}

}  // namespace tarmac
