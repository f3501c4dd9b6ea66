// Summary of measured times.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "tarmac/result.h"

namespace tarmac {

/// Times in nanoseconds. A percentile p is the nearest-rank one: the smallest sample that at least p % of the
/// samples do not exceed, so it is always a time that was measured.
struct LatencySummary {
  std::int64_t samples = 0;
  std::int64_t min_ns = 0;
  std::int64_t max_ns = 0;
  double mean_ns = 0;
  double stddev_ns = 0;  ///< sqrt(Σ (x - mean)² / (samples - 1)); 0 for one sample
  std::int64_t p50_ns = 0;
  std::int64_t p90_ns = 0;
  std::int64_t p99_ns = 0;
  std::int64_t p999_ns = 0;
};

/// Errors: kInvalidInput when there are no samples or a time is negative.
Result<LatencySummary> summarize_latency(std::span<const std::int64_t> samples_ns);

/// The nearest-rank percentile, `percent` in (0, 100], of sorted samples; asserts both.
std::int64_t percentile(std::span<const std::int64_t> sorted, double percent);

/// Counts of samples in bins of equal width: bin i covers [first_ns + i·bin_ns, first_ns + (i+1)·bin_ns), the
/// last bin also what lies beyond it.
struct LatencyHistogram {
  std::int64_t first_ns = 0;
  std::int64_t bin_ns = 1;
  std::vector<std::int64_t> counts;
};

/// Bins from the fastest sample to p99, whatever outliers there are; the slowest percent shares the last bin.
/// Errors: as summarize_latency(), kInvalidInput for no bins.
Result<LatencyHistogram> make_histogram(std::span<const std::int64_t> samples_ns, int bins);

/// Where the true median lies with 95 % confidence or a little more, if the samples do not depend on each
/// other: times of one process do, so over minutes it may still move out. Both are measured times.
struct MedianInterval {
  std::int64_t low_ns = 0;
  std::int64_t high_ns = 0;
};

/// By order statistics: the narrowest pair of ranks l and n + 1 - l between which, by the binomial
/// distribution with p = 1/2, the median lies in at least 95 % of all cases (Conover, Practical Nonparametric
/// Statistics, 3.2). Absent for fewer than 6 samples. Asserts that they are sorted.
std::optional<MedianInterval> median_interval(std::span<const std::int64_t> sorted);

/// Counts of samples in bins whose edges grow by one ratio: bin i covers [edges_ns[i], edges_ns[i + 1]), the
/// last one its upper edge as well. Every sample is in a bin.
struct LogHistogram {
  std::vector<std::int64_t> edges_ns;
  std::vector<std::int64_t> counts;
};

/// From the fastest to the slowest sample; fewer bins than asked for where edges would fall together. Errors:
/// as summarize_latency(), kInvalidInput for no bins.
Result<LogHistogram> make_log_histogram(std::span<const std::int64_t> samples_ns, int bins);

}  // namespace tarmac
