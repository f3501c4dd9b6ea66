// This program, run once more as a process of its own.
#pragma once

#include <string>
#include <vector>

#include "tarmac/result.h"

namespace tarmac::cli {

struct ChildOutput {
  int exit_status = 0;  ///< 128 + signal when a signal ended it
  std::string text;     ///< what it wrote on standard output
};

/// Runs `tarmac arguments…` and waits for it; its stderr is this process's. Errors: kInternal when it cannot
/// be started.
Result<ChildOutput> run_self(const std::vector<std::string>& arguments);

}  // namespace tarmac::cli
