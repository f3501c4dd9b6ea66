// A latency histogram for terminals.
#pragma once

#include "cli/output.h"
#include "metrics/latency.h"

namespace tarmac::cli {

/// One line a bin, as wide as the terminal: where it begins, a bar, the count, and which percentiles of the
/// summary lie in it.
void print(Output& output, const LogHistogram& histogram, const LatencySummary& summary);

/// The lines at a width. Exposed for its test.
std::vector<std::string> histogram_lines(const LogHistogram& histogram, const LatencySummary& summary,
                                         std::size_t columns);

}  // namespace tarmac::cli
