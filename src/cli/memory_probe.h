// Peak memory of a plan on its own: a child process that loads it, runs it and reports.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/progress.h"
#include "tarmac/result.h"

namespace tarmac::cli {

/// Runs this program's own `bench PLAN --json` and takes the peak resident bytes from its answer. Errors:
/// kInternal when the child fails or answers otherwise; kCancelled.
Result<std::uint64_t> measure_plan_memory(const std::filesystem::path& plan, const Progress& progress);

}  // namespace tarmac::cli
