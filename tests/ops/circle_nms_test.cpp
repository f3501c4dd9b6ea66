#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "ops/registry.h"
#include "support/expect.h"
#include "support/operator_check.h"

namespace tarmac {
namespace {

using test::expect_agreement;
using test::OperatorCase;
using Ints = std::vector<std::int32_t>;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

const ops::Operator& circle_nms() { return *ops::find_operator("tarmac", "CircleNms"); }

/// 20 centres; each case below was computed by the loop of CenterPoint's circle_nms in numpy.
const std::vector<float> kCentres = {-1.7F, 4.6F, 3.6F, -0.1F, -4.6F, 1.3F,  2.0F,  2.5F,  2.0F,  2.3F,
                                     4.8F,  3.9F, 3.4F, 4.1F,  2.1F,  4.8F,  -4.5F, -4.2F, 3.1F,  -0.2F,
                                     3.0F,  0.6F, 4.4F, -5.0F, 0.9F,  -4.6F, -3.4F, 4.1F,  -2.2F, 3.9F,
                                     -1.7F, 3.4F, 4.3F, -2.1F, 4.0F,  1.3F,  5.1F,  -2.1F, -0.1F, 2.6F};
const std::vector<float> kScores = {0.415F, 0.46F,  0.37F,  0.55F,  0.685F, 0.91F, 0.1F,
                                    0.325F, 0.055F, 0.775F, 0.82F,  0.505F, 0.19F, 0.865F,
                                    0.64F,  0.73F,  0.235F, 0.145F, 0.28F,  0.595F};

OperatorCase scene(std::vector<float> squared_radius, std::int64_t max_boxes) {
  return {.name = "scene",
          .op = circle_nms(),
          .attributes = {{"squared_radius", std::move(squared_radius)}, {"max_boxes", max_boxes}},
          .inputs = {Tensor::from({1, 20, 2}, kCentres), Tensor::from({1, 20}, kScores), Tensor(), Tensor()}};
}

void expect_kept(const OperatorCase& test, const Ints& rows) {
  expect_agreement(test);
  const auto outputs = test::run_reference(test);
  const auto indices = outputs[0].data<std::int32_t>();
  EXPECT_EQ(outputs[3].data<std::int32_t>()[0], static_cast<std::int32_t>(rows.size()));
  for (std::size_t i = 0; i < static_cast<std::size_t>(outputs[0].shape()[1]); ++i)
    EXPECT_EQ(indices[i], i < rows.size() ? rows[i] : -1) << "place " << i;
}

TEST(CircleNms, KeepsWhatCenterPointKeeps) {
  expect_kept(scene({0.175F}, 83), {5, 13, 10, 9, 15, 4, 14, 19, 11, 1, 0, 2, 7, 18, 16, 12, 17, 6, 8});
  expect_kept(scene({1.0F}, 83), {5, 13, 10, 15, 4, 19, 11, 0, 2, 7, 18, 12, 17, 6, 8});
  expect_kept(scene({4.0F}, 83), {5, 13, 10, 19, 3, 11, 2, 7, 18, 12, 8});
  expect_kept(scene({12.0F}, 5), {5, 13, 10, 19, 11});
  expect_kept(scene({kInfinity}, 3), {5});
}

TEST(CircleNms, TakesARadiusForEachClass) {
  OperatorCase test = scene({1.0F, 12.0F}, 20);
  Ints labels(20);
  for (int i = 0; i < 20; ++i) labels[i] = i % 2;
  test.inputs[2] = Tensor::from({1, 20}, labels);
  const Ints kept = {5, 13, 10, 9, 4, 14, 19, 11, 2, 18, 12, 6, 8};
  expect_kept(test, kept);
  std::vector<float> scores(40);
  for (std::size_t i = 0; i < 20; ++i) scores[i % 2 * 20 + i] = kScores[i];
  test.inputs[1] = Tensor::from({1, 2, 20}, scores);
  test.inputs[2] = Tensor();
  expect_kept(test, kept);
}

TEST(CircleNms, SuppressesNothingInAClassWithoutRadius) {
  OperatorCase test = scene({100.0F, 100.0F}, 20);
  Ints labels(20, 2);
  labels[5] = labels[13] = 0;
  labels[10] = labels[9] = std::numeric_limits<std::int32_t>::min();
  test.inputs[2] = Tensor::from({1, 20}, labels);
  expect_kept(test, {5, 10, 9, 15, 4, 14, 19, 3, 11, 1, 0, 2, 7, 18, 16, 12, 17, 6, 8});
}

TEST(CircleNms, SuppressesAtTheRadiusItself) {
  // 3² + 4² is 25, at any distance from zero that floats can tell.
  for (const float far : {0.0F, 4096.0F, 1048576.0F}) {
    OperatorCase test = {
        .name = "at the radius",
        .op = circle_nms(),
        .attributes = {{"squared_radius", std::vector<float>{25}}, {"max_boxes", std::int64_t{3}}},
        .inputs = {Tensor::from<float>({1, 3, 2}, {far, far, far + 3, far + 4, far + 8, far}),
                   Tensor::from<float>({1, 3}, {0.9F, 0.8F, 0.7F}), Tensor(), Tensor()}};
    expect_kept(test, {0, 2});
    test.attributes["squared_radius"] = std::vector<float>{std::nextafter(25.0F, 0.0F)};
    expect_kept(test, {0, 1, 2});
  }
}

TEST(CircleNms, NeverKeepsCentresThatAreNoPlaces) {
  expect_kept(
      {.name = "unsound",
       .op = circle_nms(),
       .attributes = {{"squared_radius", std::vector<float>{0}}, {"max_boxes", std::int64_t{9}}},
       .inputs = {Tensor::from<float>({1, 6, 3}, {0, 0, kNan, kNan, 0, 0, 0, kInfinity, 0, 1e30F, -1e30F, 1,
                                                  0, 0, 5, 1, 1, 1}),
                  Tensor::from<float>({1, 6}, {0.5F, 0.9F, 0.9F, 0.6F, 0.4F, kNan}), Tensor(), Tensor()}},
      {3, 0});
}

TEST(CircleNms, DecidesAsTheReferenceInAnyScene) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    std::mt19937 generator(seed);
    const auto draw = [&](std::int64_t most) {
      return std::uniform_int_distribution<std::int64_t>(0, most)(generator);
    };
    const std::int64_t rows = seed == 0 ? 4000 : draw(600);
    const std::int64_t batch = 1 + draw(1);
    const std::int64_t classes = draw(3);
    const double scale = std::pow(10.0, seed % 8 == 7 ? 19 : static_cast<double>(draw(6)) - 3);
    const bool grid = draw(1) == 0;
    const Tensor boxes =
        grid ? test::as_dtype(test::random_integers(DType::kInt32, {batch, rows, 7}, -9, 9, seed),
                              DType::kFloat32)
             : test::random_tensor(DType::kFloat32, {batch, rows, 7}, -9 * scale, 9 * scale, seed);
    const auto squared = static_cast<float>(grid ? static_cast<double>(draw(5))
                                                 : scale * scale * static_cast<double>(draw(4)));
    expect_agreement(
        {.name = "scene " + std::to_string(seed),
         .op = circle_nms(),
         .attributes = {{"squared_radius", std::vector<float>{squared}},
                        {"max_boxes", 1 + draw(500)},
                        {"pre_max", draw(1) * 100}},
         .inputs = {boxes,
                    test::random_tensor(DType::kFloat32,
                                        classes == 0 ? Shape{batch, rows} : Shape{batch, classes, rows}, -1,
                                        1, seed),
                    classes == 0 && draw(1) == 0
                        ? test::random_integers(DType::kInt32, {batch, rows}, -1, 3, seed)
                        : Tensor(),
                    draw(1) == 0 ? test::random_integers(DType::kInt64, {batch}, -2, 700, seed) : Tensor()},
         .in_engines = seed < 2 && rows > 0});
  }
}

TEST(CircleNms, TakesAnyBitsForNumbers) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 generator(seed);
    const auto draw = [&](std::int64_t most) {
      return std::uniform_int_distribution<std::int64_t>(0, most)(generator);
    };
    const auto garbage = [&](DType dtype, const Shape& shape) {
      Tensor tensor = test::expect_ok(Tensor::allocate(dtype, shape));
      for (std::byte& byte : tensor.mutable_bytes()) byte = static_cast<std::byte>(draw(255));
      return tensor;
    };
    constexpr DType kFloats[] = {DType::kFloat32, DType::kFloat16, DType::kBFloat16};
    constexpr float kRadii[] = {0, 1e-38F, 1, 1e20F, 3e38F, kInfinity};
    const Shape shape = {draw(2), draw(150)};
    expect_agreement(
        {.name = "garbage " + std::to_string(seed),
         .op = circle_nms(),
         .attributes = {{"squared_radius", std::vector<float>{kRadii[draw(5)]}},
                        {"class_agnostic", draw(1)},
                        {"score_threshold", -kInfinity},
                        {"max_boxes", draw(200)}},
         .inputs = {garbage(kFloats[draw(2)], {shape[0], shape[1], 2 + draw(2)}),
                    garbage(kFloats[draw(2)], shape), draw(1) == 0 ? Tensor() : garbage(DType::kInt64, shape),
                    draw(1) == 0 ? Tensor() : garbage(DType::kInt64, {shape[0]})},
         .in_engines = false});
  }
}

TEST(CircleNms, SaysWhatIsWrongWithItsAttributes) {
  ops::Serial serial;
  const auto expect_refused = [&](const OperatorCase& test, const char* text) {
    test::expect_error(test::run_kernel(test, false, serial), ErrorCode::kInvalidInput, text);
  };
  expect_refused(scene({}, 4), "must have one value");
  expect_refused(scene({1, -1}, 4), "none below 0");
  expect_refused(scene({1, kNan}, 4), "none below 0");
  OperatorCase test = scene({1, 2, 3}, 4);
  test.inputs[1] = Tensor::from({1, 2, 20}, std::vector<float>(40));
  expect_refused(test, "squared_radius has 3 values");
  test.attributes["class_agnostic"] = std::int64_t{1};
  expect_refused(test, "with class_agnostic it must have one");
}

}  // namespace
}  // namespace tarmac
