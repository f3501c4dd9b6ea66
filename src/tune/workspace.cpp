#include "tune/workspace.h"

#include <malloc.h>

#include "runtime/memory.h"

namespace tarmac {

Result<std::uint64_t> memory_growth(const std::function<Status()>& work) {
  ::malloc_trim(0);  // else what earlier models left in the heap hides what this one takes
  const bool has_peak = reset_peak_memory();
  TARMAC_TRY(const MemoryUse before, memory_use());
  TARMAC_CHECK_OK(work());
  TARMAC_TRY(const MemoryUse after, memory_use());
  const std::uint64_t highest = has_peak ? after.peak_resident_bytes : after.resident_bytes;
  return highest > before.resident_bytes ? highest - before.resident_bytes : 0;
}

}  // namespace tarmac
