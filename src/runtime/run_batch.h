// Items that are run together along their first axis.
#pragma once

#include <span>
#include <vector>

#include "runtime/session_context.h"

namespace tarmac {

/// As Session::run_batch().
Result<std::vector<NamedTensors>> run_batch(SessionContext& context, std::span<const NamedTensors> items,
                                            std::int64_t batch);

}  // namespace tarmac
