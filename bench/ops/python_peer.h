// A peer that runs in Python (torch): a process of its own that waits while the others run.
#pragma once

#include <optional>

#include "ops/case.h"

namespace tarmac::bench {

/// Starts `$TARMAC_BENCH_PYTHON bench/ops/torch_peer.py CASE`, which answers each line with the nanoseconds
/// of one run. Nothing where the variable is not set (./dev bench ops sets it). Throws std::runtime_error
/// where the peer fails.
std::optional<Side> torch_peer(const std::string& case_name);

}  // namespace tarmac::bench
