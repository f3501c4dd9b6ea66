#include "runtime/memory.h"

#include <fstream>
#include <string>

namespace tarmac {

Result<MemoryUse> memory_use() {
  MemoryUse use;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    std::uint64_t* target = line.starts_with("VmRSS:")   ? &use.resident_bytes
                            : line.starts_with("VmHWM:") ? &use.peak_resident_bytes
                                                         : nullptr;
    if (target == nullptr) continue;
    for (const char c : line) {  // "VmHWM:     123456 kB"
      if (c >= '0' && c <= '9') *target = *target * 10 + static_cast<std::uint64_t>(c - '0');
    }
    *target *= 1024;
  }
  if (use.resident_bytes == 0 || use.peak_resident_bytes == 0) {
    return make_error(ErrorCode::kUnavailable, "/proc/self/status does not tell this process's memory");
  }
  return use;
}

bool reset_peak_memory() {
  std::ofstream file("/proc/self/clear_refs");
  file << '5' << std::flush;  // 5: set VmHWM to VmRSS (proc(5))
  return file.good();
}

}  // namespace tarmac
