// A latency histogram for terminals.
#pragma once

#include "cli/output.h"
#include "metrics/latency.h"

namespace tarmac::cli {

/// One line a bin: where it begins, a bar, the count.
void print(Output& output, const LatencyHistogram& histogram);

}  // namespace tarmac::cli
