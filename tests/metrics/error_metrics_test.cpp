#include "metrics/error_metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tensor/codec.h"

namespace tarmac {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

ErrorMetrics compare(const std::vector<float>& reference, const std::vector<float>& other) {
  const auto size = static_cast<std::int64_t>(reference.size());
  const auto metrics =
      compare_tensors(Tensor::from<float>({size}, reference), Tensor::from<float>({size}, other));
  EXPECT_TRUE(metrics.ok());
  return *metrics;
}

TEST(ErrorMetrics, EqualTensorsHaveNoError) {
  const ErrorMetrics m = compare({1, -2, 3}, {1, -2, 3});
  EXPECT_EQ(m.max_abs, 0);
  EXPECT_EQ(m.rms, 0);
  EXPECT_EQ(m.max_rel, 0);
  EXPECT_EQ(m.snr_db, kInfinity);
  EXPECT_DOUBLE_EQ(m.cosine, 1);
  EXPECT_EQ(m.count, 3);
  EXPECT_TRUE(m.within(0));
}

TEST(ErrorMetrics, FollowTheirFormulae) {
  const ErrorMetrics m = compare({4, -2, 0, 1}, {4, -1, 0.5, 1});
  EXPECT_DOUBLE_EQ(m.max_abs, 1);
  EXPECT_DOUBLE_EQ(m.mean_abs, 1.5 / 4);
  EXPECT_DOUBLE_EQ(m.rms, std::sqrt(1.25 / 4));
  EXPECT_DOUBLE_EQ(m.max_rel, 1.0 / 4);
  EXPECT_DOUBLE_EQ(m.max_elementwise_rel, 0.5 / kRelativeEpsilon);
  EXPECT_DOUBLE_EQ(m.mean_elementwise_rel, (0.5 + 0.5 / kRelativeEpsilon) / 4);
  EXPECT_DOUBLE_EQ(m.snr_db, 10 * std::log10(21 / 1.25));
  EXPECT_DOUBLE_EQ(m.cosine, (16 + 2 + 1) / std::sqrt(21.0 * (16 + 1 + 0.25 + 1)));
  EXPECT_TRUE(m.within(0.25));
  EXPECT_FALSE(m.within(0.2499));
  EXPECT_FALSE(m.within(std::numeric_limits<double>::quiet_NaN()));
}

TEST(ErrorMetrics, AnOppositeSignHasCosineMinusOne) {
  EXPECT_DOUBLE_EQ(compare({1, 2}, {-1, -2}).cosine, -1);
}

TEST(ErrorMetrics, AllZeroReferences) {
  const ErrorMetrics equal = compare({0, 0}, {0, -0.0F});
  EXPECT_EQ(equal.max_rel, 0);
  EXPECT_EQ(equal.cosine, 1);
  const ErrorMetrics off = compare({0, 0}, {0, 1e-30F});
  EXPECT_EQ(off.max_rel, kInfinity);
  EXPECT_EQ(off.snr_db, -kInfinity);
  EXPECT_EQ(off.cosine, 0);
  EXPECT_FALSE(off.within(1));
}

TEST(ErrorMetrics, NanOnOneSideIsAMismatchWhateverTheLimit) {
  const ErrorMetrics both = compare({kNan, 1}, {kNan, 1});
  EXPECT_EQ(both.nan_mismatches, 0);
  EXPECT_TRUE(both.within(0));
  EXPECT_EQ(compare({1, kNan}, {1, 2}).nan_mismatches, 1);
  const ErrorMetrics lost = compare({1, 2}, {1, kNan});
  EXPECT_EQ(lost.nan_mismatches, 1);
  EXPECT_EQ(lost.max_abs, 0);
  EXPECT_FALSE(lost.within(1e9));
}

TEST(ErrorMetrics, InfinitiesMustAgreeInSign) {
  EXPECT_TRUE(compare({kInf, 1}, {kInf, 1}).within(0));
  EXPECT_EQ(compare({kInf, 1}, {-kInf, 1}).infinity_mismatches, 1);
  const ErrorMetrics overflow = compare({65520, 1}, {kInf, 1});
  EXPECT_EQ(overflow.infinity_mismatches, 1);
  EXPECT_FALSE(overflow.within(1e9));
}

TEST(ErrorMetrics, TypesMayDiffer) {
  const Tensor reference = Tensor::from<float>({2}, {1, 3});
  const auto half = from_doubles(DType::kFloat16, {2}, {1, 3});
  EXPECT_EQ(compare_tensors(reference, *half)->max_abs, 0);
}

TEST(ErrorMetrics, RefusesShapesThatDiffer) {
  const auto metrics = compare_tensors(Tensor::from<float>({2}, {1, 2}), Tensor::from<float>({2, 1}, {1, 2}));
  ASSERT_FALSE(metrics.ok());
  EXPECT_EQ(metrics.error().code, ErrorCode::kInvalidInput);
}

TEST(ErrorMetrics, EmptyTensorsAgree) {
  const ErrorMetrics m = compare({}, {});
  EXPECT_EQ(m.count, 0);
  EXPECT_TRUE(m.within(0));
}

TEST(ErrorMetrics, CombineKeepsTheWorst) {
  const ErrorMetrics good = compare({1, 2, 3}, {1, 2, 3});
  const ErrorMetrics bad = compare({2}, {1});
  const ErrorMetrics both = combine(good, bad);
  EXPECT_EQ(both.count, 4);
  EXPECT_DOUBLE_EQ(both.max_abs, 1);
  EXPECT_DOUBLE_EQ(both.max_rel, 0.5);
  EXPECT_DOUBLE_EQ(both.mean_abs, 0.25);
  EXPECT_DOUBLE_EQ(both.rms, 0.5);
  EXPECT_DOUBLE_EQ(both.snr_db, bad.snr_db);
  EXPECT_DOUBLE_EQ(combine(ErrorMetrics{}, bad).mean_abs, 1);
}

}  // namespace
}  // namespace tarmac
