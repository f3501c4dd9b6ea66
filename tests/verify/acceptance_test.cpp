#include "verify/acceptance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace tarmac {
namespace {

using testing::HasSubstr;

VariantMeasurements variant(const std::string& name, double accuracy) {
  VariantMeasurements measurements;
  measurements.target = "openvino";
  measurements.variant = name;
  measurements.accuracy = accuracy;
  return measurements;
}

const Criterion& find(const std::vector<Criterion>& criteria, const std::string& name) {
  for (const Criterion& criterion : criteria) {
    if (criterion.name == name) return criterion;
  }
  ADD_FAILURE() << "no criterion " << name;
  return criteria.front();
}

TEST(AcceptanceTest, WithoutLimitsNothingIsChecked) {
  EXPECT_TRUE(check_acceptance({}, {}).empty());
  EXPECT_TRUE(acceptance_status({}).ok());
}

TEST(AcceptanceTest, DropsAreAgainstTheOriginal) {
  Contract contract;
  contract.acceptance.fp32_drop = 0.01;
  contract.acceptance.int8_drop = 0.02;
  contract.evaluation.emplace().metric = EvaluationMetric::kMeanIou;
  const std::vector<VariantMeasurements> variants{variant("original", 0.95), variant("fp32", 0.949),
                                                  variant("int8", 0.92)};
  const auto criteria = check_acceptance(contract, variants);
  ASSERT_EQ(criteria.size(), 2U);
  EXPECT_TRUE(find(criteria, "fp32_drop").passed);
  EXPECT_NEAR(*find(criteria, "fp32_drop").measured, 0.001, 1e-12);
  EXPECT_FALSE(find(criteria, "int8_drop").passed);
  const Status status = acceptance_status(criteria);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kAcceptance);
  EXPECT_EQ(exit_code(status.error().code), 5);
  EXPECT_THAT(status.error().message,
              HasSubstr("int8_drop (mean IoU) is 3.000 %; at most 2.000 % is asked (int8 on openvino)"));
  EXPECT_THAT(status.error().message, testing::Not(HasSubstr("fp32_drop")));
}

TEST(AcceptanceTest, ALimitThatIsJustReachedIsKept) {
  Contract contract;
  contract.acceptance.fp32_drop = 0.01;
  EXPECT_TRUE(
      check_acceptance(contract, std::vector{variant("original", 0.99), variant("fp32", 0.98)})[0].passed);
  EXPECT_FALSE(
      check_acceptance(contract, std::vector{variant("original", 0.99), variant("fp32", 0.9799)})[0].passed);
  // A gain is no loss.
  EXPECT_TRUE(
      check_acceptance(contract, std::vector{variant("original", 0.9), variant("fp32", 0.98)})[0].passed);
}

TEST(AcceptanceTest, TheOriginalOfTheSameTargetCounts) {
  Contract contract;
  contract.acceptance.int8_drop = 0.02;
  auto elsewhere = variant("original", 0.99);
  elsewhere.target = "onnxruntime";
  std::vector<VariantMeasurements> variants{elsewhere, variant("int8", 0.96)};
  EXPECT_FALSE(check_acceptance(contract, variants)[0].passed);
  variants.push_back(variant("original", 0.97));
  EXPECT_TRUE(check_acceptance(contract, variants)[0].passed);
}

TEST(AcceptanceTest, TimesAndMemoryAreThoseOfTheDeployedVariant) {
  Contract contract;
  contract.acceptance.latency_p50_ms = 10;
  contract.acceptance.latency_p99_ms = 40;
  contract.acceptance.throughput_per_s = 100;
  contract.acceptance.memory_bytes = 1000;
  auto slow = variant("original", 0.9);
  slow.latency = LatencySummary{.p50_ns = 99'000'000, .p99_ns = 99'000'000};
  auto deployed = variant("int8", 0.9);
  deployed.deployed = true;
  deployed.latency = LatencySummary{.p50_ns = 9'000'000, .p99_ns = 41'000'000};
  deployed.throughput_per_s = 100;
  deployed.peak_memory_bytes = 1001;
  const auto criteria = check_acceptance(contract, std::vector{slow, deployed});
  ASSERT_EQ(criteria.size(), 4U);
  EXPECT_TRUE(find(criteria, "latency_p50").passed);
  EXPECT_FALSE(find(criteria, "latency_p99").passed);
  EXPECT_THAT(find(criteria, "latency_p99").detail, HasSubstr("41.000 ms; at most 40.000 ms"));
  EXPECT_TRUE(find(criteria, "throughput").passed);
  EXPECT_EQ(find(criteria, "throughput").bound, Bound::kAtLeast);
  EXPECT_FALSE(find(criteria, "memory").passed);
}

TEST(AcceptanceTest, WhatWasNotMeasuredFails) {
  Contract contract;
  contract.acceptance.fp32_drop = 0.01;
  contract.acceptance.latency_p99_ms = 40;
  contract.acceptance.memory_bytes = 1000;
  contract.reference.emplace().max_relative_error = 0.01;
  auto deployed = variant("fp32", 0.9);  // no original, no latency
  deployed.deployed = true;
  const auto criteria = check_acceptance(contract, std::vector{deployed});
  ASSERT_EQ(criteria.size(), 4U);
  for (const Criterion& criterion : criteria) {
    EXPECT_FALSE(criterion.passed) << criterion.name;
    EXPECT_FALSE(criterion.measured.has_value()) << criterion.name;
    EXPECT_THAT(criterion.detail, HasSubstr("not measured"));
  }
  EXPECT_EQ(check_acceptance(contract, {}).size(), 4U);
}

TEST(AcceptanceTest, ANanIsNeverAccepted) {
  Contract contract;
  contract.acceptance.fp32_drop = 0.01;
  contract.reference.emplace().max_relative_error = 0.01;
  auto original = variant("original", 0.9);
  original.reference_error = ErrorMetrics{.max_rel = 0.001, .nan_mismatches = 1};
  const auto criteria = check_acceptance(
      contract, std::vector{original, variant("fp32", std::numeric_limits<double>::quiet_NaN())});
  EXPECT_FALSE(find(criteria, "fp32_drop").passed);
  EXPECT_FALSE(find(criteria, "max_relative_error").passed);
  original.reference_error = ErrorMetrics{.max_rel = 0.001};
  EXPECT_TRUE(find(check_acceptance(contract, std::vector{original}), "max_relative_error").passed);
}

}  // namespace
}  // namespace tarmac
