#include "verify/state_drift.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/expect.h"

namespace tarmac::test {
namespace {

Tensor two(float a, float b) { return Tensor::from<float>({1, 2}, {a, b}); }

TEST(StateDrift, IsTheErrorsShareOfTheStateByFrame) {
  DriftMeter meter("bev");
  expect_ok(meter.add(0, two(3, 4), two(3, 4)));
  expect_ok(meter.add(1, two(3, 4), two(3, 3)));
  expect_ok(meter.add(0, two(0, 0), two(0, 0)));  // the next scene
  expect_ok(meter.add(1, two(0, 5), two(1, 5)));
  expect_ok(meter.add(2, two(0, 0), two(0, 1)));
  const StateDrift drift = meter.drift();
  EXPECT_EQ(drift.output, "bev");
  EXPECT_THAT(drift.by_frame, testing::ElementsAre(0, testing::DoubleEq(std::sqrt(2.0 / 50)),
                                                   std::numeric_limits<double>::infinity()));
}

TEST(StateDrift, RefusesAStateOfAnotherShape) {
  DriftMeter meter("bev");
  expect_error(meter.add(0, two(0, 0), Tensor::from<float>({2, 1}, {0, 0})), ErrorCode::kInvalidInput,
               "the state is [2, 1], the original's [1, 2]");
}

}  // namespace
}  // namespace tarmac::test
