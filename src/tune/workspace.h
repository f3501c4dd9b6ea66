// Memory that one context of a compiled model takes.
#pragma once

#include <cstdint>
#include <functional>

#include "tarmac/result.h"

namespace tarmac {

/// By how much this process's resident memory grows at most while `work` runs (its peak less what was there
/// before; freed heap memory is given back first). 0 where it does not grow. Errors: those of `work`,
/// kUnavailable where the system does not tell.
Result<std::uint64_t> memory_growth(const std::function<Status()>& work);

}  // namespace tarmac
