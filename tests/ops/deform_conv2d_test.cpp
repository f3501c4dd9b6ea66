#include "ops/deform_conv2d/operator.h"

#include <bit>
#include <limits>
#include <random>

#include "ops/deform_conv2d_numbers.h"
#include "ops/onnx_cases.h"
#include "support/expect.h"
#include "support/operator_check.h"

namespace tarmac {
namespace {

using test::expect_agreement;
using test::OperatorCase;
using test::random_tensor;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

using List = std::vector<std::int64_t>;

/// Sizes from which the shapes of all inputs follow.
struct Sizes {
  Shape x;
  std::int64_t out_channels = 1;
  std::int64_t kernel_height = 3;
  std::int64_t kernel_width = 3;
  List strides = {1, 1};
  List pads = {1, 1, 1, 1};
  List dilations = {1, 1};
  std::int64_t group = 1;
  std::int64_t offset_group = 1;

  [[nodiscard]] std::int64_t out(std::size_t axis) const {
    const std::int64_t kernel = axis == 0 ? kernel_height : kernel_width;
    return (x[2 + axis] + pads[axis] + pads[2 + axis] - dilations[axis] * (kernel - 1) - 1) / strides[axis] +
           1;
  }
  [[nodiscard]] Shape w() const { return {out_channels, x[1] / group, kernel_height, kernel_width}; }
  [[nodiscard]] Shape maps(std::int64_t numbers) const {
    return {x[0], numbers * offset_group * kernel_height * kernel_width, out(0), out(1)};
  }
  [[nodiscard]] ops::Attributes attributes() const {
    return {{"strides", strides},
            {"pads", pads},
            {"dilations", dilations},
            {"group", group},
            {"offset_group", offset_group}};
  }
};

/// Offsets of up to `reach` elements; with mask and bias where `modulated`.
OperatorCase make(const std::string& name, const Sizes& sizes, DType dtype = DType::kFloat32,
                  bool modulated = true, double reach = 2, unsigned seed = 1) {
  return {
      .name = name,
      .op = ops::deform_conv2d(),
      .attributes = sizes.attributes(),
      .inputs = {random_tensor(dtype, sizes.x, -1, 1, seed), random_tensor(dtype, sizes.w(), -1, 1, seed + 1),
                 random_tensor(dtype, sizes.maps(2), -reach, reach, seed + 2),
                 modulated ? random_tensor(dtype, {sizes.out_channels}, -1, 1, seed + 3) : Tensor(),
                 modulated ? random_tensor(dtype, sizes.maps(1), 0, 1, seed + 4) : Tensor()},
      .absolute = 1e-4,
      .relative = 1e-4,
      .in_engines = false};
}

Tensor numbers(const Shape& shape, int modulus, float scale) {
  std::vector<float> values(static_cast<std::size_t>(test::expect_ok(element_count(shape))));
  const int middle = (modulus - 1) / 2;
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(static_cast<int>(7 * i) % modulus - middle) / scale;
  return Tensor::from(shape, values);
}

TEST(DeformConv2d, GivesWhatTorchvisionGives) {
  ops::Serial serial;
  for (const auto& known : test::kDeformConvNumbers) {
    Sizes sizes = {
        .x = known.x, .out_channels = known.w[0], .kernel_height = known.w[2], .kernel_width = known.w[3]};
    sizes.strides = {known.stride, known.stride};
    sizes.pads = {known.pad, known.pad, known.pad, known.pad};
    sizes.dilations = {known.dilation, known.dilation};
    sizes.group = known.group;
    sizes.offset_group = known.offset_group;
    const OperatorCase test = {
        .name = "W " + to_string(known.w),
        .op = ops::deform_conv2d(),
        .attributes = sizes.attributes(),
        .inputs = {numbers(known.x, 11, 4), numbers(known.w, 17, 8), numbers(sizes.maps(2), 13, 5),
                   known.bias ? numbers({known.w[0]}, 5, 2) : Tensor(),
                   known.mask ? numbers(sizes.maps(1), 19, 10) : Tensor()}};
    for (const bool reference : {true, false}) {
      const auto found = test::expect_ok(test::run_kernel(test, reference, serial));
      const auto y = found[0].data<float>();
      ASSERT_EQ(y.size(), known.y.size());
      for (std::size_t i = 0; i < y.size(); ++i)
        EXPECT_NEAR(y[i], known.y[i], 2e-6)
            << test.name << ", element " << i << (reference ? ", reference" : "");
    }
  }
}

TEST(DeformConv2d, GivesWhatOnnxExpects) {
  const auto cases = test::onnx_cases("deform_conv", "DeformConv", ops::deform_conv2d());
  if (cases.empty()) GTEST_SKIP() << test::kNoCases;
  EXPECT_GE(cases.size(), 4U);
  for (const auto& onnx : cases) test::expect_onnx_result(onnx, 1e-4);
}

TEST(DeformConv2d, AgreesWithItsReferenceForEveryType) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat16, DType::kBFloat16}) {
    for (const bool modulated : {false, true}) {
      OperatorCase test = make(to_string(dtype), {.x = {2, 19, 9, 11}, .out_channels = 21}, dtype, modulated);
      test.absolute = dtype == DType::kFloat32 ? 1e-4 : 1e-2;  // sums near 0
      expect_agreement(test);
    }
  }
}

TEST(DeformConv2d, TakesInputsOfDifferentTypes) {
  OperatorCase test = make("mixed", {.x = {1, 5, 9, 11}, .out_channels = 6}, DType::kFloat16);
  test.inputs[2] = test::as_dtype(test.inputs[2], DType::kFloat32);
  test.inputs[3] = test::as_dtype(test.inputs[3], DType::kBFloat16);
  test.absolute = 1e-2;
  expect_agreement(test);
}

TEST(DeformConv2d, RunsInsideEveryEngine) {
  for (const bool modulated : {false, true}) {
    OperatorCase test =
        make(modulated ? "v2" : "v1", {.x = {1, 8, 7, 9}, .out_channels = 5}, DType::kFloat32, modulated);
    test.in_engines = true;
    expect_agreement(test);
  }
}

TEST(DeformConv2d, TakesEveryShapeOfKernelAndGroup) {
  expect_agreement(make("groups", {.x = {1, 12, 8, 8}, .out_channels = 6, .group = 3, .offset_group = 2}));
  expect_agreement(make("offsets finer than groups",
                        {.x = {1, 12, 8, 8}, .out_channels = 6, .group = 2, .offset_group = 6}));
  expect_agreement(
      make("one channel a group", {.x = {1, 10, 8, 8}, .out_channels = 10, .group = 10, .offset_group = 5}));
  expect_agreement(make("strides", {.x = {2, 3, 13, 12},
                                    .out_channels = 4,
                                    .kernel_height = 2,
                                    .kernel_width = 5,
                                    .strides = {2, 3},
                                    .pads = {0, 1, 2, 3},
                                    .dilations = {3, 2}}));
  expect_agreement(make(
      "one tap",
      {.x = {1, 40, 5, 5}, .out_channels = 35, .kernel_height = 1, .kernel_width = 1, .pads = {0, 0, 0, 0}}));
}

TEST(DeformConv2d, SumsOverMoreThanTheCacheHolds) {
  // Parts of the sum that begin and end within a tap, all widths of panels, several tiles.
  for (const std::int64_t outputs : {16, 33, 50, 64, 130})
    expect_agreement(
        make("deep " + std::to_string(outputs), {.x = {1, 150, 14, 15}, .out_channels = outputs}));
}

TEST(DeformConv2d, TakesOffsetsThatReachAnywhere) {
  OperatorCase far = make("far", {.x = {1, 3, 6, 7}, .out_channels = 2}, DType::kFloat32, true, 12);
  expect_agreement(far);
  const auto offsets = far.inputs[2].mutable_data<float>();
  const float odd[] = {kNaN, kInfinity, -kInfinity, 1e30F, -1e30F, 3e9F, -3e9F, 1e-30F};
  for (std::size_t i = 0; i < offsets.size(); i += 3) offsets[i] = odd[i / 3 % std::size(odd)];
  expect_agreement(far);
}

TEST(DeformConv2d, CountsPartOfAnElementBetweenTheMapAndTheOutside) {
  ops::Serial serial;
  // One tap at (0, 0) moved to rows -0.25, -1, 1.75 and 2 of a map with two rows.
  const OperatorCase test = {
      .name = "edges",
      .op = ops::deform_conv2d(),
      .attributes = {{"pads", List{0, 0, 2, 0}}},
      .inputs = {Tensor::from(Shape{1, 1, 2, 1}, std::vector<float>{8, 4}),
                 Tensor::from(Shape{1, 1, 1, 1}, std::vector<float>{1}),
                 Tensor::from(Shape{1, 2, 4, 1}, std::vector<float>{-0.25F, -2, -0.25F, -1, 0, 0, 0, 0})}};
  for (const bool reference : {true, false}) {
    const auto found = test::expect_ok(test::run_kernel(test, reference, serial));
    const auto y = found[0].data<float>();
    EXPECT_THAT(std::vector<float>(y.begin(), y.end()), testing::ElementsAre(6, 0, 1, 0));
  }
}

TEST(DeformConv2d, LeavesInfinitiesOutsideAlone) {
  ops::Serial serial;
  // Half of the first element, the second one, and two taps that are moved away from an infinite
  // neighbourhood.
  const OperatorCase test = {
      .name = "infinite",
      .op = ops::deform_conv2d(),
      .attributes = {},
      .inputs = {Tensor::from(Shape{1, 1, 1, 4}, std::vector<float>{4, 2, 1, kInfinity}),
                 Tensor::from(Shape{1, 1, 1, 4}, std::vector<float>{1, 1, 0.5F, 0.5F}),
                 Tensor::from(Shape{1, 8, 1, 1}, std::vector<float>{0, -0.5F, 0, 0, 0, -9, 9, 0})}};
  for (const bool reference : {true, false})
    EXPECT_EQ(test::expect_ok(test::run_kernel(test, reference, serial))[0].data<float>()[0], 4);
}

TEST(DeformConv2d, TakesEmptyTensors) {
  expect_agreement(make("no maps", {.x = {0, 3, 5, 5}, .out_channels = 2}));
  expect_agreement(make("no channels", {.x = {1, 0, 5, 5}, .out_channels = 2}));
  expect_agreement(make("no outputs", {.x = {1, 3, 5, 5}, .out_channels = 0}));
  expect_agreement(make("only padding", {.x = {1, 3, 0, 5}, .out_channels = 2, .pads = {2, 1, 2, 1}}));
}

TEST(DeformConv2d, RefusesWhatDoesNotFit) {
  const auto& op = ops::deform_conv2d();
  const auto infer = [&](const ops::Attributes& given, const std::vector<Shape>& shapes) {
    std::vector<Type> types;
    for (const Shape& shape : shapes)
      types.push_back(shape.empty() ? Type() : Type::tensor(DType::kFloat32, shape));
    return ops::infer_types(op, test::expect_ok(ops::complete_attributes(op, given)), types);
  };
  using test::expect_error;
  const Shape x = {1, 4, 6, 6};
  const Shape w = {8, 4, 3, 3};
  const Shape offset = {1, 18, 4, 4};
  test::expect_ok(infer({}, {x, w, offset}));
  test::expect_ok(infer({{"kernel_shape", List{3, 3}}}, {x, w, offset, {8}, {1, 9, 4, 4}}));
  const auto bad = [&](const ops::Attributes& given, const std::vector<Shape>& shapes,
                       const std::string& text) {
    expect_error(infer(given, shapes), ErrorCode::kInvalidInput, text);
  };
  bad({}, {{1, 4, 6}, w, offset}, "'X' is float32[1, 4, 6], expected a tensor of rank 4");
  bad({}, {x, {8, 3, 3, 3}, offset}, "'W' is");
  bad({}, {x, {8, 4, 0, 3}, offset}, "at least one element");
  bad({{"kernel_shape", List{5, 3}}}, {x, w, offset}, "'W' is");
  bad({}, {x, w, {1, 9, 4, 4}}, "'offset' is");
  bad({}, {x, w, {1, 18, 6, 6}}, "'offset' is");
  bad({}, {x, w, offset, {7}}, "'B' is");
  bad({}, {x, w, offset, {}, {1, 18, 4, 4}}, "'mask' is");
  bad({{"group", std::int64_t{3}}}, {x, w, offset}, "multiple of group = 3");
  bad({{"offset_group", std::int64_t{3}}}, {x, w, offset}, "multiple of offset_group = 3");
  bad({}, {{1, 4, 2, 6}, w, offset}, "the padded height of X, 2");
  bad({}, {{1, 4, 65536, 65536}, w, offset}, "less than 2^31");
  const auto bad_attribute = [&](const ops::Attributes& given, const std::string& text) {
    expect_error(infer(given, {x, w, offset}), ErrorCode::kInvalidModel, text);
  };
  bad_attribute({{"strides", List{0, 1}}}, "'strides' is [0, 1], expected 2 numbers from 1");
  bad_attribute({{"pads", List{1, 1}}}, "'pads' is [1, 1], expected 4 numbers from 0");
  bad_attribute({{"dilations", List{1, 1 << 30}}}, "'dilations'");
  bad_attribute({{"group", std::int64_t{0}}}, "group and offset_group are 0 and 1");
}

TEST(DeformConv2d, KeepsWhatIsKnownOfOpenSizes) {
  const auto& op = ops::deform_conv2d();
  const auto infer = [&](const Type& x, const Type& w, const Type& offset) {
    const Type types[] = {x, w, offset};
    return to_string(
        test::expect_ok(ops::infer_types(op, test::expect_ok(ops::complete_attributes(op, {})), types))[0]);
  };
  const Type open = Type::tensor(DType::kFloat32);
  EXPECT_EQ(infer(open, open, open), "float32[?, ?, ?, ?]");
  EXPECT_EQ(infer(open, Type::tensor(DType::kFloat32, Shape{8, 4, 3, 3}), open), "float32[?, 8, ?, ?]");
  EXPECT_EQ(infer(open, open, Type::tensor(DType::kFloat32, Shape{2, 18, 5, 6})), "float32[2, ?, 5, 6]");
}

TEST(DeformConv2d, SurvivesRandomShapesAndNumbers) {
  std::mt19937 generator(5);
  const auto draw = [&](int low, int high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(generator);
  };
  for (unsigned round = 0; round < 120; ++round) {
    Sizes sizes;
    sizes.group = draw(1, 3);
    sizes.offset_group = draw(1, 3);
    sizes.x = {draw(0, 2), sizes.group * sizes.offset_group * draw(0, 7), draw(0, 9), draw(0, 9)};
    sizes.out_channels = sizes.group * draw(0, 9);
    sizes.kernel_height = draw(1, 4);
    sizes.kernel_width = draw(1, 4);
    sizes.strides = {draw(1, 3), draw(1, 3)};
    sizes.pads = {draw(0, 3), draw(0, 3), draw(0, 3), draw(0, 3)};
    sizes.dilations = {draw(1, 2), draw(1, 2)};
    if (sizes.x[2] + sizes.pads[0] + sizes.pads[2] <= sizes.dilations[0] * (sizes.kernel_height - 1))
      continue;
    if (sizes.x[3] + sizes.pads[1] + sizes.pads[3] <= sizes.dilations[1] * (sizes.kernel_width - 1)) continue;
    OperatorCase test =
        make("round " + std::to_string(round), sizes, DType::kFloat32, draw(0, 1) == 0, 5, round);
    if (draw(0, 1) == 0) {  // any bits
      for (float& value : test.inputs[2].mutable_data<float>())
        value = std::bit_cast<float>(static_cast<std::uint32_t>(generator()));
    }
    expect_agreement(test);
  }
}

}  // namespace
}  // namespace tarmac
