#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "ops/registry.h"
#include "support/expect.h"
#include "support/operator_check.h"

namespace tarmac::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

const ops::Operator& op() { return *ops::find_operator(ops::kDomain, "Voxelize"); }

ops::Attributes grid(const std::vector<float>& size, const std::vector<float>& range, std::int64_t voxels,
                     std::int64_t points) {
  return {{"voxel_size", size}, {"point_cloud_range", range}, {"max_voxels", voxels}, {"max_points", points}};
}

OperatorCase voxelized(const std::string& name, const ops::Attributes& attributes, const Tensor& points,
                       const Tensor& count = {}) {
  return {.name = name, .op = op(), .attributes = attributes, .inputs = {points, count}};
}

/// points[i] = (61·i mod 97) / 16 - 1 for the 20 points of four numbers, and some that are special.
Tensor few_points() {
  std::vector<float> values(80);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i * 61 % 97) / 16 - 1;
  values[13] = kNan;
  values[28] = kInfinity;
  values[36] = values[37] = values[38] = 0;
  values[40] = 4;
  values[41] = values[42] = 0;
  values[44] = -0.0F;
  values[45] = 0.5F;
  values[46] = 1;
  return Tensor::from({20, 4}, values);
}

TEST(Voxelize, GivesWhatNumpyGives) {
  // numpy 2: floor((points - lower) / size) in float32, unique() by cell, voxels in the order of their first
  // points.
  const std::vector<float> voxels = {
      2.5F,   0.25F,   4.0625F, 1.8125F,  0,       0,      0,       0,       0,     0, 0,       2.1875F,
      0,      0,       0,       0,        0,       0.5F,   1,       2.375F,  0,     0, 0,       0,
      0.125F, 3.9375F, 1.6875F, -0.5625F, 0.3125F, 4.125F, 1.875F,  -0.375F, 3.25F, 1, 4.8125F, 2.5625F,
      0,      0,       0,       0,        3.625F,  1.375F, -0.875F, 2.9375F, 0,     0, 0,       0};
  const std::vector<std::int32_t> coordinates = {0, 2, 0, 2, 0, 0, 0, 0, 0, 1, 0, 0,
                                                 0, 1, 2, 0, 0, 2, 0, 3, 0, 0, 0, 3};
  const auto test = voxelized("numpy", grid({1, 1.5F, 2}, {0, 0, -1, 4, 4.5F, 5}, 6, 2), few_points());
  const auto outputs = run_reference(test);
  EXPECT_THAT(outputs[0].data<float>(), testing::ElementsAreArray(voxels));
  EXPECT_THAT(outputs[1].data<std::int32_t>(), testing::ElementsAreArray(coordinates));
  EXPECT_THAT(outputs[2].data<std::int32_t>(), testing::ElementsAre(1, 1, 1, 2, 1, 1));
  EXPECT_THAT(outputs[3].data<std::int32_t>(), testing::ElementsAre(6));
  expect_agreement(test);
}

/// 20,000 points in 64 × 64 × 8 metres from a hash of the number's place.
Tensor many_points() {
  std::vector<float> values(100'000);
  for (std::uint32_t i = 0; i < values.size(); ++i) {
    std::uint32_t h = i * 2654435761U;
    h = (h ^ (h >> 15U)) * 2246822519U;
    h = (h ^ (h >> 13U)) * 3266489917U;
    const float unit = static_cast<float>(h >> 8U) / 16777216.0F;
    values[i] = i % 5 < 2 ? unit * 64 - 32 : i % 5 == 2 ? unit * 8 - 4 : unit;
  }
  return Tensor::from({20'000, 5}, values);
}

struct Sums {
  std::int64_t voxels, num_points, coordinates;
  double points;
};

Sums sums_of(const std::vector<Tensor>& outputs) {
  Sums sums = {outputs[3].data<std::int32_t>()[0], 0, 0, 0};
  const auto rows = static_cast<std::size_t>(outputs[2].count());
  const std::size_t row = static_cast<std::size_t>(outputs[0].count()) / rows;
  for (std::size_t v = 0; v < rows; ++v) {
    const auto weight = static_cast<std::int64_t>((v + 1) % 1009);
    sums.num_points += weight * outputs[2].data<std::int32_t>()[v];
    for (std::size_t k = 0; k < 4; ++k) {
      sums.coordinates +=
          weight * outputs[1].data<std::int32_t>()[4 * v + k] * static_cast<std::int64_t>(2 * k + 1);
    }
    double sum = 0;
    for (std::size_t k = 0; k < row; ++k) sum += outputs[0].data<float>()[v * row + k];
    sums.points += sum * static_cast<double>(weight);
  }
  return sums;
}

TEST(Voxelize, GivesNumpysSumsForManyPointsInPillarsAndInAGridTooLargeForATable) {
  // The sums of numpy's outputs, each voxel weighted with its number from 1, modulo 1009.
  auto pillars =
      voxelized("pillars", grid({0.8F, 0.8F, 8}, {-30, -30.4F, -4, 30.4F, 30, 4}, 5000, 3), many_points());
  Sums sums = sums_of(run_reference(pillars));
  EXPECT_EQ(sums.voxels, 5000);
  EXPECT_EQ(sums.num_points, 6418304);
  EXPECT_EQ(sums.coordinates, 1118006707);
  EXPECT_NEAR(sums.points, 6557120.493360, 1e-3);
  expect_agreement(pillars);
  auto voxels =
      voxelized("voxels", grid({0.1F, 0.1F, 0.2F}, {-30, -30, -3, 30, 30, 3}, 30000, 2), many_points());
  sums = sums_of(run_reference(voxels));
  EXPECT_EQ(sums.voxels, 13119);
  EXPECT_EQ(sums.num_points, 6612340);
  EXPECT_EQ(sums.coordinates, 23883849917);
  EXPECT_NEAR(sums.points, 5998243.136074, 1e-3);
  expect_agreement(voxels);
}

TEST(Voxelize, KeepsTheOrderOfPointsAndVoxelsAcrossChunks) {
  // Enough points for several chunks; few cells, so that every chunk has points of every voxel.
  const Tensor points = random_tensor(DType::kFloat32, {40'000, 4}, -1, 5, 1);
  expect_agreement(voxelized("few cells", grid({1, 1, 4}, {0, 0, 0, 4, 4, 4}, 10, 3000), points));
  // More voxels than fit.
  expect_agreement(voxelized("cut", grid({0.05F, 0.05F, 4}, {0, 0, 0, 4, 4, 4}, 700, 1), points));
  // A billion cells.
  expect_agreement(voxelized("fine", grid({0.004F, 0.004F, 0.004F}, {0, 0, 0, 4, 4, 4}, 20'000, 2), points));
}

TEST(Voxelize, AgreesForEveryWidthAndCount) {
  for (const std::int64_t features : {3, 4, 5, 6, 11}) {
    for (const std::int64_t count : {1, 2, 3, 15, 16, 17, 63, 64, 65, 513, 1025}) {
      auto test = voxelized(std::to_string(count) + " × " + std::to_string(features),
                            grid({0.5F, 0.5F, 0.5F}, {-2, -2, -2, 2, 2, 2}, 100, 3),
                            random_tensor(DType::kFloat32, {count, features}, -2.5, 2.5, 2));
      test.in_engines = count == 17;
      expect_agreement(test);
      test.in_engines = false;
      for (const std::int64_t valid : {std::int64_t{-5}, std::int64_t{0}, count / 2, count, count + 9}) {
        test.inputs[1] = Tensor::from({1}, std::vector<std::int64_t>{valid});
        expect_agreement(test);
      }
    }
  }
}

TEST(Voxelize, LeavesOutWhatIsOutside) {
  const float below = std::nextafter(4.0F, 0.0F);
  const Tensor points = Tensor::from(
      {9, 3},
      std::vector<float>{below, 0, 0, -1e-30F,   0, 0, 0, 4,     0,     0,      0,     kNan, 0, -kInfinity, 0,
                         1e30F, 0, 0, kInfinity, 0, 0, 3, below, below, -3e38F, 3e38F, 0});
  auto test = voxelized("outside", grid({1, 1, 1}, {0, 0, 0, 4, 4, 4}, 5, 2), points);
  const auto outputs = run_reference(test);
  EXPECT_THAT(outputs[3].data<std::int32_t>(), testing::ElementsAre(2));
  EXPECT_THAT(outputs[1].data<std::int32_t>().first(12),
              testing::ElementsAre(0, 0, 0, 3, 0, 3, 3, 3, -1, -1, -1, -1));
  expect_agreement(test);
}

TEST(Voxelize, GivesOnlyPaddingWithoutPoints) {
  auto test = voxelized("none", grid({1, 1, 1}, {0, 0, 0, 4, 4, 4}, 5, 2),
                        expect_ok(Tensor::allocate(DType::kFloat32, {0, 4})));
  test.in_engines = false;
  expect_agreement(test);
  const auto outputs = run_reference(test);
  EXPECT_THAT(outputs[0].data<float>(), testing::Each(0.0F));
  EXPECT_THAT(outputs[1].data<std::int32_t>(), testing::Each(-1));
  EXPECT_THAT(outputs[3].data<std::int32_t>(), testing::ElementsAre(0));
}

TEST(Voxelize, RefusesGridsThatMakeNoSense) {
  const Tensor points = random_tensor(DType::kFloat32, {9, 4}, 0, 4, 2);
  const auto expect_refusal = [&](const ops::Attributes& attributes, const std::string& text) {
    ops::Serial serial;
    expect_error(run_kernel(voxelized("", attributes, points), false, serial), ErrorCode::kInvalidInput,
                 text);
  };
  const std::vector<float> range = {0, 0, 0, 4, 4, 4};
  expect_refusal(grid({1, 1}, range, 5, 2), "voxel_size has 2 values");
  expect_refusal(grid({1, 1, 1}, {0, 0, 4, 4}, 5, 2), "point_cloud_range has 4 values");
  expect_refusal(grid({0, 1, 1}, range, 5, 2), "axis 0 goes from");
  expect_refusal(grid({1, -1, 1}, range, 5, 2), "axis 1 goes from");
  expect_refusal(grid({1, kNan, 1}, range, 5, 2), "axis 1 goes from");
  expect_refusal(grid({1, 1, kInfinity}, range, 5, 2), "axis 2 goes from");
  expect_refusal(grid({1, 1, 1}, {0, 0, 4, 4, 4, 0}, 5, 2), "axis 2 goes from");
  expect_refusal(grid({1, 1, 1}, {0, 0, 0, kInfinity, 4, 4}, 5, 2), "axis 0 goes from");
  expect_refusal(grid({1e-7F, 1, 1}, range, 5, 2), "expected 1 to 16777216 cells");
  expect_refusal(grid({1e-3F, 1e-3F, 1e-3F}, range, 5, 2), "more than 2147483647 cells");
  expect_refusal(grid({1, 1, 1}, range, 0, 2), "max_voxels is 0");
  expect_refusal(grid({1, 1, 1}, range, 5, -1), "max_points -1");
  expect_refusal(grid({1, 1, 1}, range, 1 << 30, 1 << 30), "lower max_voxels or max_points");
  ops::Serial serial;
  expect_error(
      run_kernel(voxelized("", grid({1, 1, 1}, range, 5, 2), random_tensor(DType::kFloat32, {9, 2}, 0, 4, 2)),
                 false, serial),
      ErrorCode::kInvalidInput, "expected at least x, y and z");
}

TEST(Voxelize, AgreesWithItsReferenceOnRandomGridsAndBits) {
  std::mt19937 generator(3);
  const auto draw = [&](std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(generator);
  };
  for (unsigned seed = 0; seed < 200; ++seed) {
    const std::int64_t features = draw(3, 7);
    Tensor points = random_tensor(DType::kFloat32, {draw(0, 300), features}, -3, 3, seed);
    for (float& value : points.mutable_data<float>()) {
      if (draw(0, 19) == 0) value = std::bit_cast<float>(static_cast<std::uint32_t>(generator()));
    }
    const auto size = [&] { return static_cast<float>(draw(1, 2000)) / 1000; };
    auto test =
        voxelized("seed " + std::to_string(seed),
                  grid({size(), size(), size()}, {-3, -2, -1, 1, 2, 3}, draw(1, 200), draw(1, 9)), points);
    test.in_engines = false;
    expect_agreement(test);
  }
}

}  // namespace
}  // namespace tarmac::test
