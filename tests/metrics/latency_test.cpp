#include "metrics/latency.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace tarmac {
namespace {

using Times = std::vector<std::int64_t>;

TEST(Latency, PercentilesAreMeasuredTimes) {
  Times times(1000);
  std::iota(times.rbegin(), times.rend(), 1);  // 1000 … 1: order must not matter
  const auto summary = summarize_latency(times);
  ASSERT_TRUE(summary.ok());
  EXPECT_EQ(summary->samples, 1000);
  EXPECT_EQ(summary->min_ns, 1);
  EXPECT_EQ(summary->max_ns, 1000);
  EXPECT_EQ(summary->p50_ns, 500);
  EXPECT_EQ(summary->p90_ns, 900);
  EXPECT_EQ(summary->p99_ns, 990);
  EXPECT_EQ(summary->p999_ns, 999);
  EXPECT_DOUBLE_EQ(summary->mean_ns, 500.5);
  EXPECT_NEAR(summary->stddev_ns, std::sqrt(1000.0 * 1001 / 12), 1e-9);
}

TEST(Latency, OneSampleIsEveryPercentile) {
  const auto summary = summarize_latency(Times{42});
  EXPECT_EQ(summary->p50_ns, 42);
  EXPECT_EQ(summary->p999_ns, 42);
  EXPECT_EQ(summary->stddev_ns, 0);
}

TEST(Latency, AHighPercentileOfFewSamplesIsTheMaximum) {
  const auto summary = summarize_latency(Times{3, 1, 2});
  EXPECT_EQ(summary->p50_ns, 2);
  EXPECT_EQ(summary->p90_ns, 3);
  EXPECT_EQ(summary->p99_ns, 3);
}

TEST(Latency, NoSamplesAndNegativeTimesAreErrors) {
  EXPECT_EQ(summarize_latency({}).error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(summarize_latency(Times{1, -1}).error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(make_histogram(Times{1}, 0).error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(make_histogram({}, 10).error().code, ErrorCode::kInvalidInput);
}

TEST(Histogram, CountsEverySampleOnce) {
  Times times(1000);
  std::iota(times.begin(), times.end(), 100);
  const auto histogram = make_histogram(times, 10);
  ASSERT_TRUE(histogram.ok());
  EXPECT_EQ(histogram->first_ns, 100);
  EXPECT_EQ(std::accumulate(histogram->counts.begin(), histogram->counts.end(), std::int64_t{0}), 1000);
  EXPECT_EQ(histogram->counts[0], histogram->bin_ns);
}

TEST(Histogram, AnOutlierDoesNotFlattenTheRest) {
  Times times(999, 1000);
  for (std::size_t i = 0; i < times.size(); ++i) times[i] += static_cast<std::int64_t>(i % 100);
  times.push_back(1000000000);
  const auto histogram = make_histogram(times, 20);
  EXPECT_LT(histogram->bin_ns, 10);
  EXPECT_GT(std::count_if(histogram->counts.begin(), histogram->counts.end(), [](auto n) { return n > 0; }),
            10);
  EXPECT_GE(histogram->counts.back(), 1);
}

TEST(Histogram, EqualSamplesFillOneBin) {
  const auto histogram = make_histogram(Times{5, 5, 5}, 4);
  EXPECT_EQ(histogram->counts, (Times{3, 0, 0, 0}));
}

TEST(MedianInterval, HasTheRanksOfTheBinomialTables) {
  const auto ranks = [](std::int64_t n) {
    Times times(static_cast<std::size_t>(n));
    std::iota(times.begin(), times.end(), 1);
    const auto interval = median_interval(times);
    return interval ? std::pair(interval->low_ns, interval->high_ns)
                    : std::pair<std::int64_t, std::int64_t>();
  };
  EXPECT_EQ(ranks(5), std::pair(0L, 0L)) << "2 * 0.5^5 is more than 5 %";
  EXPECT_EQ(ranks(6), std::pair(1L, 6L));
  EXPECT_EQ(ranks(10), std::pair(2L, 9L));
  EXPECT_EQ(ranks(20), std::pair(6L, 15L));
  EXPECT_EQ(ranks(100), std::pair(40L, 61L));
  // The exact ranks and the approximation meet.
  EXPECT_EQ(ranks(500), std::pair(228L, 273L));
  EXPECT_EQ(ranks(501), std::pair(228L, 274L));
}

TEST(LogHistogram, CountsEverySampleOnceInGrowingBins) {
  Times times(1000);
  std::iota(times.begin(), times.end(), 1000);
  times.push_back(1'000'000);
  const auto histogram = make_log_histogram(times, 12);
  ASSERT_TRUE(histogram.ok());
  ASSERT_EQ(histogram->edges_ns.size(), histogram->counts.size() + 1);
  EXPECT_EQ(histogram->edges_ns.front(), 1000);
  EXPECT_EQ(histogram->edges_ns.back(), 1'000'000);
  EXPECT_EQ(std::accumulate(histogram->counts.begin(), histogram->counts.end(), std::int64_t{0}), 1001);
  EXPECT_NEAR(static_cast<double>(histogram->edges_ns[1]) / 1000, std::pow(1000, 1.0 / 12), 1e-3);
  EXPECT_EQ(histogram->counts.back(), 1);
  EXPECT_EQ(histogram->counts.front(), histogram->edges_ns[1] - 1000);
}

TEST(LogHistogram, StandsEqualAndZeroTimes) {
  const auto equal = make_log_histogram(Times{5, 5, 5}, 4);
  EXPECT_EQ(equal->counts, Times{3});
  const auto zeros = make_log_histogram(Times{0, 0, 7}, 2);
  EXPECT_EQ(std::accumulate(zeros->counts.begin(), zeros->counts.end(), std::int64_t{0}), 3);
  EXPECT_EQ(make_log_histogram(Times{1}, 0).error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(make_log_histogram({}, 3).error().code, ErrorCode::kInvalidInput);
}

}  // namespace
}  // namespace tarmac
