#include "targets/common/cores.h"

#include <sched.h>

#include <algorithm>
#include <thread>

namespace tarmac {

int available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

Result<int> resolve_cores(int requested, std::vector<std::string>& notes) {
  if (requested < 0) {
    return make_error(ErrorCode::kUsage,
                      "cores is " + std::to_string(requested) + "; give 1 or more, or 0 for all");
  }
  const int available = available_cores();
  if (requested > available) {
    notes.push_back("asked for " + std::to_string(requested) + " cores, this process may use " +
                    std::to_string(available));
  }
  return requested == 0 ? available : std::min(requested, available);
}

Status check_streams(int streams) {
  if (streams >= 1) return {};
  return make_error(ErrorCode::kUsage, "streams is " + std::to_string(streams) + "; give 1 or more");
}

}  // namespace tarmac
