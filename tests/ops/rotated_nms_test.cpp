#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "ops/registry.h"
#include "ops/rotated_box.h"
#include "support/expect.h"
#include "support/operator_check.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

using ops::RotatedBox;
using test::expect_agreement;
using test::OperatorCase;
using Ints = std::vector<std::int32_t>;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr double kPi = 3.14159265358979323846;

const ops::Operator& rotated_nms() { return *ops::find_operator("tarmac", "RotatedNms"); }

RotatedBox random_box(std::mt19937& generator) {
  std::uniform_real_distribution<double> place(-3, 3);
  std::uniform_real_distribution<double> size(0.2, 5);
  std::uniform_real_distribution<double> angle(-4, 4);
  return {place(generator), place(generator), size(generator), size(generator), angle(generator)};
}

TEST(RotatedIou, IsWhatShapelyComputes) {
  // shapely 2.1: intersection and areas of polygons.
  struct Row {
    RotatedBox a, b;
    double iou;
  };
  const Row rows[] = {
      {{0, 0, 4, 2, 0}, {1, 0.5, 4, 2, 0.30000001192092896}, 0.442101792138},
      {{10, -5, 4.5, 1.899999976158142, 1.2000000476837158},
       {10.699999809265137, -4.099999904632568, 4.699999809265137, 2.0999999046325684, -2.0999999046325684},
       0.498328135608},
      {{100.5, 200.25, 12, 2.5, 2.9000000953674316},
       {99.75, 201, 11, 2.75, -0.20000000298023224},
       0.572724206373},
      {{0, 0, 1, 1, 0}, {0, 0, 1, 1, 0.7853981852531433}, 0.707106781187},
      {{0, 0, 10, 0.20000000298023224, 0.10000000149011612},
       {0, 0, 10, 0.20000000298023224, -0.10000000149011612},
       0.053002785137},
      {{3, 3, 2, 2, 0}, {3.200000047683716, 2.9000000953674316, 0.5, 0.25, 1}, 0.03125},
      {{0, 0, 4, 2, 0.5}, {5, 5, 4, 2, 0.5}, 0},
      {{-50.5, 30.25, 4.199999809265137, 1.7999999523162842, -7.5},
       {-50, 30.5, 4.099999904632568, 1.7000000476837158, 5.099999904632568},
       0.507119025557},
  };
  for (const auto& [a, b, iou] : rows) EXPECT_NEAR(ops::rotated_iou(a, b), iou, 1e-11);
}

TEST(RotatedIou, IsTheShareOfPointsInBoth) {
  std::mt19937 generator(3);
  const auto inside = [](const RotatedBox& box, double x, double y) {
    const double u = std::cos(box.yaw) * (x - box.x) + std::sin(box.yaw) * (y - box.y);
    const double v = -std::sin(box.yaw) * (x - box.x) + std::cos(box.yaw) * (y - box.y);
    return std::abs(u) <= box.dx / 2 && std::abs(v) <= box.dy / 2;
  };
  for (int pair = 0; pair < 20; ++pair) {
    const RotatedBox a = random_box(generator);
    const RotatedBox b = random_box(generator);
    double both = 0;
    double either = 0;
    for (double x = -7; x < 7; x += 0.02) {
      for (double y = -7; y < 7; y += 0.02) {
        const bool in_a = inside(a, x, y);
        const bool in_b = inside(b, x, y);
        both += in_a && in_b ? 1 : 0;
        either += in_a || in_b ? 1 : 0;
      }
    }
    EXPECT_NEAR(ops::rotated_iou(a, b), both / either, 0.01);
  }
}

TEST(RotatedIou, IsSymmetricBoundedAndDoesNotChangeWhenBothMove) {
  std::mt19937 generator(4);
  for (int pair = 0; pair < 2000; ++pair) {
    RotatedBox a = random_box(generator);
    RotatedBox b = random_box(generator);
    const double iou = ops::rotated_iou(a, b);
    EXPECT_GE(iou, 0);
    EXPECT_LE(iou, 1);
    EXPECT_EQ(iou, ops::rotated_iou(b, a));
    EXPECT_NEAR(ops::rotated_iou(a, a), 1, 1e-12);
    const double turn = 0.01 * pair;
    for (RotatedBox* box : {&a, &b}) {
      const double x = box->x;
      box->x = std::cos(turn) * x - std::sin(turn) * box->y + 1000;
      box->y = std::sin(turn) * x + std::cos(turn) * box->y - 70;
      box->yaw += turn;
    }
    EXPECT_NEAR(ops::rotated_iou(a, b), iou, 1e-9);
    std::swap(a.dx, a.dy);
    a.yaw += kPi / 2;
    b.yaw += kPi;
    EXPECT_NEAR(ops::rotated_iou(a, b), iou, 1e-9) << "the same rectangles, described otherwise";
  }
}

/// 24 boxes in five clusters; each case below was computed with shapely 2.1 and a greedy loop in Python.
const std::vector<float> kScene = {
    3.52F,  -8.55F, 4.37F,  1.67F,  3.26F,  -8.2F,  -6.68F, 4.37F,  1.86F,  -2.15F, 0.1F,   0.11F,
    4.08F,  1.68F,  0.06F,  -9.87F, -6.55F, 4.19F,  1.77F,  -2.06F, -5.04F, 7.59F,  4.47F,  1.8F,
    -0.7F,  -5.58F, 7.36F,  4.12F,  1.76F,  -0.79F, 3.69F,  -9.0F,  4.24F,  1.79F,  2.9F,   5.76F,
    3.14F,  4.2F,   1.93F,  1.25F,  -9.36F, -6.55F, 4.32F,  1.75F,  -2.19F, 0.28F,  0.02F,  4.13F,
    1.67F,  0.36F,  5.97F,  3.02F,  4.17F,  1.62F,  1.35F,  5.71F,  2.01F,  4.25F,  1.78F,  1.46F,
    -4.8F,  6.88F,  4.22F,  1.76F,  -0.42F, -4.59F, 6.87F,  4.03F,  1.83F,  -0.88F, -0.82F, 0.48F,
    4.38F,  1.75F,  0.24F,  -0.13F, -0.59F, 3.94F,  1.75F,  0.15F,  -0.49F, 0.37F,  3.96F,  1.73F,
    0.04F,  -0.09F, -0.55F, 3.94F,  1.75F,  0.05F,  -0.64F, -0.17F, 4.39F,  1.82F,  0.2F,   -8.99F,
    -6.42F, 4.13F,  1.76F,  -2.13F, -0.02F, 0.72F,  4.01F,  1.81F,  0.12F,  3.85F,  -7.72F, 3.97F,
    1.99F,  3.01F,  3.48F,  -6.78F, 4.28F,  1.85F,  3.11F,  5.8F,   3.32F,  3.99F,  1.64F,  1.44F};
const std::vector<float> kSceneScores = {0.92F, 0.72F, 0.08F, 0.16F, 0.52F, 0.4F,  0.28F, 0.36F,
                                         0.68F, 0.44F, 0.56F, 0.6F,  0.8F,  0.84F, 0.12F, 0.64F,
                                         0.32F, 0.04F, 0.96F, 0.24F, 0.2F,  0.88F, 0.48F, 0.76F};

OperatorCase scene(float threshold, std::int64_t max_boxes) {
  return {
      .name = "scene",
      .op = rotated_nms(),
      .attributes = {{"iou_threshold", threshold}, {"max_boxes", max_boxes}},
      .inputs = {Tensor::from({1, 24, 5}, kScene), Tensor::from({1, 24}, kSceneScores), Tensor(), Tensor()}};
}

/// The chosen rows of batch entry 0, and padding behind them.
void expect_kept(const OperatorCase& test, const Ints& rows) {
  expect_agreement(test);
  const auto outputs = test::run_reference(test);
  const auto indices = outputs[0].data<std::int32_t>();
  EXPECT_EQ(outputs[3].data<std::int32_t>()[0], static_cast<std::int32_t>(rows.size()));
  for (std::size_t i = 0; i < static_cast<std::size_t>(outputs[0].shape()[1]); ++i)
    EXPECT_EQ(indices[i], i < rows.size() ? rows[i] : -1) << "place " << i;
}

TEST(RotatedNms, KeepsWhatAGreedyLoopWithShapelyKeeps) {
  expect_kept(scene(0.05F, 24), {18, 0, 13, 23, 1, 22});
  expect_kept(scene(0.2F, 10), {18, 0, 13, 23, 1, 22, 3});
  expect_kept(scene(0.5F, 24), {18, 0, 21, 13, 23, 1, 8, 15, 11, 22, 5, 20});
  expect_kept(scene(0.7F, 24),
              {18, 0, 21, 13, 12, 23, 1, 8, 15, 11, 10, 4, 22, 9, 5, 16, 6, 19, 20, 3, 14, 2});
  expect_kept(scene(0.7F, 3), {18, 0, 21});
  expect_kept(scene(1.0F, 2), {18, 0});
}

TEST(RotatedNms, LooksAtEachClassAloneUnlessToldOtherwise) {
  OperatorCase test = scene(0.2F, 24);
  Ints labels(24);
  for (int i = 0; i < 24; ++i) labels[i] = i % 3 - 1;
  test.inputs[2] = Tensor::from({1, 24}, labels);
  expect_kept(test, {18, 0, 13, 12, 23, 1, 8, 10, 22, 5, 16, 20, 3, 17});
  const auto outputs = test::run_reference(test);
  EXPECT_EQ(outputs[2].data<std::int32_t>()[2], 13 % 3 - 1);
  EXPECT_EQ(outputs[1].data<float>()[2], 0.84F);
  test.attributes["pre_max"] = std::int64_t{4};
  expect_kept(test, {18, 0, 13, 12, 23, 1, 8, 10, 5});
  test.attributes["class_agnostic"] = std::int64_t{1};
  test.attributes["pre_max"] = std::int64_t{0};
  expect_kept(test, {18, 0, 13, 23, 1, 22, 3});
}

TEST(RotatedNms, TakesPartOncePerClassOfScores) {
  OperatorCase test = scene(0.2F, 24);
  std::vector<float> scores(72, 0.0F);
  for (std::size_t i = 0; i < 24; ++i) scores[i % 3 * 24 + i] = kSceneScores[i];
  test.inputs[1] = Tensor::from({1, 3, 24}, scores);
  expect_kept(test, {18, 0, 13, 12, 23, 1, 8, 10, 22, 5, 16, 20, 3, 17});
  scores[2 * 24 + 18] = 0.5F;  // class 2 as well
  test.inputs[1] = Tensor::from({1, 3, 24}, scores);
  expect_agreement(test);
  const auto outputs = test::run_reference(test);
  std::int64_t times = 0;
  for (const std::int32_t row : outputs[0].data<std::int32_t>()) times += row == 18 ? 1 : 0;
  EXPECT_EQ(times, 2);
  test.attributes["class_agnostic"] = std::int64_t{1};
  expect_kept(test, {18, 0, 13, 23, 1, 22, 3});
}

TEST(RotatedNms, LooksOnlyAtCountedRowsAndScoresAboveTheThreshold) {
  OperatorCase test = scene(0.2F, 6);
  test.inputs[3] = Tensor::from<std::int64_t>({1}, {18});
  expect_kept(test, {0, 13, 1, 15, 11, 3});
  test.attributes["score_threshold"] = 0.64F;
  expect_kept(test, {0, 13, 1});
  for (const std::int64_t count :
       {std::int64_t{0}, std::int64_t{-5}, std::numeric_limits<std::int64_t>::min()}) {
    test.inputs[3] = Tensor::from<std::int64_t>({1}, {count});
    expect_kept(test, {});
  }
  test.inputs[3] = Tensor::from<std::int64_t>({1}, {1 << 30});
  expect_kept(test, {18, 0, 13, 23, 1});
}

TEST(RotatedNms, NeverKeepsBoxesThatAreNoBoxesNorScoresThatAreNoNumbers) {
  const std::vector<float> boxes = {0,          0,         4,    2, 0, 0, 0,  0, 2,         0, 0, 0, 4,
                                    -2,         0,         kNan, 0, 4, 2, 0,  0, kInfinity, 4, 2, 0, 0,
                                    0,          kInfinity, 2,    0, 0, 0, 4,  2, kNan,      0, 0, 4, 2,
                                    -kInfinity, 50,        0,    4, 2, 0, 70, 0, 4,         2, 0};
  const std::vector<float> scores = {0.1F, 0.9F, 0.9F, 0.9F, 0.9F, 0.9F, 0.9F, 0.9F, kNan, kInfinity};
  expect_kept(
      {.name = "unsound",
       .op = rotated_nms(),
       .attributes = {{"iou_threshold", 0.3F}, {"max_boxes", std::int64_t{4}}},
       .inputs = {Tensor::from({1, 10, 5}, boxes), Tensor::from({1, 10}, scores), Tensor(), Tensor()}},
      {9, 0});
}

TEST(RotatedNms, BreaksTiesByPlaceAndTakesEqualBoxesOnce) {
  std::vector<float> boxes;
  std::vector<float> scores;
  for (int i = 0; i < 600; ++i) {
    boxes.insert(boxes.end(), {10.0F * static_cast<float>(i % 7), 0, 4, 2, 0.1F * static_cast<float>(i % 7)});
    scores.push_back(i % 2 == 0 ? 0.5F : 0.25F);
  }
  expect_kept(
      {.name = "ties",
       .op = rotated_nms(),
       .attributes = {{"iou_threshold", 0.5F}, {"max_boxes", std::int64_t{9}}},
       .inputs = {Tensor::from({1, 600, 5}, boxes), Tensor::from({1, 600}, scores), Tensor(), Tensor()}},
      {0, 2, 4, 6, 8, 10, 12});
}

TEST(RotatedNms, ReadsBoxesWithHeightAndFurtherColumnsInAnyFloat) {
  OperatorCase test = scene(0.2F, 10);
  std::vector<float> rows;
  for (std::size_t i = 0; i < 24; ++i) {
    const float* box = &kScene[5 * i];
    rows.insert(rows.end(), {box[0], box[1], kNan, box[2], box[3], -1.0F, box[4], kInfinity, 7.0F});
  }
  const Tensor wide = Tensor::from({1, 24, 9}, rows);
  const Tensor scores = test.inputs[1];
  test.inputs[0] = wide;
  expect_kept(test, {18, 0, 13, 23, 1, 22, 3});
  for (const DType dtype : {DType::kFloat16, DType::kBFloat16}) {
    test.inputs[0] = test::as_dtype(wide, dtype);
    test.inputs[1] = test::as_dtype(scores, dtype);
    expect_agreement(test);
    EXPECT_EQ(test::run_reference(test)[1].dtype(), dtype);
  }
}

Tensor no_floats(const Shape& shape) { return test::expect_ok(Tensor::allocate(DType::kFloat32, shape)); }

TEST(RotatedNms, GivesNothingForNothing) {
  OperatorCase test = {.name = "empty",
                       .op = rotated_nms(),
                       .attributes = {{"iou_threshold", 0.5F}, {"max_boxes", std::int64_t{3}}},
                       .inputs = {no_floats({1, 0, 5}), no_floats({1, 0}), Tensor(), Tensor()},
                       .in_engines = false};
  expect_kept(test, {});
  test.inputs = {no_floats({0, 4, 7}), no_floats({0, 2, 4}), Tensor(), Tensor()};
  expect_agreement(test);
  OperatorCase no_room = scene(0.5F, 0);
  no_room.in_engines = false;
  expect_agreement(no_room);
}

/// Boxes as a detector gives them before suppression: clusters around objects on a street.
std::vector<float> street(std::size_t count, std::mt19937& generator) {
  std::uniform_real_distribution<float> place(-60, 60);
  std::uniform_real_distribution<float> angle(-3.2F, 3.2F);
  std::normal_distribution<float> noise(0, 1);
  std::vector<float> boxes;
  float x = 0;
  float y = 0;
  float yaw = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (i % 12 == 0) {
      x = place(generator);
      y = place(generator);
      yaw = angle(generator);
    }
    boxes.insert(boxes.end(),
                 {x + 0.4F * noise(generator), y + 0.4F * noise(generator), 4.3F + 0.2F * noise(generator),
                  1.9F + 0.1F * noise(generator), yaw + 0.1F * noise(generator)});
  }
  return boxes;
}

TEST(RotatedNms, DecidesAsTheReferenceInLargeScenes) {
  for (unsigned seed = 0; seed < 6; ++seed) {
    std::mt19937 generator(seed);
    const std::int64_t count = seed == 0 ? 5000 : 700 + 33 * seed;
    const std::int64_t batch = seed % 3 == 1 ? 3 : 1;
    const auto boxes = street(static_cast<std::size_t>(batch * count), generator);
    expect_agreement(
        {.name = "street",
         .op = rotated_nms(),
         .attributes = {{"iou_threshold", 0.1F * static_cast<float>(seed)},
                        {"max_boxes", std::int64_t{1000}}},
         .inputs = {Tensor::from({batch, count, 5}, boxes),
                    test::random_tensor(DType::kFloat32, {batch, count}, 0, 1, seed),
                    seed % 2 == 1 ? test::random_integers(DType::kInt64, {batch, count}, -2, 9, seed)
                                  : Tensor(),
                    Tensor()},
         .in_engines = seed < 2});
  }
}

TEST(RotatedNms, DecidesAsTheReferenceWhereFloatsCannotTell) {
  // A grid of equal boxes whose IoU with their neighbours is the threshold itself: 1/3, at any distance from
  // zero.
  for (const float far : {0.0F, 1000.0F, 1e6F}) {
    for (const float yaw : {0.0F, 0.7F}) {
      std::vector<float> boxes;
      for (int i = 0; i < 400; ++i) {
        const auto u = static_cast<float>(i % 20);
        const auto row = i / 20;
        const auto v = static_cast<float>(row);
        boxes.insert(boxes.end(), {far + std::cos(yaw) * u - std::sin(yaw) * 2 * v,
                                   far + std::sin(yaw) * u + std::cos(yaw) * 2 * v, 2.0F, 2.0F, yaw});
      }
      expect_agreement(
          {.name = "grid",
           .op = rotated_nms(),
           .attributes = {{"iou_threshold", 1.0F / 3}, {"max_boxes", std::int64_t{400}}},
           .inputs = {Tensor::from({1, 400, 5}, boxes),
                      test::random_tensor(DType::kFloat32, {1, 400}, 0, 1, 5), Tensor(), Tensor()},
           .in_engines = false});
    }
  }
}

TEST(RotatedNms, DecidesAsTheReferenceNextToTheIouItself) {
  // The threshold is a pair's IoU, or off by what float32 may be wrong about.
  std::mt19937 generator(21);
  std::uniform_real_distribution<double> unit(-1, 1);
  ops::Serial serial;
  for (int pair = 0; pair < 20000; ++pair) {
    const double stretch = std::pow(10.0, unit(generator));
    const double far = pair % 4 == 0 ? 3e4 : 30;
    std::vector<float> boxes;
    const RotatedBox first = random_box(generator);
    for (RotatedBox box : {first, random_box(generator)}) {
      if (pair % 2 == 1) box.yaw = first.yaw + 1e-3 * unit(generator);
      for (const double number : {far + box.x, box.y - far, box.dx * stretch, box.dy / stretch, box.yaw})
        boxes.push_back(static_cast<float>(number));
    }
    const double iou = ops::rotated_iou({boxes[0], boxes[1], boxes[2], boxes[3], boxes[4]},
                                        {boxes[5], boxes[6], boxes[7], boxes[8], boxes[9]});
    if (iou == 0) continue;
    const double off = pair % 3 == 0 ? 0 : std::pow(10.0, -5 + 2 * unit(generator)) * (pair % 5 < 2 ? -1 : 1);
    const auto threshold = static_cast<float>(std::min(1.0, iou * (1 + off)));
    const OperatorCase test = {.name = "pair",
                               .op = rotated_nms(),
                               .attributes = {{"iou_threshold", threshold}, {"max_boxes", std::int64_t{2}}},
                               .inputs = {Tensor::from({1, 2, 5}, boxes),
                                          Tensor::from<float>({1, 2}, {0.9F, 0.8F}), Tensor(), Tensor()}};
    const auto outputs = test::expect_ok(test::run_kernel(test, false, serial));
    ASSERT_EQ(outputs[3].data<std::int32_t>()[0], iou > threshold ? 1 : 2)
        << "pair " << pair << ", IoU " << iou;
  }
}

TEST(RotatedNms, DecidesAsTheReferenceForNumbersOfAnySize) {
  std::mt19937 generator(11);
  std::uniform_real_distribution<float> unit(-1, 1);
  const auto any_size = [&](float low, float high) {
    return std::pow(10.0F, low + (high - low) * (unit(generator) + 1) / 2);
  };
  for (unsigned seed = 0; seed < 40; ++seed) {
    const float scale = std::pow(10.0F, -44.0F + 2 * static_cast<float>(seed));
    std::vector<float> boxes;
    for (int i = 0; i < 150; ++i) {
      boxes.insert(boxes.end(), {scale * unit(generator), scale * unit(generator), scale * any_size(-4, 1),
                                 scale * any_size(-4, 1), any_size(-3, 6) * unit(generator)});
    }
    expect_agreement(
        {.name = "scale " + std::to_string(scale),
         .op = rotated_nms(),
         .attributes = {{"iou_threshold", 0.02F * static_cast<float>(seed % 20)},
                        {"max_boxes", std::int64_t{150}}},
         .inputs = {Tensor::from({1, 150, 5}, boxes),
                    test::random_tensor(DType::kFloat32, {1, 150}, 0, 1, seed), Tensor(), Tensor()},
         .in_engines = false});
  }
}

TEST(RotatedNms, TakesAnyBitsForNumbers) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 generator(seed);
    const auto draw = [&](std::int64_t most) {
      return std::uniform_int_distribution<std::int64_t>(0, most)(generator);
    };
    const auto garbage = [&](DType dtype, const Shape& shape) {
      Tensor tensor = test::expect_ok(Tensor::allocate(dtype, shape));
      const bool bits = draw(1) == 0;
      for (std::byte& byte : tensor.mutable_bytes())
        byte = static_cast<std::byte>(bits ? draw(255) : (draw(3) == 0 ? 0x40 : 0x3F));
      return tensor;
    };
    constexpr DType kFloats[] = {DType::kFloat32, DType::kFloat16, DType::kBFloat16};
    const std::int64_t batch = draw(2);
    const std::int64_t rows = draw(90);
    const bool by_class = draw(1) == 0;
    const std::int64_t columns = draw(1) == 0 ? 5 : 7 + draw(3);
    expect_agreement(
        {.name = "garbage " + std::to_string(seed),
         .op = rotated_nms(),
         .attributes = {{"iou_threshold", 0.25F * static_cast<float>(draw(4))},
                        {"score_threshold", draw(1) == 0 ? 0.0F : -kInfinity},
                        {"pre_max", draw(20)},
                        {"class_agnostic", draw(1)},
                        {"max_boxes", draw(50)}},
         .inputs = {garbage(kFloats[draw(2)], {batch, rows, columns}),
                    garbage(kFloats[draw(2)], by_class ? Shape{batch, draw(4), rows} : Shape{batch, rows}),
                    by_class || draw(1) == 0 ? Tensor() : garbage(DType::kInt64, {batch, rows}),
                    draw(1) == 0 ? Tensor() : garbage(DType::kInt32, {batch})},
         .in_engines = false});
  }
}

TEST(RotatedNms, SaysWhatIsWrongWithItsInputs) {
  ops::Serial serial;
  const auto expect_refused = [&](const OperatorCase& test, const char* text) {
    test::expect_error(test::run_kernel(test, false, serial), ErrorCode::kInvalidInput, text);
  };
  const OperatorCase sound = scene(0.5F, 4);
  const auto with_inputs = [&](std::vector<Tensor> inputs) {
    inputs.resize(4);
    return OperatorCase{.name = sound.name, .op = sound.op, .attributes = sound.attributes, .inputs = inputs};
  };
  const Tensor scores = Tensor::from({1, 20}, std::vector<float>(20));
  expect_refused(with_inputs({Tensor::from({1, 20, 6}, std::vector<float>(120)), scores}),
                 "expected 5 columns");
  expect_refused(with_inputs({sound.inputs[0], scores}),
                 "the number of boxes is 24 in one input and 20 in another");
  expect_refused(with_inputs({sound.inputs[0], Tensor::from({24}, kSceneScores)}),
                 "expected [B, N] or [B, K, N]");
  expect_refused(
      with_inputs({sound.inputs[0], Tensor::from({1, 1, 24}, kSceneScores), Tensor::from({1, 24}, Ints(24))}),
      "'labels' say the class of each box");
  expect_refused(scene(1.5F, 4), "iou_threshold is 1.5");
  expect_refused(scene(kNan, 4), "expected a number from 0 to 1");
  expect_refused(scene(0.5F, -1), "not negative");
}

}  // namespace
}  // namespace tarmac
