#include "metrics/agreement.h"

#include <gtest/gtest.h>

#include <limits>

#include "support/expect.h"

namespace tarmac::test {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Tensor row(const std::vector<float>& values) {
  return Tensor::from<float>({1, static_cast<std::int64_t>(values.size())}, values);
}

TEST(Agreement, OfValuesIsTheShareOfPowerThatIsReproduced) {
  EXPECT_DOUBLE_EQ(expect_ok(agreement_of_values(row({3, 4}), row({3, 4}))), 1);
  EXPECT_NEAR(expect_ok(agreement_of_values(row({3, 4}), row({3, 3}))), 1 - 1.0 / 25, 1e-12);
  EXPECT_NEAR(expect_ok(agreement_of_values(row({3, 4}), row({2.7F, 3.6F}))), 0.99, 1e-6) << "a wrong scale";
  EXPECT_DOUBLE_EQ(expect_ok(agreement_of_values(row({3, 4}), row({-3, -4}))), 0);
  EXPECT_DOUBLE_EQ(expect_ok(agreement_of_values(row({0, 0}), row({0, 0}))), 1);
  EXPECT_DOUBLE_EQ(expect_ok(agreement_of_values(row({0, 0}), row({0, 1}))), 0);
  EXPECT_DOUBLE_EQ(expect_ok(agreement_of_values(row({1, kNan}), row({1, kNan}))), 1);
  EXPECT_DOUBLE_EQ(expect_ok(agreement_of_values(row({1, 1}), row({1, kNan}))), 0);
  const float huge = std::numeric_limits<float>::max();
  EXPECT_NEAR(expect_ok(agreement_of_values(row({huge, 0}), row({0.9F * huge, 0}))), 0.99, 1e-6);
  const Tensor doubles = Tensor::from<double>({1, 2}, {3, 4});
  EXPECT_NEAR(expect_ok(agreement_of_values(doubles, row({3, 3}))), 1 - 1.0 / 25, 1e-12);
  expect_error(agreement_of_values(row({1, 1}), row({1})), ErrorCode::kInvalidInput);
}

TEST(Agreement, OfClassesIsTheShareOfPlacesWithTheSameLargestScore) {
  const Tensor reference = Tensor::from<float>({1, 2, 4}, {9, 9, 1, kNan, 1, 1, 9, 1});
  const Tensor other = Tensor::from<float>({1, 2, 4}, {2, 1, 1, kNan, 1, 2, 2, 1});
  EXPECT_DOUBLE_EQ(expect_ok(agreement_of_classes(reference, other)), 0.75);
  EXPECT_DOUBLE_EQ(expect_ok(agreement_of_classes(reference, reference)), 1);
  expect_error(agreement_of_classes(reference, row({1, 2})), ErrorCode::kInvalidInput);
}

TEST(Agreement, OfBoxesIsTheShareOfDetectionsThatMatch) {
  const Box here{0, 0, 10, 10};
  const Box near{1, 0, 11, 10};
  const Box far{50, 0, 60, 10};
  const std::vector<Detection> reference = {{here, 0, 0.9}, {far, 1, 0.8}};
  EXPECT_DOUBLE_EQ(agreement_of_boxes(reference, reference), 1);
  EXPECT_DOUBLE_EQ(agreement_of_boxes({}, {}), 1);
  EXPECT_DOUBLE_EQ(agreement_of_boxes(reference, {}), 0);
  EXPECT_DOUBLE_EQ(agreement_of_boxes(reference, std::vector<Detection>{{near, 0, 0.6}, {far, 0, 0.8}}), 0.5)
      << "another class is no match";
  EXPECT_DOUBLE_EQ(agreement_of_boxes(std::vector<Detection>{{here, 0, 0.9}},
                                      std::vector<Detection>{{near, 0, 0.6}, {here, 0, 0.9}}),
                   2.0 / 3)
      << "each is matched once";
}

TEST(Agreement, NamesTheWorstSample) {
  AgreementMetrics metrics;
  EXPECT_DOUBLE_EQ(metrics.worst(), 0);
  for (const double value : {1.0, 0.5, 0.75, 0.5}) metrics.add(value);
  EXPECT_DOUBLE_EQ(metrics.worst(), 0.5);
  EXPECT_EQ(metrics.worst_sample(), 1U);
  EXPECT_DOUBLE_EQ(metrics.mean(), 0.6875);
  EXPECT_EQ(metrics.samples(), 4);
}

}  // namespace
}  // namespace tarmac::test
