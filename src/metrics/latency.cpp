#include "metrics/latency.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace tarmac {
namespace {

/// Up to here 0.5^n is far from underflow; beyond, the normal approximation is exact enough.
constexpr std::size_t kMostExactSamples = 500;

Result<std::vector<std::int64_t>> sorted_times(std::span<const std::int64_t> samples_ns) {
  if (samples_ns.empty()) {
    return make_error(ErrorCode::kInvalidInput, "there are no latency samples; measure at least one run");
  }
  std::vector<std::int64_t> sorted(samples_ns.begin(), samples_ns.end());
  std::sort(sorted.begin(), sorted.end());
  if (sorted.front() < 0) {
    return make_error(ErrorCode::kInvalidInput,
                      "a latency sample is negative (" + std::to_string(sorted.front()) + " ns)");
  }
  return sorted;
}

}  // namespace

std::int64_t percentile(std::span<const std::int64_t> sorted, double percent) {
  assert(!sorted.empty() && percent > 0 && percent <= 100);
  // The tiny step back keeps ranks that are whole numbers, such as 99.9 % of 1000, from rounding up by an
  // error in the last place.
  const double rank = std::ceil(percent / 100 * static_cast<double>(sorted.size()) - 1e-9);
  const auto index = static_cast<std::size_t>(std::max(rank, 1.0)) - 1;
  return sorted[std::min(index, sorted.size() - 1)];
}

Result<LatencySummary> summarize_latency(std::span<const std::int64_t> samples_ns) {
  TARMAC_TRY(const auto sorted, sorted_times(samples_ns));
  LatencySummary summary;
  summary.samples = static_cast<std::int64_t>(sorted.size());
  summary.min_ns = sorted.front();
  summary.max_ns = sorted.back();
  double sum = 0;
  for (const std::int64_t sample : sorted) sum += static_cast<double>(sample);
  summary.mean_ns = sum / static_cast<double>(sorted.size());
  double squares = 0;
  for (const std::int64_t sample : sorted) {
    const double distance = static_cast<double>(sample) - summary.mean_ns;
    squares += distance * distance;
  }
  if (sorted.size() > 1) summary.stddev_ns = std::sqrt(squares / static_cast<double>(sorted.size() - 1));
  summary.p50_ns = percentile(sorted, 50);
  summary.p90_ns = percentile(sorted, 90);
  summary.p99_ns = percentile(sorted, 99);
  summary.p999_ns = percentile(sorted, 99.9);
  return summary;
}

Result<LatencyHistogram> make_histogram(std::span<const std::int64_t> samples_ns, int bins) {
  if (bins < 1) {
    return make_error(ErrorCode::kInvalidInput,
                      "a histogram needs at least one bin, found " + std::to_string(bins));
  }
  TARMAC_TRY(const auto sorted, sorted_times(samples_ns));
  LatencyHistogram histogram;
  histogram.first_ns = sorted.front();
  histogram.bin_ns = (percentile(sorted, 99) - sorted.front()) / bins + 1;
  histogram.counts.assign(static_cast<std::size_t>(bins), 0);
  for (const std::int64_t sample : sorted) {
    const std::int64_t bin =
        std::min<std::int64_t>((sample - histogram.first_ns) / histogram.bin_ns, bins - 1);
    ++histogram.counts[static_cast<std::size_t>(bin)];
  }
  return histogram;
}

std::optional<MedianInterval> median_interval(std::span<const std::int64_t> sorted) {
  assert(std::is_sorted(sorted.begin(), sorted.end()));
  const std::size_t n = sorted.size();
  std::size_t rank = 0;  // from 1: the largest with P(Binomial(n, 1/2) < rank) <= 2.5 %
  if (n <= kMostExactSamples) {
    double probability = std::pow(0.5, static_cast<double>(n));
    double below = 0;
    while (below + probability <= 0.025) {
      below += probability;
      ++rank;
      probability *= static_cast<double>(n - rank + 1) / static_cast<double>(rank);
    }
  } else {
    const auto count = static_cast<double>(n);
    rank = static_cast<std::size_t>(std::floor(count / 2 - 1.96 * std::sqrt(count) / 2));
  }
  if (rank == 0) return std::nullopt;
  return MedianInterval{sorted[rank - 1], sorted[n - rank]};
}

Result<LogHistogram> make_log_histogram(std::span<const std::int64_t> samples_ns, int bins) {
  if (bins < 1) {
    return make_error(ErrorCode::kInvalidInput,
                      "a histogram needs at least one bin, found " + std::to_string(bins));
  }
  TARMAC_TRY(const auto sorted, sorted_times(samples_ns));
  // A time of 0 has no logarithm.
  const auto first = static_cast<double>(std::max<std::int64_t>(1, sorted.front()));
  const auto ratio = static_cast<double>(std::max<std::int64_t>(1, sorted.back())) / first;
  LogHistogram histogram;
  histogram.edges_ns.push_back(sorted.front());
  for (int i = 1; i <= bins; ++i) {
    const auto edge = i == bins ? sorted.back() : std::llround(first * std::pow(ratio, double(i) / bins));
    if (edge > histogram.edges_ns.back()) histogram.edges_ns.push_back(edge);
  }
  if (histogram.edges_ns.size() == 1) histogram.edges_ns.push_back(sorted.back());
  auto from = sorted.begin();
  for (std::size_t i = 1; i < histogram.edges_ns.size(); ++i) {
    const bool last = i + 1 == histogram.edges_ns.size();
    const auto to = last ? sorted.end() : std::lower_bound(from, sorted.end(), histogram.edges_ns[i]);
    histogram.counts.push_back(to - from);
    from = to;
  }
  return histogram;
}

}  // namespace tarmac
