#include <limits>
#include <random>

#include "ops/registry.h"
#include "support/expect.h"
#include "support/operator_check.h"

namespace tarmac::test {
namespace {

const ops::Operator& op() { return *ops::find_operator(ops::kDomain, "PillarScatter"); }

OperatorCase scattered(const std::string& name, std::int64_t batch, std::int64_t height, std::int64_t width,
                       const Tensor& features, const Tensor& coordinates, const Tensor& count = {}) {
  return {.name = name,
          .op = op(),
          .attributes = {{"batch", batch}, {"height", height}, {"width", width}},
          .inputs = {features, coordinates, count}};
}

TEST(PillarScatter, PutsFeaturesIntoTheirCells) {
  // By hand: two maps of 2 × 3, two channels; the fourth pillar takes the second one's cell, padding is left
  // out.
  const Tensor features = Tensor::from({5, 2}, std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 9, 9});
  const Tensor coordinates = Tensor::from(
      {5, 4}, std::vector<std::int32_t>{0, 9, 0, 1, 0, 0, 1, 2, 1, 0, 1, 0, 0, 0, 1, 2, -1, -1, -1, -1});
  const auto test = scattered("by hand", 2, 2, 3, features, coordinates);
  EXPECT_THAT(run_reference(test)[0].data<float>(),
              testing::ElementsAre(0, 1, 0, 0, 0, 7, 0, 2, 0, 0, 0, 8, 0, 0, 0, 5, 0, 0, 0, 0, 0, 6, 0, 0));
  expect_agreement(test);
}

TEST(PillarScatter, AgreesForEveryTypeAndSize) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat16, DType::kBFloat16}) {
    for (const std::int64_t channels : {1, 3, 16, 65}) {
      for (const std::int64_t width : {1, 7, 40, 513}) {
        auto test = scattered(std::string(to_string(dtype)) + " × " + std::to_string(channels), 2, 5, width,
                              random_tensor(dtype, {60, channels}, -1, 1, 1),
                              random_integers(channels % 2 == 0 ? DType::kInt64 : DType::kInt32, {60, 4}, -1,
                                              std::max<std::int64_t>(width, 5), 2));
        test.in_engines = width == 7;
        expect_agreement(test);
      }
    }
  }
}

TEST(PillarScatter, WritesLargeMapsPastTheCaches) {
  // 9 MiB, with rows that begin anywhere within a line; engines would add nothing.
  const Tensor coordinates = random_integers(DType::kInt32, {4000, 4}, 0, 190, 2);
  for (const auto& [dtype, channels] : {std::pair{DType::kFloat32, 67}, std::pair{DType::kFloat16, 131}}) {
    auto test = scattered(to_string(dtype), 1, 191, 187, random_tensor(dtype, {4000, channels}, -1, 1, 1),
                          coordinates);
    test.in_engines = false;
    expect_agreement(test);
  }
}

TEST(PillarScatter, TakesAsManyRowsAsTheCountSays) {
  for (const std::int64_t count : {-3, 0, 1, 59, 60, 61}) {
    expect_agreement(scattered("count " + std::to_string(count), 1, 9, 9,
                               random_tensor(DType::kFloat32, {60, 4}, -1, 1, 1),
                               random_integers(DType::kInt64, {60, 4}, 0, 8, 2),
                               Tensor::from({1}, std::vector<std::int64_t>{count})));
  }
}

TEST(PillarScatter, GivesZerosWithoutPillarsAndNothingForEmptyMaps) {
  for (const std::int64_t channels : {0, 4}) {
    for (const std::int64_t height : {0, 9}) {
      auto test =
          scattered("empty", 1, height, 9, expect_ok(Tensor::allocate(DType::kFloat32, {0, channels})),
                    expect_ok(Tensor::allocate(DType::kInt32, {0, 4})));
      test.in_engines = false;
      expect_agreement(test);
    }
  }
}

TEST(PillarScatter, LeavesOutEveryRowThatIsNotInTheMap) {
  std::mt19937_64 generator(5);
  for (unsigned seed = 0; seed < 100; ++seed) {
    Tensor coordinates = random_integers(DType::kInt64, {50, 4}, 0, 6, seed);
    for (std::int64_t& value : coordinates.mutable_data<std::int64_t>()) {
      if (generator() % 8 == 0) value = static_cast<std::int64_t>(generator());
    }
    auto test = scattered("seed " + std::to_string(seed), 2, 7, 5,
                          random_tensor(DType::kFloat32, {50, 3}, -1, 1, seed), coordinates);
    test.in_engines = false;
    expect_agreement(test);
  }
}

TEST(PillarScatter, RefusesShapesThatDoNotFit) {
  ops::Serial serial;
  const Tensor features = random_tensor(DType::kFloat32, {60, 4}, -1, 1, 1);
  expect_error(run_kernel(scattered("", 1, 9, 9, features, random_integers(DType::kInt32, {59, 4}, 0, 8, 2)),
                          false, serial),
               ErrorCode::kInvalidInput, "'coordinates' is int32[59, 4]");
  expect_error(run_kernel(scattered("", 1, -9, 9, features, random_integers(DType::kInt32, {60, 4}, 0, 8, 2)),
                          false, serial),
               ErrorCode::kInvalidInput, "must not be negative");
}

}  // namespace
}  // namespace tarmac::test
