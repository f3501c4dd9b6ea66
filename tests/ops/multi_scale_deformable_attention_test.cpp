#include "ops/multi_scale_deformable_attention/operator.h"

#include <cmath>
#include <limits>

#include "support/expect.h"
#include "support/operator_check.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

using ops::multi_scale_deformable_attention;
using test::expect_agreement;
using test::expect_error;
using test::OperatorCase;
using test::random_tensor;

enum Input : std::uint8_t {
  kValue,
  kShapes,
  kStarts,
  kSampling,
  kWeights,
  kReference,
  kScale,
  kMask,
  kInputs
};

struct Sizes {
  std::int64_t batch = 2;
  std::int64_t heads = 2;
  std::int64_t depth = 32;
  std::int64_t queries = 9;
  std::int64_t points = 4;
  std::vector<std::int64_t> levels = {5, 7, 3, 4};  ///< height, width, height, …

  [[nodiscard]] std::int64_t level_count() const { return static_cast<std::int64_t>(levels.size() / 2); }
  [[nodiscard]] std::int64_t cells() const {
    std::int64_t sum = 0;
    for (std::size_t l = 0; l + 1 < levels.size(); l += 2) sum += levels[l] * levels[l + 1];
    return sum;
  }
};

/// Locations a little beyond the maps on all sides.
OperatorCase random_case(const std::string& name, const Sizes& s, DType dtype = DType::kFloat32) {
  std::vector<Tensor> inputs(kInputs);
  inputs[kValue] = dtype == DType::kInt8
                       ? test::random_integers(dtype, {s.batch, s.cells(), s.heads, s.depth}, -128, 127, 1)
                       : random_tensor(dtype, {s.batch, s.cells(), s.heads, s.depth}, -1, 1, 1);
  inputs[kShapes] = Tensor::from({s.level_count(), 2}, s.levels);
  inputs[kSampling] = random_tensor(
      DType::kFloat32, {s.batch, s.queries, s.heads, s.level_count(), s.points, 2}, -0.4, 1.4, 2);
  inputs[kWeights] =
      random_tensor(DType::kFloat32, {s.batch, s.queries, s.heads, s.level_count(), s.points}, 0, 1, 3);
  // Locations in float32 are off by some 1e-6 cells, and neighbouring cells differ by up to 2.
  OperatorCase test{name, multi_scale_deformable_attention(), {}, std::move(inputs), 5e-5, 5e-5};
  if (dtype == DType::kInt8) test.absolute = 5e-3;  // values up to 128
  return test;
}

/// Offsets of some cells from reference points within the map.
OperatorCase with_references(const std::string& name, const Sizes& s, const std::string& mode,
                             std::int64_t count, std::int64_t width) {
  OperatorCase test = random_case(name, s);
  test.attributes = {{"reference_mode", mode}};
  test.inputs[kSampling] = random_tensor(DType::kFloat32, test.inputs[kSampling].shape(), -4, 4, 4);
  test.inputs[kReference] = random_tensor(DType::kFloat32, {s.batch, s.queries, count, width}, 0, 1, 5);
  return test;
}

Tensor floats(const Shape& shape, const std::vector<float>& values) { return Tensor::from(shape, values); }

/// One head of one channel, one query with one sample on a 2×2 map of 1 2 / 3 4.
OperatorCase single_sample(float x, float y, float weight = 1) {
  return {
      "single",
      multi_scale_deformable_attention(),
      {},
      {floats({1, 4, 1, 1}, {1, 2, 3, 4}), Tensor::from<std::int64_t>({1, 2}, {2, 2}), Tensor(),
       floats({1, 1, 1, 1, 1, 2}, {x, y}), floats({1, 1, 1, 1, 1}, {weight}), Tensor(), Tensor(), Tensor()}};
}

float result_of(const OperatorCase& test) { return test::run_reference(test)[0].data<float>()[0]; }

TEST(MultiScaleDeformableAttention, ReadsBetweenCells) {
  EXPECT_FLOAT_EQ(result_of(single_sample(0.25F, 0.25F)), 1);    // the first cell's centre
  EXPECT_FLOAT_EQ(result_of(single_sample(0.5F, 0.5F)), 2.5);    // the middle of the map
  EXPECT_FLOAT_EQ(result_of(single_sample(0.5F, 0.25F, 2)), 3);  // between 1 and 2, twice
  EXPECT_FLOAT_EQ(result_of(single_sample(1, 0.75F)), 2);        // half of 4, half outside
  EXPECT_FLOAT_EQ(result_of(single_sample(0, 0)), 0.25);         // a quarter of 1
  EXPECT_FLOAT_EQ(result_of(single_sample(1.25F, 0.25F)), 0);    // a whole cell outside
  for (const auto& [x, y] : {std::pair{0.3F, 0.8F}, {0.99F, 0.01F}, {1.2F, -0.2F}})
    expect_agreement(single_sample(x, y));
}

TEST(MultiScaleDeformableAttention, LeavesOutSamplesThatAreNowhere) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float x : {nan, infinity, -infinity, 1e30F, -1e30F, 3e9F, -3e9F}) {
    OperatorCase test = single_sample(x, 0.5F, nan);
    EXPECT_EQ(result_of(test), 0) << x;
    expect_agreement(test);
    std::swap(test.inputs[kSampling].mutable_data<float>()[0],
              test.inputs[kSampling].mutable_data<float>()[1]);
    EXPECT_EQ(result_of(test), 0) << x;
    expect_agreement(test);
  }
}

TEST(MultiScaleDeformableAttention, PassesNotANumberOn) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(result_of(single_sample(0.5F, 0.5F, nan))));
  expect_agreement(single_sample(0.5F, 0.5F, nan));
  OperatorCase value = random_case("a value that is not a number", {});
  for (std::size_t i = 0; i < 2000; i += 64) value.inputs[kValue].mutable_data<float>()[i] = nan;
  expect_agreement(value);
  OperatorCase logits = random_case("logits that are infinite or no numbers", {});
  logits.attributes = {{"softmax", std::int64_t{1}}};
  const auto weights = logits.inputs[kWeights].mutable_data<float>();
  weights[0] = nan;
  weights[8] = -std::numeric_limits<float>::infinity();                                        // weight 0
  for (std::size_t i = 16; i < 24; ++i) weights[i] = -std::numeric_limits<float>::infinity();  // 0 / 0
  weights[24] = std::numeric_limits<float>::infinity();
  expect_agreement(logits);
}

/// The sine waves that the numbers below were made from, in PyTorch 2.5.1 (float64, rounded to float32).
Tensor wave(const Shape& shape, double step, double scale = 1, double offset = 0) {
  Tensor tensor = test::expect_ok(Tensor::allocate(DType::kFloat32, shape));
  double i = 0;
  for (float& value : tensor.mutable_data<float>())
    value = static_cast<float>(std::sin(step * i++) * scale + offset);
  return tensor;
}

OperatorCase wave_case(const std::string& mode) {
  Tensor sampling = wave({2, 2, 2, 2, 4, 2}, 1.3);
  std::vector<Tensor> inputs(kInputs);
  inputs[kValue] = wave({2, 16, 2, 3}, 0.7);
  inputs[kShapes] = Tensor::from<std::int64_t>({2, 2}, {3, 4, 2, 2});
  inputs[kSampling] = sampling;
  inputs[kWeights] = wave({2, 2, 2, 2, 4}, 0.9, 2);
  if (mode == "locations") {
    for (float& x : inputs[kSampling].mutable_data<float>()) x = x * 0.7F + 0.5F;
    return {mode, multi_scale_deformable_attention(), {}, std::move(inputs)};
  }
  inputs[kReference] = wave({2, 2, 2, mode == "boxes" ? 4 : 2}, 0.37, 0.4, 0.5);
  return {
      mode,
      multi_scale_deformable_attention(),
      {{"softmax", std::int64_t{1}}, {"reference_mode", std::string(mode == "points" ? "points" : "levels")}},
      std::move(inputs)};
}

// bench/ops/torch_multi_scale_deformable_attention.py's attention() on the waves, after the location
// arithmetic of mmcv's MultiScaleDeformableAttention (levels, boxes) and of BEVFormer's
// MSDeformableAttention3D (points).
TEST(MultiScaleDeformableAttention, GivesTheNumbersOfPyTorch) {
  const std::vector<std::pair<std::string, std::vector<double>>> expected = {
      {"locations", {0.193805, 0.399146,  0.416763,  0.281502,  -0.154978, -0.518569, -0.557779,  0.0879945,
                     0.692383, -0.196524, 0.139076,  0.409266,  0.48275,   0.706561,  0.598065,   0.631908,
                     0.650111, 0.362557,  -0.613152, -0.647871, -0.377887, -0.193742, -0.0986537, 0.0428327}},
      {"levels", {0.16743,   0.241499,   0.201987,  -0.136789, 0.00398001, 0.142877,  -0.337138, -0.274301,
                  -0.082455, 0.0276432,  0.0524216, 0.0525453, 0.167081,   0.0262474, -0.126931, -0.108246,
                  -0.125668, -0.0839867, 0.179724,  0.121297,  0.00582226, -0.227319, -0.204991, -0.0862524}},
      {"boxes", {0.113301, 0.298754,  0.343698,  0.136488,  -0.026221, -0.176598, 0.164787,   0.395989,
                 0.440951, 0.374321,  0.0675945, -0.270922, -0.41658,  -0.331192, -0.0900386, 0.159499,
                 0.13414,  0.0456932, -0.271381, -0.401547, -0.342858, -0.143961, 0.150375,   0.373987}},
      {"points",
       {0.0801363, 0.00380517, -0.0743156,  0.139701,   0.171543, 0.122706,  -0.31475,  -0.277342,
        -0.109496, 0.0187497,  -0.00557318, -0.0272749, 0.206555, 0.160176,  0.0384636, 0.0805947,
        0.291383,  0.365129,   0.150118,    0.21567,    0.179789, -0.240939, -0.184152, -0.0407547}}};
  for (const auto& [mode, numbers] : expected) {
    const OperatorCase test = wave_case(mode);
    const auto outputs = test::run_reference(test);
    const auto found = outputs[0].data<float>();
    ASSERT_EQ(found.size(), numbers.size());
    for (std::size_t i = 0; i < numbers.size(); ++i)
      EXPECT_NEAR(found[i], numbers[i], 3e-6) << mode << " " << i;
    expect_agreement(test);
  }
}

/// Few queries on a large map read it where it lies; many on a small one have it packed.
std::vector<Sizes> few_and_many(std::int64_t depth) {
  return {{.depth = depth}, {.depth = depth, .queries = 1, .points = 1, .levels = {20, 30}}};
}

TEST(MultiScaleDeformableAttention, TakesEveryDepth) {
  for (const std::int64_t depth : {1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 32, 40, 48, 64, 72, 100, 128}) {
    for (const Sizes& sizes : few_and_many(depth)) {
      OperatorCase test = random_case("depth " + std::to_string(depth), sizes);
      test.in_engines = depth == 3;
      expect_agreement(test);
    }
  }
}

TEST(MultiScaleDeformableAttention, TakesEveryTypeOfValue) {
  for (const DType dtype : {DType::kFloat16, DType::kBFloat16, DType::kInt8}) {
    for (const std::int64_t depth : {5, 6, 16, 32, 64}) {
      for (const Sizes& sizes : few_and_many(depth)) {
        OperatorCase test =
            random_case(std::string(to_string(dtype)) + " " + std::to_string(depth), sizes, dtype);
        test.in_engines = depth == 32;
        expect_agreement(test);
      }
    }
  }
}

TEST(MultiScaleDeformableAttention, ScalesInt8ByTensorHeadOrChannel) {
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{2}, Shape{64}}) {
    OperatorCase test = random_case("scale " + to_string(shape), {}, DType::kInt8);
    test.inputs[kScale] = random_tensor(DType::kFloat32, shape, 0.001, 0.01, 6);
    test.absolute = 5e-5;
    expect_agreement(test);
  }
}

TEST(MultiScaleDeformableAttention, TakesLocationsAndWeightsIn16Bits) {
  for (const DType dtype : {DType::kFloat16, DType::kBFloat16}) {
    OperatorCase test =
        with_references(std::string("16 bits ") + to_string(dtype), {.points = 3}, "points", 3, 2);
    test.attributes["softmax"] = std::int64_t{1};
    for (const std::size_t i : {kSampling, kWeights, kReference})
      test.inputs[i] = test::as_dtype(test.inputs[i], dtype);
    expect_agreement(test);
  }
}

TEST(MultiScaleDeformableAttention, TakesAnyNumberOfLevelsAndPoints) {
  for (const std::int64_t points : {1, 3, 4, 8, 13, 70}) {
    for (const std::vector<std::int64_t>& levels : std::vector<std::vector<std::int64_t>>{
             {6, 9}, {1, 1, 1, 9, 9, 1}, {5, 5, 0, 3, 4, 0, 2, 2}, {8, 8, 4, 4, 2, 2, 1, 1, 1, 2}}) {
      OperatorCase test = random_case(std::to_string(points) + " points, levels " + to_string(levels),
                                      {.queries = 37, .points = points, .levels = levels});
      test.attributes = {{"softmax", std::int64_t{1}}};
      test.in_engines = points == 3;
      expect_agreement(test);
    }
  }
}

TEST(MultiScaleDeformableAttention, StartsFromReferences) {
  expect_agreement(with_references("one for each level", {}, "levels", 2, 2));
  expect_agreement(with_references("one for all levels", {}, "levels", 1, 2));
  expect_agreement(with_references("boxes", {}, "levels", 2, 4));
  expect_agreement(with_references("four anchors of a pillar", {.points = 8}, "points", 4, 2));
  expect_agreement(with_references("one anchor", {.points = 3}, "points", 1, 2));
}

TEST(MultiScaleDeformableAttention, SharesInputsOfBatchOne) {
  OperatorCase test = with_references("cameras that share queries", {.batch = 3}, "levels", 2, 2);
  for (const std::size_t i : {kSampling, kWeights, kReference}) {
    Shape shape = test.inputs[i].shape();
    shape[0] = 1;
    test.inputs[i] = random_tensor(DType::kFloat32, shape, 0, 1, 7);
  }
  expect_agreement(test);
}

TEST(MultiScaleDeformableAttention, SharesInputsOfASmallerBatch) {
  // Two cars with three cameras each: what belongs to a car serves its cameras.
  const Sizes whole{.batch = 6, .queries = 40, .points = 8};
  const auto with_mask = [&] {
    OperatorCase test = with_references("cars with cameras", whole, "points", 4, 2);
    test.attributes["softmax"] = std::int64_t{1};
    test.inputs[kMask] = test::random_integers(DType::kBool, {6, 40}, 0, 1, 8);
    return test;
  };
  OperatorCase test = with_mask();
  OperatorCase repeated = with_mask();
  for (const std::size_t i : {kSampling, kWeights}) {
    Shape shape = test.inputs[i].shape();
    shape[0] = 2;
    test.inputs[i] = random_tensor(DType::kFloat32, shape, -3, 3, 7);
    const auto from = test.inputs[i].data<float>();
    const auto to = repeated.inputs[i].mutable_data<float>();
    const std::size_t one = from.size() / 2;
    for (std::size_t b = 0; b < 6; ++b)
      std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(b / 3 * one), one,
                  to.begin() + static_cast<std::ptrdiff_t>(b * one));
  }
  expect_agreement(test);
  const auto found = test::run_reference(test);
  const auto expected = test::run_reference(repeated);
  ASSERT_EQ(found[0].count(), expected[0].count());
  for (std::size_t i = 0; i < found[0].data<float>().size(); ++i)
    ASSERT_EQ(found[0].data<float>()[i], expected[0].data<float>()[i]) << i;
}

TEST(MultiScaleDeformableAttention, ReadsLevelsWhereTheyBegin) {
  for (const DType dtype : {DType::kInt32, DType::kInt64}) {
    OperatorCase test = random_case("levels in another order", {});
    test.inputs[kShapes] = test::expect_ok(from_doubles(dtype, {2, 2}, {5, 7, 3, 4}));
    test.inputs[kStarts] = test::expect_ok(from_doubles(dtype, {2}, {12, 0}));
    expect_agreement(test);
  }
}

TEST(MultiScaleDeformableAttention, ComputesOnlyWhatTheMaskShows) {
  for (const DType dtype : {DType::kBool, DType::kUint8}) {
    OperatorCase test = random_case("mask", {.queries = 100});
    test.inputs[kMask] = test::random_integers(dtype, {2, 100}, 0, 1, 8);
    for (std::byte& seen : test.inputs[kMask].mutable_bytes().subspan(30, 40)) seen = std::byte{0};
    // What is not seen may be anything.
    const auto weights = test.inputs[kWeights].mutable_data<float>();
    std::fill_n(weights.begin() + 31 * 2 * 8, 30 * 2 * 8, std::numeric_limits<float>::quiet_NaN());
    const auto outputs = test::run_reference(test);
    const auto result = outputs[0].data<float>();
    for (std::size_t i = 30 * 64; i < 70 * 64; ++i) ASSERT_EQ(result[i], 0);
    expect_agreement(test);
    test.inputs[kMask] = test::expect_ok(from_doubles(dtype, {1, 100}, std::vector<double>(100, 0)));
    expect_agreement(test);
  }
}

TEST(MultiScaleDeformableAttention, ManyQueriesOnSeveralThreads) {
  OperatorCase test = random_case("many queries", {.batch = 1, .heads = 3, .queries = 3001, .points = 5});
  test.attributes = {{"softmax", std::int64_t{1}}};
  expect_agreement(test);
}

TEST(MultiScaleDeformableAttention, TakesEmptyTensors) {
  for (const Sizes& sizes : {Sizes{.batch = 0}, Sizes{.heads = 0}, Sizes{.depth = 0}, Sizes{.queries = 0},
                             Sizes{.points = 0}, Sizes{.levels = {}}, Sizes{.levels = {0, 5}}}) {
    OperatorCase test = random_case("empty", sizes);
    test.in_engines = false;
    expect_agreement(test);
  }
}

TEST(MultiScaleDeformableAttention, RefusesLevelsThatDoNotFit) {
  const auto expect_refused = [](const std::vector<std::int64_t>& shapes,
                                 const std::vector<std::int64_t>& starts, const std::string& what) {
    OperatorCase test = random_case("bad levels", {});
    test.inputs[kShapes] = Tensor::from({2, 2}, shapes);
    if (!starts.empty()) test.inputs[kStarts] = Tensor::from({2}, starts);
    ops::Serial serial;
    for (const bool reference : {true, false})
      expect_error(test::run_kernel(test, reference, serial), ErrorCode::kInvalidInput, what);
  };
  expect_refused({5, 7, 3, 5}, {}, "level 1 (3 x 5) from row 35 does not fit 'value', which has 47 rows");
  expect_refused({5, 7, 3, 4}, {0, 36}, "level 1 (3 x 4) from row 36");
  expect_refused({5, 7, 3, 4}, {-1, 35}, "level 0 (5 x 7) from row -1");
  expect_refused({5, 7, 3, 4}, {0, INT64_MAX}, "does not fit");
  expect_refused({-5, -7, 3, 4}, {}, "is -5 x -7, expected sizes from 0 to 2^24");
  expect_refused({INT64_MAX, INT64_MAX, 3, 4}, {}, "expected sizes from 0 to 2^24");
}

TEST(MultiScaleDeformableAttention, RefusesShapesThatDisagree) {
  const auto expect_refused = [](std::size_t input, const Shape& shape, const std::string& what,
                                 const std::string& mode = "levels") {
    OperatorCase test = random_case("bad shapes", {});
    test.attributes = {{"reference_mode", mode}};
    test.inputs[input] = random_tensor(DType::kFloat32, shape, 0, 1, 1);
    ops::Serial serial;
    expect_error(test::run_kernel(test, false, serial), ErrorCode::kInvalidInput, what);
  };
  expect_refused(kValue, {2, 47, 64}, "rank 4");
  expect_refused(kValue, {3, 47, 2, 32}, "the batch of 'sampling' is 2");
  expect_refused(kWeights, {4, 9, 2, 2, 4}, "is 4, expected a divisor of that of 'value', 2");
  expect_refused(kWeights, {0, 9, 2, 2, 4}, "is 0, expected a divisor of that of 'value', 2");
  expect_refused(kSampling, {2, 9, 2, 3, 4, 2}, "the number of levels");
  expect_refused(kSampling, {2, 9, 2, 2, 4, 3}, "'sampling'");
  expect_refused(kWeights, {2, 9, 2, 2, 5}, "'attention_weights'");
  expect_refused(kReference, {2, 9, 3, 2}, "expected 1 or one for each of the 2 levels");
  expect_refused(kReference, {2, 9, 2, 3}, "a last size of 2 (points) or 4 (boxes)");
  expect_refused(kReference, {2, 9, 4, 4}, "a last size of 2", "points");
  expect_refused(kReference, {2, 9, 3, 2}, "a divisor of the 4 points a level", "points");
  expect_refused(kReference, {2, 9, 0, 2}, "a divisor of", "points");
  expect_refused(kReference, {2, 8, 2, 2}, "'reference_points'");
  expect_refused(kScale, {1}, "expected int8");
}

TEST(MultiScaleDeformableAttention, RefusesUnknownAttributes) {
  OperatorCase test = random_case("bad attributes", {});
  ops::Serial serial;
  test.attributes = {{"softmax", std::int64_t{2}}};
  expect_error(test::run_kernel(test, false, serial), ErrorCode::kInvalidModel,
               "softmax is 2, expected 0 or 1");
  test.attributes = {{"reference_mode", std::string("level")}};
  expect_error(test::run_kernel(test, false, serial), ErrorCode::kInvalidModel,
               "'level', expected 'levels' or");
}

}  // namespace
}  // namespace tarmac
