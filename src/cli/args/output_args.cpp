#include "cli/args/output_args.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace tarmac::cli {
namespace {

namespace fs = std::filesystem;

Status check_writable(const fs::path& folder) {
  if (::access(folder.c_str(), W_OK | X_OK) == 0) return {};
  return make_error(ErrorCode::kIo,
                    std::string("cannot write into this folder: ") + std::strerror(errno) +
                        "; check the permissions or choose another one",
                    {}, folder.string());
}

}  // namespace

Status check_output_file(const fs::path& path) {
  if (path.empty()) return make_error(ErrorCode::kUsage, "the output's name is empty; give a file name");
  std::error_code ignored;
  const fs::file_status status = fs::status(path, ignored);
  if (fs::is_directory(status)) {
    return make_error(ErrorCode::kInvalidInput,
                      "expected a file name for the output, found a folder; add a file name", {},
                      path.string());
  }
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    return make_error(ErrorCode::kInvalidInput,
                      "expected a file for the output, found a special file; choose another name", {},
                      path.string());
  }
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (!fs::is_directory(folder, ignored)) {
    return make_error(ErrorCode::kNotFound, "the output's folder does not exist; make it first", {},
                      folder.string());
  }
  return check_writable(folder);
}

Status make_output_folder(const fs::path& path) {
  std::error_code problem;
  fs::create_directories(path, problem);
  if (problem || !fs::is_directory(path)) {
    return make_error(ErrorCode::kIo,
                      "cannot make the output folder: " +
                          (problem ? problem.message() : std::string("a file of this name exists")) +
                          "; choose another one",
                      {}, path.string());
  }
  return check_writable(path);
}

}  // namespace tarmac::cli
