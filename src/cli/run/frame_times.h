// How long frames took, for summaries.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/output.h"

namespace tarmac::cli {

/// {"mean", "p50", "p99"} in milliseconds; null without any.
Json times_json(const std::vector<std::int64_t>& samples_ns);

/// times_json()[key] with its unit; "-" without any.
std::string time_text(const std::vector<std::int64_t>& samples_ns, const char* key);

}  // namespace tarmac::cli
