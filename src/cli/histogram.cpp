#include "cli/histogram.h"

#include <algorithm>

namespace tarmac::cli {

void print(Output& output, const LatencyHistogram& histogram) {
  constexpr std::int64_t kBarColumns = 40;
  const std::int64_t highest = *std::max_element(histogram.counts.begin(), histogram.counts.end());
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    const std::int64_t count = histogram.counts[i];
    // A bin that holds anything shows at least one mark.
    const std::int64_t columns = count == 0 ? 0 : std::max<std::int64_t>(1, kBarColumns * count / highest);
    const auto from =
        static_cast<double>(histogram.first_ns + static_cast<std::int64_t>(i) * histogram.bin_ns);
    output.line("  {:>10} |{:<40}| {}", format_time(from),
                std::string(static_cast<std::size_t>(columns), '#'), count);
  }
}

}  // namespace tarmac::cli
