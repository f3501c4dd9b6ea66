#include "cli/bench/timing.h"

#include <algorithm>
#include <cmath>

namespace tarmac::cli {
namespace {

constexpr int kBins = 16;
constexpr std::size_t kFewestForDrift = 20;
constexpr double kMuchDrift = 0.05;
constexpr double kWideInterval = 0.05;

double median(std::span<const std::int64_t> times_ns) {
  std::vector<std::int64_t> copy(times_ns.begin(), times_ns.end());
  const auto middle = copy.begin() + static_cast<std::ptrdiff_t>(copy.size() / 2);
  std::nth_element(copy.begin(), middle, copy.end());
  return static_cast<double>(*middle);
}

/// The farther end of the interval from the median, as a share of it.
std::optional<double> uncertainty(const Timing& timing) {
  const std::int64_t p50 = timing.summary.p50_ns;
  if (!timing.median || p50 == 0) return std::nullopt;
  const std::int64_t farthest = std::max(timing.median->high_ns - p50, p50 - timing.median->low_ns);
  return static_cast<double>(farthest) / static_cast<double>(p50);
}

}  // namespace

Result<Timing> timing_of(std::span<const std::int64_t> times_ns) {
  Timing timing;
  TARMAC_TRY(timing.summary, summarize_latency(times_ns));
  TARMAC_TRY(timing.histogram, make_log_histogram(times_ns, kBins));
  std::vector<std::int64_t> sorted(times_ns.begin(), times_ns.end());
  std::sort(sorted.begin(), sorted.end());
  timing.median = median_interval(sorted);
  if (times_ns.size() >= kFewestForDrift) {
    const std::size_t half = times_ns.size() / 2;
    const double earlier = median(times_ns.first(half));
    if (earlier > 0) timing.drift = median(times_ns.subspan(half)) / earlier - 1;
  }
  return timing;
}

std::vector<Table::Column> timing_columns() {
  std::vector<Table::Column> columns;
  for (const char* title : {"mean", "p50", "±", "p90", "p99", "p99.9", "min", "max", "stddev"})
    columns.push_back({title, Table::Align::kRight});
  return columns;
}

std::vector<std::string> timing_cells(const Timing& timing) {
  const LatencySummary& summary = timing.summary;
  const auto share = uncertainty(timing);
  return {time_text(summary.mean_ns),
          time_text(summary.p50_ns),
          share ? fmt::format("{:.1f} %", 100 * *share) : "?",
          time_text(summary.p90_ns),
          time_text(summary.p99_ns),
          time_text(summary.p999_ns),
          time_text(summary.min_ns),
          time_text(summary.max_ns),
          time_text(summary.stddev_ns)};
}

Json to_json(const std::optional<Timing>& timing) {
  if (!timing) return nullptr;
  const LatencySummary& summary = timing->summary;
  return {{"samples", summary.samples},
          {"min", summary.min_ns},
          {"mean", summary.mean_ns},
          {"stddev", summary.stddev_ns},
          {"p50", summary.p50_ns},
          {"p50_low", timing->median ? Json(timing->median->low_ns) : Json()},
          {"p50_high", timing->median ? Json(timing->median->high_ns) : Json()},
          {"p90", summary.p90_ns},
          {"p99", summary.p99_ns},
          {"p99.9", summary.p999_ns},
          {"max", summary.max_ns},
          {"drift", timing->drift}};
}

Json to_json(const LogHistogram& histogram) {
  return {{"edges_ns", histogram.edges_ns}, {"counts", histogram.counts}};
}

std::string doubt(const Timing& timing, const std::string& what) {
  if (std::abs(timing.drift) > kMuchDrift) {
    return fmt::format(
        "{}: the later half of the runs took {:.0f} % {} than the earlier; measure longer, or on "
        "a quiet machine",
        what, 100 * std::abs(timing.drift), timing.drift > 0 ? "longer" : "less");
  }
  const auto share = uncertainty(timing);
  if (!share)
    return what + ": too few runs to say how sure the median is; give more --iterations or --duration";
  if (*share > kWideInterval) {
    return fmt::format("{}: the median is known to ±{:.0f} % only; measure longer", what, 100 * *share);
  }
  return {};
}

std::string brief(const Timing& timing) {
  const auto ms = [](auto ns) { return static_cast<double>(ns) / 1e6; };
  const LatencySummary& summary = timing.summary;
  return fmt::format("mean_ms={:.4f} p50_ms={:.4f} p90_ms={:.4f} p99_ms={:.4f} p99.9_ms={:.4f}",
                     ms(summary.mean_ns), ms(summary.p50_ns), ms(summary.p90_ns), ms(summary.p99_ns),
                     ms(summary.p999_ns));
}

}  // namespace tarmac::cli
