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

using test::expect_agreement;
using test::OperatorCase;
using Floats = std::vector<float>;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

const ops::Operator& decode() { return *ops::find_operator("tarmac", "BoxDecode3d"); }

/// scale·sin(step·i + start) + offset of element i, so that Python can make the same.
Tensor wave(const Shape& shape, double step, double start, double scale, float offset = 0) {
  std::vector<float> values(static_cast<std::size_t>(test::expect_ok(element_count(shape))));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(scale * std::sin(step * static_cast<double>(i) + start)) + offset;
  return Tensor::from(shape, values);
}

/// Two classes on maps of 5 × 6 cells.
OperatorCase centerpoint() {
  return {.name = "centerpoint",
          .op = decode(),
          .attributes = {{"style", std::string("centerpoint")},
                         {"max_boxes", std::int64_t{6}},
                         {"score_threshold", 0.9F},
                         {"out_size_factor", std::int64_t{4}},
                         {"voxel_size", Floats{0.2F, 0.25F}},
                         {"point_cloud_range", Floats{-10, -3, -5, 10, 10, 3}},
                         {"post_center_range", Floats{-10, -10, -1.2F, 4.5F, 10, 10}}},
          .inputs = {wave({2, 2, 5, 6}, 0.77, 0.1, 3), wave({2, 2, 5, 6}, 0.31, 0.5, 0.5, 0.5F),
                     wave({2, 1, 5, 6}, 0.53, 0.2, 1.5), wave({2, 3, 5, 6}, 0.41, 0.7, 1.2),
                     wave({2, 2, 5, 6}, 0.93, 0.3, 1), wave({2, 2, 5, 6}, 0.61, 0.9, 5)}};
}

OperatorCase bevformer() {
  return {.name = "bevformer",
          .op = decode(),
          .attributes = {{"style", std::string("bevformer")},
                         {"max_boxes", std::int64_t{5}},
                         {"post_center_range", Floats{-1, -1, -1, 1, 1, 0.9F}}},
          .inputs = {wave({1, 7, 3}, 0.77, 0.4, 3), wave({1, 7, 10}, 0.43, 0.2, 1.1), Tensor(), Tensor(),
                     Tensor(), Tensor()}};
}

struct Box {
  std::int32_t label;
  float score;
  Floats numbers;
};

void expect_boxes(const OperatorCase& test, std::size_t b, const std::vector<Box>& expected) {
  const auto outputs = test::run_reference(test);
  const auto columns = static_cast<std::size_t>(outputs[0].shape()[2]);
  const auto most = static_cast<std::size_t>(outputs[0].shape()[1]);
  EXPECT_EQ(outputs[3].data<std::int32_t>()[b], static_cast<std::int32_t>(expected.size()));
  for (std::size_t i = 0; i < most; ++i) {
    const bool is_box = i < expected.size();
    EXPECT_EQ(outputs[2].data<std::int32_t>()[b * most + i], is_box ? expected[i].label : -1) << "box " << i;
    EXPECT_NEAR(outputs[1].data<float>()[b * most + i], is_box ? expected[i].score : 0, 2e-6) << "box " << i;
    for (std::size_t c = 0; c < columns; ++c) {
      EXPECT_NEAR(outputs[0].data<float>()[(b * most + i) * columns + c], is_box ? expected[i].numbers[c] : 0,
                  2e-5)
          << "box " << i << ", column " << c;
    }
  }
}

TEST(BoxDecode3d, GivesWhatTheCoderOfMmdetection3dGives) {
  // CenterPointBBoxCoder's steps in torch 2.5.1 on the same waves.
  const OperatorCase test = centerpoint();
  expect_agreement(test);
  expect_boxes(
      test, 0,
      {{1,
        0.952538F,
        {-5.62607F, 1.47024F, 0.206289F, 1.02876F, 0.749434F, 0.557171F, 2.43154F, -1.28326F, -3.61837F}},
       {0,
        0.952376F,
        {-6.57701F, -1.33626F, -1.05831F, 0.302584F, 0.307009F, 0.338556F, -2.41919F, 3.28493F, 0.8324F}},
       {0,
        0.952249F,
        {-7.63996F, -2.91944F, 1.42814F, 3.31498F, 3.12723F, 2.72215F, 2.43655F, 4.2647F, 5.0F}},
       {0,
        0.950407F,
        {-9.68072F, 0.661058F, -0.465041F, 3.22032F, 3.31688F, 3.13928F, -0.871111F, -3.16867F, -4.72227F}},
       {1,
        0.949094F,
        {-9.19337F, -0.0234029F, 1.08313F, 0.740384F, 0.551125F, 0.427853F, -0.323518F, 2.80162F,
         4.55217F}}});
  expect_boxes(
      test, 1,
      {{1,
        0.95257F,
        {-9.77497F, 0.772974F, 0.728675F, 2.74086F, 2.22873F, 1.71269F, -1.21051F, -4.88522F, -3.60954F}},
       {1,
        0.9514F,
        {-6.48293F, -1.45801F, 0.835973F, 0.402984F, 0.511429F, 0.680493F, 2.55264F, -1.86526F, -4.01363F}},
       {0,
        0.951106F,
        {-8.5359F, -1.87429F, 1.22917F, 1.54454F, 2.04177F, 2.56654F, -0.373488F, -4.00599F, -1.85339F}}});
}

TEST(BoxDecode3d, GivesWhatTheCoderOfBevformerGives) {
  // NMSFreeCoder's steps in torch 2.5.1 on the same waves.
  const OperatorCase test = bevformer();
  expect_agreement(test);
  const Floats box = {0.559528F, 0.903394F, 0.853367F,  2.95288F, 2.90092F,
                      1.62634F,  3.07026F,  -0.813235F, -1.04798F};
  expect_boxes(test, 0, {{1, 0.948322F, box}, {0, 0.930701F, box}});
}

TEST(BoxDecode3d, LeavesVelocitiesOutWhereThereAreNone) {
  OperatorCase map = centerpoint();
  map.inputs[5] = Tensor();
  expect_agreement(map);
  EXPECT_EQ(test::run_reference(map)[0].shape(), (Shape{2, 6, 7}));
  OperatorCase queries = bevformer();
  queries.inputs[1] = wave({1, 7, 8}, 0.43, 0.2, 1.1);
  expect_agreement(queries);
  EXPECT_EQ(test::run_reference(queries)[0].shape(), (Shape{1, 5, 7}));
}

TEST(BoxDecode3d, ScalesNormalizedCentresToTheRange) {
  OperatorCase test = {.name = "normalized",
                       .op = decode(),
                       .attributes = {{"style", std::string("bevformer")},
                                      {"max_boxes", std::int64_t{1}},
                                      {"normalized", std::int64_t{1}},
                                      {"exp_size", std::int64_t{0}},
                                      {"sigmoid", std::int64_t{0}},
                                      {"point_cloud_range", Floats{-50, -40, -5, 50, 40, 3}}},
                       .inputs = {Tensor::from<float>({1, 1, 1}, {0.25F}),
                                  Tensor::from<float>({1, 1, 8}, {0.75F, 0.25F, 4, 2, 0.5F, 1.5F, 1, 0}),
                                  Tensor(), Tensor(), Tensor(), Tensor()}};
  expect_agreement(test);
  expect_boxes(test, 0, {{0, 0.25F, {25, -20, -1, 4, 2, 1.5F, 1.5707963F}}});
}

TEST(BoxDecode3d, TurnsLegacyAxesIntoTheSameRectangle) {
  // mmdetection3d before 1.0: at yaw r, width lies along (cos r, −sin r), length along (−sin r, −cos r).
  for (const float r : {0.0F, 0.4F, 2.5F, -1.9F, 3.1F}) {
    const float width = 2;
    const float length = 5;
    OperatorCase test = {
        .name = "legacy",
        .op = decode(),
        .attributes = {{"style", std::string("bevformer")},
                       {"max_boxes", std::int64_t{1}},
                       {"exp_size", std::int64_t{0}},
                       {"legacy_axes", std::int64_t{1}}},
        .inputs = {Tensor::from<float>({1, 1, 1}, {1}),
                   Tensor::from<float>({1, 1, 8}, {3, 4, width, length, 0, 1, std::sin(r), std::cos(r)}),
                   Tensor(), Tensor(), Tensor(), Tensor()}};
    expect_agreement(test);
    const auto outputs = test::run_reference(test);
    const auto box = outputs[0].data<float>();
    EXPECT_EQ(box[3], length);
    EXPECT_EQ(box[4], width);
    EXPECT_LE(std::abs(box[6]), 3.1415927F);
    EXPECT_NEAR(std::cos(box[6]), -std::sin(r), 1e-6);
    EXPECT_NEAR(std::sin(box[6]), -std::cos(r), 1e-6);
  }
}

TEST(BoxDecode3d, ReadsCosineFirstWhereToldSo) {
  OperatorCase test = centerpoint();
  test.attributes["cos_first"] = std::int64_t{1};
  test.attributes["exp_size"] = std::int64_t{0};
  expect_agreement(test);
  const auto swapped = test::run_reference(test);
  const auto plain = test::run_reference(centerpoint());
  EXPECT_NEAR(swapped[0].data<float>()[6], std::remainder(1.5707963F - plain[0].data<float>()[6], 6.2831853F),
              1e-5);
  EXPECT_NEAR(std::exp(swapped[0].data<float>()[3]), plain[0].data<float>()[3], 1e-5);
}

TEST(BoxDecode3d, TakesPeaksOnlyWhereToldSo) {
  const Floats heat = {1, 2, 3,     //
                       2, 5, 5,     //
                       1, 0, kNan,  //
                       4, 1, 0.5F};
  const auto case_of = [&](std::int64_t peaks_only) {
    return OperatorCase{
        .name = "peaks",
        .op = decode(),
        .attributes = {{"style", std::string("centerpoint")},
                       {"max_boxes", std::int64_t{12}},
                       {"sigmoid", std::int64_t{0}},
                       {"peaks_only", peaks_only},
                       {"voxel_size", Floats{1, 1, 8}},
                       {"point_cloud_range", Floats{0, 0, 0, 3, 4, 1}}},
        .inputs = {Tensor::from({1, 1, 4, 3}, heat), wave({1, 2, 4, 3}, 0, 0, 0), wave({1, 1, 4, 3}, 0, 0, 0),
                   wave({1, 3, 4, 3}, 0, 0, 0), wave({1, 2, 4, 3}, 0, 0, 0), Tensor()}};
  };
  expect_agreement(case_of(1));
  expect_agreement(case_of(0));
  EXPECT_EQ(test::run_reference(case_of(0))[3].data<std::int32_t>()[0], 10);
  expect_boxes(case_of(1), 0,
               {{0, 5, {1, 1, 0, 1, 1, 1, 0}}, {0, 5, {2, 1, 0, 1, 1, 1, 0}}, {0, 4, {0, 3, 0, 1, 1, 1, 0}}});
}

TEST(BoxDecode3d, NeverTakesScoresThatAreNoNumbers) {
  OperatorCase test = bevformer();
  test.attributes["score_threshold"] = -1.0F;
  test.attributes["max_boxes"] = std::int64_t{21};
  test.attributes["post_center_range"] = Floats{};
  Floats scores(21, kNan);
  scores[4] = -kInfinity;
  scores[7] = kInfinity;
  scores[20] = -200.0F;
  test.inputs[0] = Tensor::from({1, 7, 3}, scores);
  expect_agreement(test);
  const auto outputs = test::run_reference(test);
  EXPECT_EQ(outputs[3].data<std::int32_t>()[0], 2);
  EXPECT_EQ(outputs[1].data<float>()[0], 1);
  EXPECT_EQ(outputs[1].data<float>()[1], 0);
  EXPECT_EQ(outputs[2].data<std::int32_t>()[1], 2);
}

TEST(BoxDecode3d, TakesTheSameAsTheReferenceFromLargeMaps) {
  for (unsigned seed = 0; seed < 12; ++seed) {
    std::mt19937 generator(seed);
    const auto draw = [&](std::int64_t most) {
      return std::uniform_int_distribution<std::int64_t>(0, most)(generator);
    };
    constexpr DType kFloats[] = {DType::kFloat32, DType::kFloat16, DType::kBFloat16};
    constexpr float kThresholds[] = {0, 0.1F, 0.5F, 0.99F, 1, -1, 1e-30F, 0.9999999F};
    const DType dtype = kFloats[seed % 3];
    const std::int64_t height = 40 + draw(160);
    const std::int64_t width = 41 + draw(160);
    const auto map = [&](std::int64_t channels, double low, double high) {
      return test::random_tensor(dtype, {1, channels, height, width}, low, high,
                                 seed + static_cast<unsigned>(channels));
    };
    OperatorCase test = {
        .name = "map " + std::to_string(seed),
        .op = decode(),
        .attributes = {{"style", std::string("centerpoint")},
                       {"max_boxes", seed == 1 ? std::int64_t{40000} : 1 + draw(700)},
                       {"score_threshold", kThresholds[seed % 8]},
                       {"sigmoid", seed % 4 == 3 ? std::int64_t{0} : std::int64_t{1}},
                       {"peaks_only", draw(1)},
                       {"voxel_size", Floats{0.1F, 0.1F}},
                       {"point_cloud_range", Floats{-50, -50, -5, 50, 50, 3}},
                       {"post_center_range", Floats{-49, -49, -2, 49, 49, 2}}},
        .inputs = {map(5, -30, 20), map(2, 0, 1), map(1, -3, 3), map(3, -1, 2), map(2, -1, 1), map(2, -9, 9)},
        .in_engines = seed < 3};
    expect_agreement(test);
  }
}

TEST(BoxDecode3d, TakesRisingAndEqualScoresInTheirOrder) {
  std::vector<float> rising(90000);
  for (std::size_t i = 0; i < rising.size(); ++i) {
    const std::size_t step = i / 7;
    rising[i] = static_cast<float>(step) * 1e-4F;
  }
  for (const bool equal : {false, true}) {
    expect_agreement({.name = "rising",
                      .op = decode(),
                      .attributes = {{"style", std::string("bevformer")}, {"max_boxes", std::int64_t{300}}},
                      .inputs = {equal ? Tensor::from({1, 30000, 3}, std::vector<float>(90000, -0.0F))
                                       : Tensor::from({1, 30000, 3}, rising),
                                 test::random_tensor(DType::kFloat32, {1, 30000, 8}, -1, 1, 1), Tensor(),
                                 Tensor(), Tensor(), Tensor()},
                      .in_engines = false});
  }
}

TEST(BoxDecode3d, TakesAnyBitsAndAnySizes) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 generator(seed);
    const auto draw = [&](std::int64_t most) {
      return std::uniform_int_distribution<std::int64_t>(0, most)(generator);
    };
    constexpr DType kFloats[] = {DType::kFloat32, DType::kFloat16, DType::kBFloat16};
    const auto garbage = [&](const Shape& shape) {
      Tensor tensor = test::expect_ok(Tensor::allocate(kFloats[draw(2)], shape));
      for (std::byte& byte : tensor.mutable_bytes()) byte = static_cast<std::byte>(draw(255));
      return tensor;
    };
    const bool maps = draw(1) == 0;
    const std::int64_t batch = draw(2);
    const std::int64_t height = draw(9);
    const std::int64_t width = draw(19);
    const auto map = [&](std::int64_t channels) { return garbage({batch, channels, height, width}); };
    std::vector<Tensor> inputs =
        maps
            ? std::vector<Tensor>{map(draw(4)), map(2), map(1),
                                  map(3),       map(2), draw(1) == 0 ? map(2) : Tensor()}
            : std::vector<Tensor>{garbage({batch, width, draw(5)}), garbage({batch, width, 8 + 2 * draw(1)})};
    inputs.resize(6);
    expect_agreement(
        {.name = "garbage " + std::to_string(seed),
         .op = decode(),
         .attributes = {{"style", std::string(maps ? "centerpoint" : "bevformer")},
                        {"max_boxes", draw(300)},
                        {"score_threshold", 0.3F * static_cast<float>(draw(2))},
                        {"sigmoid", draw(1)},
                        {"legacy_axes", draw(1)},
                        {"peaks_only", maps ? draw(1) : 0},
                        {"voxel_size", Floats{0.1F, 0.1F}},
                        {"point_cloud_range", Floats{-50, -50, -5, 50, 50, 3}},
                        {"post_center_range", draw(1) == 0 ? Floats{} : Floats{-9, -9, -9, 9, 9, 9}}},
         .inputs = inputs,
         .in_engines = false});
  }
}

TEST(BoxDecode3d, SaysWhatIsWrong) {
  ops::Serial serial;
  const auto expect_refused = [&](const OperatorCase& test, const char* text) {
    test::expect_error(test::run_kernel(test, false, serial), ErrorCode::kInvalidInput, text);
  };
  const auto with_attribute = [](OperatorCase test, const char* name, ops::AttributeValue value) {
    test.attributes[name] = std::move(value);
    return test;
  };
  const auto with_input = [](OperatorCase test, std::size_t i, Tensor input) {
    test.inputs[i] = std::move(input);
    return test;
  };
  expect_refused(with_attribute(centerpoint(), "style", std::string("fcos3d")), "the style is 'fcos3d'");
  expect_refused(with_attribute(centerpoint(), "voxel_size", Floats{}), "needs voxel_size");
  expect_refused(with_attribute(centerpoint(), "point_cloud_range", Floats{}), "and point_cloud_range");
  expect_refused(with_attribute(centerpoint(), "post_center_range", Floats{1}),
                 "post_center_range has 1 values");
  expect_refused(with_attribute(centerpoint(), "max_boxes", std::int64_t{-1}),
                 "max_boxes must not be negative");
  expect_refused(with_attribute(bevformer(), "peaks_only", std::int64_t{1}), "no map for peaks_only");
  expect_refused(with_attribute(bevformer(), "normalized", std::int64_t{1}), "needs point_cloud_range");
  expect_refused(with_input(centerpoint(), 3, Tensor()), "needs the input 'size'");
  expect_refused(with_input(centerpoint(), 3, wave({2, 3, 5, 7}, 1, 0, 1)), "the input 'size' is");
  expect_refused(with_input(bevformer(), 1, wave({1, 7, 9}, 1, 0, 1)), "expected 8 columns");
  expect_refused(with_input(bevformer(), 4, wave({1, 7, 9}, 1, 0, 1)), "alone");
}

}  // namespace
}  // namespace tarmac
