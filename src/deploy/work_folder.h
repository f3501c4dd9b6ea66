// A folder for what is needed while a plan is made; gone when the process that made it is.
#pragma once

#include <filesystem>

#include "tarmac/result.h"

namespace tarmac {

class WorkFolder {
 public:
  /// Makes tarmac-work-XXXXXX in `parent`, and removes those there whose processes have ended without doing
  /// so. Errors: kIo.
  static Result<WorkFolder> create(const std::filesystem::path& parent);

  WorkFolder(WorkFolder&& other) noexcept;
  WorkFolder& operator=(WorkFolder&&) = delete;
  ~WorkFolder();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  WorkFolder(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}

  std::filesystem::path path_;
  int lock_;  // held while the owner lives; -1: moved from
};

}  // namespace tarmac
