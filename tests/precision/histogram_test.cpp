// Histograms that grow and merge without loss, and the ranges that are cut from them.
#include "precision/histogram.h"

#include <cmath>
#include <random>

#include "precision/clipping.h"
#include "precision/extremes.h"
#include "support/expect.h"

namespace tarmac::test {
namespace {

std::vector<float> normal(std::size_t count, float deviation, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> draw(0, deviation);
  std::vector<float> values(count);
  for (float& value : values) value = draw(generator);
  return values;
}

Histogram of(const std::vector<float>& values) {
  Histogram histogram;
  histogram.add(values);
  return histogram;
}

TEST(Histogram, CountsEachValueInItsBin) {
  const Histogram h = of({0, 1, -1, 1.5F, 4095.9F, -4095, 2});
  EXPECT_EQ(h.exponent(), 0);
  EXPECT_EQ(h.count(), 7U);
  EXPECT_EQ(h.bin(0), 1U);
  EXPECT_EQ(h.bin(1), 2U);
  EXPECT_EQ(h.bin(2), 1U);
  EXPECT_EQ(h.bin(-1), 1U);
  EXPECT_EQ(h.bin(4095), 1U);
  EXPECT_EQ(h.bin(-4095), 1U);
  EXPECT_EQ(h.min(), -4095);
  EXPECT_EQ(h.max(), 4095.9F);
}

TEST(Histogram, HoldsEveryMagnitudeThatAFloatHas) {
  const Histogram h = of({1e-44F, -1e-44F, 3e38F, -3e38F, 0});
  EXPECT_EQ(h.count(), 5U);
  std::uint64_t sum = 0;
  for (const std::uint64_t bin : h.bins()) sum += bin;
  EXPECT_EQ(sum, 5U);
  EXPECT_EQ(of({0, 0, 0}).bin(0), 3U);
}

TEST(Histogram, CountsManyValuesAsItCountsFew) {
  auto values = normal(300001, 2, 9);
  for (std::size_t i = 0; i < values.size(); i += 3) values[i] = i % 2 == 0 ? 0.0F : -0.0F;
  values[200000] = -1e4F;  // wider bins in the middle
  values[7] = -1e-41F;
  const Histogram whole = of(values);
  Histogram pieces;
  for (std::size_t i = 0; i < values.size(); i += 101)
    pieces.add(std::span(values).subspan(i, std::min<std::size_t>(101, values.size() - i)));
  EXPECT_TRUE(whole == pieces);
  std::vector<std::uint64_t> expected(2 * Histogram::kBins);
  for (const float x : values)
    ++expected[static_cast<std::size_t>(std::floor(std::ldexp(double{x}, -whole.exponent())) +
                                        Histogram::kBins)];
  EXPECT_EQ(whole.bins(), expected);
}

TEST(Histogram, KeepsTheSignOfMagnitudesThatVanish) {
  const float tiny = -1e-38F;
  Histogram apart;
  apart.add(std::vector<float>{tiny});
  apart.add(std::vector<float>{3e38F});
  EXPECT_TRUE(apart == of({tiny, 3e38F}));
  EXPECT_EQ(apart.bin(-1), 1U);
}

TEST(Histogram, DoesNotDependOnTheOrderOfItsValues) {
  auto values = normal(20000, 1, 1);
  for (std::size_t i = 0; i < values.size(); i += 100) values[i] *= 1000;  // grows again and again
  auto turned = values;
  std::reverse(turned.begin(), turned.end());
  EXPECT_TRUE(of(values) == of(turned));
  std::sort(turned.begin(), turned.end());
  EXPECT_TRUE(of(values) == of(turned));
}

TEST(Histogram, MergedShardsAreWhatOneRunGives) {
  auto values = normal(9000, 0.3F, 2);
  values[8000] = 77;
  const Histogram whole = of(values);
  std::mt19937 generator(3);
  for (int trial = 0; trial < 20; ++trial) {
    std::array<Histogram, 4> shards;
    for (std::size_t i = 0; i < values.size();) {
      const std::size_t count = std::min<std::size_t>(1 + generator() % 900, values.size() - i);
      shards[generator() % 4].add(std::span(values).subspan(i, count));
      i += count;
    }
    Histogram merged;
    for (const Histogram& shard : shards) merged.merge(shard);
    EXPECT_TRUE(merged == whole);
  }
  Histogram nothing;
  nothing.merge(Histogram());
  EXPECT_EQ(nothing.count(), 0U);
}

TEST(Extremes, FindNanAndInfinityWhereverTheyAre) {
  for (std::size_t size = 3; size < 70; ++size) {
    std::vector<float> values(size, 1.0F);
    values[size / 2] = -3;
    values.back() = 9;
    EXPECT_TRUE(extremes_of(values).finite);
    EXPECT_EQ(extremes_of(values).low, -3);
    for (const float bad : {NAN, INFINITY, -INFINITY}) {
      for (std::size_t at = 0; at < size; ++at) {
        auto spoiled = values;
        spoiled[at] = bad;
        EXPECT_FALSE(extremes_of(spoiled).finite) << size << " " << at;
      }
    }
  }
}

Range clipped(const std::vector<float>& values, CalibrationMethod method, double percentile = 99.99) {
  return clip(of(values), {.method = method, .percentile = percentile});
}

TEST(Clip, KeepsEverythingForMinMax) {
  const Range range = clipped({-2, 0.5F, 7}, CalibrationMethod::kMinMax);
  EXPECT_EQ(range.min, -2);
  EXPECT_EQ(range.max, 7);
  EXPECT_TRUE(clip({}, {}).empty);
}

TEST(Clip, FindsThePercentileOfTheMagnitudes) {
  std::vector<float> values;
  for (int i = 1; i <= 1000; ++i) values.push_back(static_cast<float>(i % 2 == 0 ? i : -i));
  const Range range = clipped(values, CalibrationMethod::kPercentile, 90);
  EXPECT_NEAR(range.max, 900, 1);
  EXPECT_NEAR(range.min, -900, 1);
  EXPECT_EQ(clipped(values, CalibrationMethod::kPercentile, 100).max, 1000);
}

TEST(Clip, CutsOffAFewFarValuesByEntropyAndByError) {
  auto values = normal(200000, 1, 4);
  values[0] = 60;
  values[1] = -50;
  for (const auto method : {CalibrationMethod::kEntropy, CalibrationMethod::kMse}) {
    const Range range = clipped(values, method);
    EXPECT_GT(range.max, 2.5F) << to_string(method);
    EXPECT_LT(range.max, method == CalibrationMethod::kEntropy ? 16.0F : 45.0F) << to_string(method);
    EXPECT_NEAR(range.min, -range.max, 1e-6) << to_string(method);
  }
}

TEST(Clip, KeepsAnEvenDistributionWhole) {
  std::vector<float> values(100000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) / 100000.0F;
  for (const auto method : {CalibrationMethod::kEntropy, CalibrationMethod::kMse}) {
    EXPECT_GT(clipped(values, method).max, 0.97F) << to_string(method);
    EXPECT_EQ(clipped(values, method).min, 0) << to_string(method);
  }
}

TEST(Clip, GivesMseTheLeastErrorThatTryingFinds) {
  auto values = normal(50000, 1, 5);
  for (std::size_t i = 0; i < 40; ++i) values[i] *= 8;
  const Range best = clipped(values, CalibrationMethod::kMse);
  const auto error = [&](double high, double low) {
    const double step = (high - low) / 255;
    double sum = 0;
    for (const float x : values) {
      const double q = std::nearbyint(std::clamp<double>(x, low, high) / step) * step;
      sum += (x - q) * (x - q);
    }
    return sum;
  };
  const double found = error(best.max, best.min);
  for (double high = 1; high < 30; high += 0.5) EXPECT_LT(found, 1.02 * error(high, -high)) << high;
}

TEST(Clip, TreatsConstantsAndZerosWithoutTrouble) {
  for (const auto method :
       {CalibrationMethod::kEntropy, CalibrationMethod::kPercentile, CalibrationMethod::kMse}) {
    EXPECT_EQ(clipped({0, 0, 0}, method).max, 0) << to_string(method);
    EXPECT_EQ(clipped(std::vector<float>(100, 3.0F), method).max, 3) << to_string(method);
    EXPECT_EQ(clipped({-5}, method).min, -5) << to_string(method);
  }
}

}  // namespace
}  // namespace tarmac::test
