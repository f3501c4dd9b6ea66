// Resident memory of this process, as Linux counts it.
#pragma once

#include <cstdint>

#include "tarmac/result.h"

namespace tarmac {

struct MemoryUse {
  std::uint64_t resident_bytes = 0;  ///< now (VmRSS)
  std::uint64_t peak_resident_bytes =
      0;  ///< highest since the start or the latest reset_peak_memory() (VmHWM)
};

/// From /proc/self/status. Errors: kUnavailable where there is none.
Result<MemoryUse> memory_use();

/// Starts a new peak from the present use. False where the system does not permit it: the peak then stays
/// that of the whole process.
bool reset_peak_memory();

}  // namespace tarmac
