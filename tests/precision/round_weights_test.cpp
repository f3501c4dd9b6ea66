#include "precision/round_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>

namespace tarmac::test {
namespace {

using testing::ElementsAre;

double error_sum(std::span<const float> weights, std::span<const std::int8_t> rounded) {
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i)
    sum += static_cast<double>(rounded[i]) - static_cast<double>(weights[i]);
  return sum;
}

TEST(RoundWeights, ChangesNothingThatIsWhole) {
  EXPECT_THAT(round_channel(std::vector<float>{3, -7, 127, 0}, 2, 127), ElementsAre(3, -7, 127, 0));
}

TEST(RoundWeights, TakesBackTheRoundingClosestToTheMiddle) {
  // To the nearest all go up, 1.2 in all; 0.6 was closest to going down.
  EXPECT_THAT(round_channel(std::vector<float>{0.6F, 1.7F, 2.75F, 3.75F}, 4, 127), ElementsAre(0, 2, 3, 4));
}

TEST(RoundWeights, KeepsTheSumsOfKernelsAndChannelAndNoElementFarAway) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> values(-127, 127);
  for (const std::size_t kernel : {1UL, 9UL, 25UL}) {
    std::vector<float> weights(kernel * 32);
    for (float& weight : weights) weight = values(random);
    const auto rounded = round_channel(weights, kernel, 127);
    EXPECT_LE(std::fabs(error_sum(weights, rounded)), 0.5001);
    for (std::size_t k = 0; k < 32 && kernel > 1; ++k) {
      const auto begin = k * kernel;
      EXPECT_LE(std::fabs(error_sum(std::span(weights).subspan(begin, kernel),
                                    std::span(rounded).subspan(begin, kernel))),
                1.0001);
    }
    for (std::size_t i = 0; i < weights.size(); ++i)
      EXPECT_LE(std::fabs(static_cast<float>(rounded[i]) - weights[i]), 1.0001F);
  }
}

TEST(RoundWeights, StaysInsideTheLargestMagnitude) {
  for (const std::int8_t rounded : round_channel(std::vector<float>(9, 63.4F), 9, 63)) EXPECT_EQ(rounded, 63);
  for (const std::int8_t rounded : round_channel(std::vector<float>(9, -200.0F), 9, 127))
    EXPECT_EQ(rounded, -127);
}

}  // namespace
}  // namespace tarmac::test
