// How many blocks of memory runs ask for.
#pragma once

#include <cstdint>
#include <optional>

#include "runtime/work.h"

namespace tarmac::cli {

/// Means of one run, over all threads of the process.
struct RunAllocations {
  double ours = 0;     ///< asked for by this program's own code, the library's included
  double engines = 0;  ///< asked for by the libraries that it loads
};

/// Runs the work a few times and counts the calls of operator new meanwhile; calls of malloc() are not seen.
/// For a steady state the work must have run before. Absent in builds with sanitizers, which have an operator
/// new of their own. Errors: the run's.
Result<std::optional<RunAllocations>> count_allocations(Work& work);

}  // namespace tarmac::cli
