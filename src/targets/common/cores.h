// The core budget of a compiled model.
#pragma once

#include <string>
#include <vector>

#include "tarmac/result.h"

namespace tarmac {

/// CPUs that this process may run on (its scheduling affinity); at least 1.
int available_cores();

/// Threads for a model asked to use `requested` cores (0: all). A request above what there is gives what
/// there is and a note. Errors: kUsage for a negative number.
Result<int> resolve_cores(int requested, std::vector<std::string>& notes);

/// kUsage below 1.
Status check_streams(int streams);

}  // namespace tarmac
