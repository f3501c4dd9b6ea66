#include "ops/grid_sample/operator.h"

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "ops/grid_sample_numbers.h"
#include "ops/onnx_cases.h"
#include "support/expect.h"
#include "support/operator_check.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

using test::expect_agreement;
using test::OperatorCase;
using test::random_tensor;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

ops::Attributes attributes(const std::string& mode, const std::string& padding, std::int64_t align_corners) {
  return {{"mode", mode}, {"padding_mode", padding}, {"align_corners", align_corners}};
}

/// Every mode, padding and alignment there is for a rank.
std::vector<ops::Attributes> all_attributes(int rank) {
  std::vector<ops::Attributes> all;
  for (const char* mode : {"linear", "nearest", "cubic"}) {
    if (rank == 5 && std::string(mode) == "cubic") continue;
    for (const char* padding : {"zeros", "border", "reflection"}) {
      for (const std::int64_t align : {0, 1}) all.push_back(attributes(mode, padding, align));
    }
  }
  return all;
}

std::string name_of(const ops::Attributes& given) {
  return ops::get<std::string>(given, "mode") + " " + ops::get<std::string>(given, "padding_mode") +
         (ops::get<std::int64_t>(given, "align_corners") == 1 ? " aligned" : "");
}

/// Results of both kernels for X and positions along one row.
void expect_row(const ops::Attributes& given, const Shape& x_shape, const std::vector<float>& x,
                const std::vector<float>& grid, const std::vector<float>& expected) {
  ops::Serial serial;
  const Shape grid_shape = {1, 1, static_cast<std::int64_t>(grid.size() / 2), 2};
  const OperatorCase row = {.name = name_of(given),
                            .op = ops::grid_sample(),
                            .attributes = given,
                            .inputs = {Tensor::from(x_shape, x), Tensor::from(grid_shape, grid)}};
  for (const bool reference : {true, false}) {
    const auto found = test::expect_ok(test::run_kernel(row, reference, serial));
    const auto y = found[0].data<float>();
    ASSERT_EQ(y.size(), expected.size());
    for (std::size_t i = 0; i < y.size(); ++i)
      EXPECT_FLOAT_EQ(y[i], expected[i])
          << row.name << ", position " << i << (reference ? ", reference" : "");
  }
}

TEST(GridSample, GivesWhatTorchGives) {
  ops::Serial serial;
  for (const auto& numbers : test::kGridSampleNumbers) {
    const bool flat = numbers.rank == 4;
    const int modulus = flat ? 11 : 13;
    std::vector<float> x;
    const int middle = (modulus - 1) / 2;
    for (int i = 0; i < 24; ++i) x.push_back(static_cast<float>((i * 7) % modulus - middle) / 2);
    const OperatorCase test = {.name = std::string(numbers.mode) + " " + numbers.padding,
                               .op = ops::grid_sample(),
                               .attributes = attributes(numbers.mode, numbers.padding, numbers.align_corners),
                               .inputs = {Tensor::from(flat ? Shape{1, 2, 3, 4} : Shape{1, 1, 2, 3, 4}, x),
                                          Tensor::from(flat ? Shape{1, 2, 3, 2} : Shape{1, 1, 1, 3, 3},
                                                       flat ? test::kFlatGrid : test::kDeepGrid)}};
    for (const bool reference : {true, false}) {
      const auto found = test::expect_ok(test::run_kernel(test, reference, serial));
      const auto y = found[0].data<float>();
      ASSERT_EQ(y.size(), numbers.y.size());
      for (std::size_t i = 0; i < y.size(); ++i)
        EXPECT_NEAR(y[i], numbers.y[i], 2e-6) << test.name << ", rank " << numbers.rank << ", element " << i;
    }
  }
}

TEST(GridSample, GivesWhatOnnxExpects) {
  const auto cases = test::onnx_cases("gridsample", "GridSample", ops::grid_sample());
  if (cases.empty()) GTEST_SKIP() << test::kNoCases;
  EXPECT_GE(cases.size(), 18U);
  for (const auto& onnx : cases) test::expect_onnx_result(onnx, 1e-4);
}

TEST(GridSample, AgreesWithItsReferenceInEveryMode) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat16, DType::kBFloat16}) {
    for (const int rank : {4, 5}) {
      for (const auto& given : all_attributes(rank)) {
        const bool flat = rank == 4;
        expect_agreement(
            {.name = name_of(given) + (flat ? " 4-D" : " 5-D"),
             .op = ops::grid_sample(),
             .attributes = given,
             .inputs = {random_tensor(dtype, flat ? Shape{2, 19, 5, 7} : Shape{2, 17, 4, 5, 3}, -1, 1, 1),
                        random_tensor(DType::kFloat32, flat ? Shape{2, 9, 17, 2} : Shape{2, 3, 5, 13, 3},
                                      -1.5, 1.5, 2)},
             .in_engines = false});
      }
    }
  }
}

TEST(GridSample, RunsInsideEveryEngine) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat16}) {
    expect_agreement({.name = "flat",
                      .op = ops::grid_sample(),
                      .attributes = attributes("linear", "border", 1),
                      .inputs = {random_tensor(dtype, {1, 5, 8, 9}, -1, 1, 1),
                                 random_tensor(DType::kFloat32, {1, 6, 7, 2}, -1.2, 1.2, 2)}});
  }
  expect_agreement({.name = "deep",
                    .op = ops::grid_sample(),
                    .attributes = {},
                    .inputs = {random_tensor(DType::kFloat32, {1, 5, 4, 8, 9}, -1, 1, 1),
                               random_tensor(DType::kFloat32, {1, 3, 6, 7, 3}, -1.2, 1.2, 2)}});
}

TEST(GridSample, ReadsSixteenBitPositions) {
  for (const DType dtype : {DType::kFloat16, DType::kBFloat16}) {
    expect_agreement({.name = to_string(dtype),
                      .op = ops::grid_sample(),
                      .attributes = attributes("linear", "zeros", 0),
                      .inputs = {random_tensor(DType::kFloat32, {1, 3, 9, 9}, -1, 1, 1),
                                 random_tensor(dtype, {1, 11, 13, 2}, -1.1, 1.1, 2)},
                      .in_engines = false});
  }
}

TEST(GridSample, GathersWhereOnlyAFewPositionsAreSampled) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat16, DType::kBFloat16}) {
    for (const auto& given : all_attributes(4)) {
      expect_agreement({.name = name_of(given) + " few",
                        .op = ops::grid_sample(),
                        .attributes = given,
                        .inputs = {random_tensor(dtype, {2, 3, 60, 61}, -1, 1, 1),
                                   random_tensor(DType::kFloat32, {2, 1, 37, 2}, -1.3, 1.3, 2)},
                        .in_engines = false});
    }
  }
}

TEST(GridSample, FillsWhatNoCacheHolds) {
  // Several groups of channels one after the other, and results past the caches.
  expect_agreement({.name = "large",
                    .op = ops::grid_sample(),
                    .attributes = {},
                    .inputs = {random_tensor(DType::kFloat32, {2, 40, 200, 300}, -1, 1, 1),
                               random_tensor(DType::kFloat32, {2, 208, 300, 2}, -1.05, 1.05, 2)},
                    .in_engines = false});
}

TEST(GridSample, RoundsHalvesToTheEvenElement) {
  // Elements 0.5, 1.5, 2.5 and -0.5.
  expect_row(attributes("nearest", "zeros", 1), {1, 1, 1, 5}, {10, 11, 12, 13, 14},
             {-0.75F, 0, -0.25F, 0, 0.25F, 0, -1.25F, 0}, {10, 12, 12, 10});
}

TEST(GridSample, TakesCoordinatesThatAreNoNumbers) {
  const std::vector<float> x = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  const std::vector<float> grid = {kNaN,       kNaN, kNaN,  0, 0, kNaN,   kInfinity, 0,
                                   -kInfinity, 0,    1e30F, 0, 0, -1e30F, 0,         0};
  for (const char* mode : {"linear", "nearest", "cubic"}) {
    for (const std::int64_t align : {0, 1}) {
      expect_row(attributes(mode, "zeros", align), {1, 1, 3, 3}, x, grid, {0, 0, 0, 0, 0, 0, 0, 5});
      expect_row(attributes(mode, "border", align), {1, 1, 3, 3}, x, grid, {1, 4, 2, 6, 4, 6, 2, 5});
      expect_row(attributes(mode, "reflection", align), {1, 1, 3, 3}, x, grid, {1, 4, 2, 4, 4, 4, 2, 5});
    }
  }
}

TEST(GridSample, LeavesInfinitiesOutsideAlone) {
  // The position between the last element and the outside; the first and the last element are not numbers.
  expect_row(attributes("linear", "zeros", 0), {1, 1, 1, 4}, {kInfinity, 1, 3, kNaN}, {0, 0, 5, 0, -9, 0},
             {2, 0, 0});
}

TEST(GridSample, TakesEmptyTensors) {
  const auto run = [](const Shape& x, const Shape& grid) {
    ops::Serial serial;
    const OperatorCase test = {.name = "empty",
                               .op = ops::grid_sample(),
                               .attributes = {},
                               .inputs = {random_tensor(DType::kFloat32, x, 1, 2, 1),
                                          random_tensor(DType::kFloat32, grid, -1, 1, 2)},
                               .in_engines = false};
    expect_agreement(test);
    return test::expect_ok(test::run_kernel(test, false, serial))[0];
  };
  EXPECT_EQ(run({0, 3, 4, 5}, {0, 2, 2, 2}).shape(), (Shape{0, 3, 2, 2}));
  EXPECT_EQ(run({1, 0, 4, 5}, {1, 2, 2, 2}).shape(), (Shape{1, 0, 2, 2}));
  EXPECT_EQ(run({1, 3, 4, 5}, {1, 0, 2, 2}).shape(), (Shape{1, 3, 0, 2}));
  const Tensor zeros = run({1, 3, 0, 5}, {1, 2, 2, 2});
  for (const float value : zeros.data<float>()) EXPECT_EQ(value, 0);
  for (const auto& given : all_attributes(5)) {
    expect_agreement({.name = "no slices",
                      .op = ops::grid_sample(),
                      .attributes = given,
                      .inputs = {random_tensor(DType::kFloat32, {1, 2, 0, 1, 3}, 1, 2, 1),
                                 random_tensor(DType::kFloat32, {1, 2, 2, 2, 3}, -1, 1, 2)},
                      .in_engines = false});
  }
}

TEST(GridSample, RefusesWhatDoesNotFit) {
  const auto& op = ops::grid_sample();
  const auto infer = [&](const ops::Attributes& given, const Shape& x, const Shape& grid) {
    const Type types[] = {Type::tensor(DType::kFloat32, x), Type::tensor(DType::kFloat32, grid)};
    return ops::infer_types(op, test::expect_ok(ops::complete_attributes(op, given)), types);
  };
  using test::expect_error;
  expect_error(infer({}, {1, 2, 3}, {1, 2, 2}), ErrorCode::kInvalidInput, "rank 4 or 5");
  expect_error(infer({}, {1, 2, 3, 4}, {1, 2, 2, 3}), ErrorCode::kInvalidInput,
               "'grid' is float32[1, 2, 2, 3]");
  expect_error(infer({}, {1, 2, 3, 4}, {2, 2, 2, 2}), ErrorCode::kInvalidInput,
               "'grid' is float32[2, 2, 2, 2]");
  expect_error(infer({}, {1, 2, 3, 4, 5}, {1, 2, 2, 2}), ErrorCode::kInvalidInput, "'grid'");
  expect_error(infer({{"mode", std::string("cubic")}}, {1, 2, 3, 4, 5}, {1, 2, 2, 2, 3}),
               ErrorCode::kInvalidInput, "'cubic' is for rank 4");
  expect_error(infer({{"mode", std::string("fast")}}, {1, 2, 3, 4}, {1, 2, 2, 2}), ErrorCode::kInvalidModel,
               "linear, nearest or cubic");
  expect_error(infer({{"padding_mode", std::string("wrap")}}, {1, 2, 3, 4}, {1, 2, 2, 2}),
               ErrorCode::kInvalidModel, "zeros, border or reflection");
  expect_error(infer({{"align_corners", std::int64_t{2}}}, {1, 2, 3, 4}, {1, 2, 2, 2}),
               ErrorCode::kInvalidModel, "0 or 1");
  expect_error(infer({}, {1, 2, 1, 9000000}, {1, 2, 2, 2}), ErrorCode::kInvalidInput, "at most 8388608");
  expect_error(infer({}, {1, 2, 65536, 65536}, {1, 2, 2, 2}), ErrorCode::kInvalidInput, "less than 2^31");
}

TEST(GridSample, KeepsWhatIsKnownOfOpenSizes) {
  const auto& op = ops::grid_sample();
  const auto given = test::expect_ok(ops::complete_attributes(op, {}));
  const auto infer = [&](const Type& x, const Type& grid) {
    const Type types[] = {x, grid};
    return to_string(test::expect_ok(ops::infer_types(op, given, types))[0]);
  };
  const Type open = Type::tensor(DType::kFloat32);
  EXPECT_EQ(infer(open, open), to_string(open));
  EXPECT_EQ(infer(open, Type::tensor(DType::kFloat32, Shape{2, 3, 4, 2})), "float32[2, ?, 3, 4]");
  EXPECT_EQ(infer(Type::tensor(DType::kFloat16, Shape{2, 5, 3, 4, 6}), open), "float16[2, 5, ?, ?, ?]");
}

/// Any bits: infinities, NaN, denormals.
Tensor random_bits(const Shape& shape, unsigned seed) {
  std::mt19937 generator(seed);
  Tensor tensor = test::expect_ok(Tensor::allocate(DType::kFloat32, shape));
  for (float& value : tensor.mutable_data<float>())
    value = std::bit_cast<float>(static_cast<std::uint32_t>(generator()));
  return tensor;
}

TEST(GridSample, SurvivesRandomShapesAndNumbers) {
  std::mt19937 generator(11);
  const auto draw = [&](int low, int high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(generator);
  };
  for (unsigned round = 0; round < 150; ++round) {
    const int rank = draw(0, 2) == 0 ? 5 : 4;
    const auto choices = all_attributes(rank);
    const auto& given = choices[static_cast<std::size_t>(draw(0, static_cast<int>(choices.size()) - 1))];
    Shape x = {draw(0, 2), draw(0, 20)};
    Shape grid = {x[0]};
    const bool few = draw(0, 3) == 0;
    for (int axis = 2; axis < rank; ++axis) {
      x.push_back(draw(few ? 5 : 0, few ? 30 : 6));
      grid.push_back(draw(0, few ? 3 : 12));
    }
    grid.push_back(rank - 2);
    expect_agreement({.name = "round " + std::to_string(round) + " " + name_of(given),
                      .op = ops::grid_sample(),
                      .attributes = given,
                      .inputs = {random_tensor(DType::kFloat32, x, -2, 2, round),
                                 draw(0, 1) == 0 ? random_bits(grid, round)
                                                 : random_tensor(DType::kFloat32, grid, -3, 3, round)},
                      .in_engines = false});
  }
}

}  // namespace
}  // namespace tarmac
