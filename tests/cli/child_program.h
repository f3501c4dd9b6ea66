// The real program as a child process.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/temporary_folder.h"

namespace tarmac::test {

struct ProgramResult {
  int exit_status = -1;  ///< 128 + signal when a signal ended it
  std::string out;
  std::string err;

  /// The one JSON object on standard output; a failure of the test when there is something else.
  [[nodiscard]] nlohmann::json json() const;
};

struct ProgramOptions {
  std::string stdout_file;           ///< where standard output goes instead of `out`
  int interrupt_after_ms = 0;        ///< SIGINT after this time; 0: never
  int interrupts = 1;                ///< how many, 50 ms apart
  std::uint64_t max_file_bytes = 0;  ///< the largest file that it may write; 0: any
  std::string cache_home;            ///< XDG_CACHE_HOME; empty: an empty folder, so that plans are made anew
};

/// Runs `tarmac arguments…` to its end.
ProgramResult run_tarmac(const std::vector<std::string>& arguments, const ProgramOptions& options = {});
/// Runs another program, found in PATH; exit status 127 when it is not installed.
ProgramResult run_program(const std::string& program, const std::vector<std::string>& arguments,
                          const ProgramOptions& options = {});

/// The path of the program under test.
std::string tarmac_path();

}  // namespace tarmac::test
