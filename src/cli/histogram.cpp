#include "cli/histogram.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "cli/terminal.h"

namespace tarmac::cli {
namespace {

/// Columns of a line beside its bar: the time, the count and the marks.
constexpr std::size_t kOtherColumns = 42;
constexpr std::size_t kFewestBarColumns = 10;
constexpr std::size_t kMostBarColumns = 120;

}  // namespace

std::vector<std::string> histogram_lines(const LogHistogram& histogram, const LatencySummary& summary,
                                         std::size_t columns) {
  const std::size_t bar_columns =
      std::clamp(columns - std::min(columns, kOtherColumns), kFewestBarColumns, kMostBarColumns);
  const std::array<std::pair<const char*, std::int64_t>, 4> percentiles = {{{"p50", summary.p50_ns},
                                                                            {"p90", summary.p90_ns},
                                                                            {"p99", summary.p99_ns},
                                                                            {"p99.9", summary.p999_ns}}};
  const std::int64_t highest =
      std::max<std::int64_t>(1, *std::max_element(histogram.counts.begin(), histogram.counts.end()));
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    const auto count = static_cast<std::size_t>(histogram.counts[i]);
    // A bin that holds anything shows at least one mark.
    const std::size_t filled =
        count == 0 ? 0 : std::max<std::size_t>(1, bar_columns * count / static_cast<std::size_t>(highest));
    const bool last = i + 1 == histogram.counts.size();
    std::string marks;
    for (const auto& [name, time] : percentiles) {
      if (time >= histogram.edges_ns[i] && (last || time < histogram.edges_ns[i + 1]))
        marks += std::string(marks.empty() ? "" : " ") + name;
    }
    std::string line =
        fmt::format("  {:>10} |{:<{}}| {:>9} {}", format_time(static_cast<double>(histogram.edges_ns[i])),
                    std::string(filled, '#'), bar_columns, format_count(histogram.counts[i]), marks);
    line.erase(line.find_last_not_of(' ') + 1);
    lines.push_back(std::move(line));
  }
  return lines;
}

void print(Output& output, const LogHistogram& histogram, const LatencySummary& summary) {
  for (const std::string& line : histogram_lines(histogram, summary, terminal_columns(STDOUT_FILENO)))
    output.line("{}", line);
}

}  // namespace tarmac::cli
