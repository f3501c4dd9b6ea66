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

}  // namespace
}  // namespace tarmac
