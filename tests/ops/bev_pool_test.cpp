#include <limits>
#include <random>

#include "ops/registry.h"
#include "support/expect.h"
#include "support/operator_check.h"
#include "tensor/codec.h"

namespace tarmac::test {
namespace {

using Integers = std::vector<std::int64_t>;

const ops::Operator& op() { return *ops::find_operator(ops::kDomain, "BevPool"); }

Tensor integers(const Integers& values, DType dtype = DType::kInt32) {
  return expect_ok(from_doubles(dtype, {static_cast<std::int64_t>(values.size())},
                                std::vector<double>(values.begin(), values.end())));
}

ops::Attributes grid(std::int64_t batch, std::int64_t z, std::int64_t height, std::int64_t width,
                     const std::string& layout = "BCZHW") {
  return {{"batch", batch}, {"z", z}, {"height", height}, {"width", width}, {"layout", layout}};
}

/// Points in some cells of a grid, sorted by cell, with intervals as BEVDet makes them.
struct Points {
  Integers depth, feat, bev, starts, lengths;
};

Points random_points(std::int64_t count, std::int64_t depths, std::int64_t rows, std::int64_t cells,
                     unsigned seed) {
  std::mt19937 generator(seed);
  const auto draw = [&](std::int64_t limit) {
    return std::uniform_int_distribution<std::int64_t>(0, limit - 1)(generator);
  };
  Points points;
  for (std::int64_t p = 0; p < count; ++p) {
    points.depth.push_back(draw(depths));
    points.feat.push_back(draw(rows));
    points.bev.push_back(draw(cells));
  }
  std::sort(points.bev.begin(), points.bev.end());
  for (std::int64_t p = 0; p < count; ++p) {
    const auto at = static_cast<std::size_t>(p);
    if (p == 0 || points.bev[at] != points.bev[at - 1]) {
      points.starts.push_back(p);
      points.lengths.push_back(0);
    }
    ++points.lengths.back();
  }
  return points;
}

OperatorCase pooled(const std::string& name, const ops::Attributes& attributes, const Tensor& depth,
                    const Tensor& feat, const Points& points, DType dtype = DType::kInt32) {
  return {.name = name,
          .op = op(),
          .attributes = attributes,
          .inputs = {depth, feat, integers(points.depth, dtype), integers(points.feat, dtype),
                     integers(points.bev, dtype), integers(points.starts, dtype),
                     integers(points.lengths, dtype)}};
}

/// depth[i] = (i mod 7) / 8, feat[i] = (37·i mod 64) / 16 - 2.
Tensor sawtooth(const Shape& shape, std::int64_t factor, std::int64_t period, float scale, float offset) {
  std::vector<float> values(static_cast<std::size_t>(expect_ok(element_count(shape))));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(static_cast<std::int64_t>(i) * factor % period) * scale + offset;
  return Tensor::from(shape, values);
}

TEST(BevPool, GivesWhatTorchGives) {
  // torch 2.5.1: zeros(12, 5).index_add(0, ranks_bev, depth.flatten()[ranks_depth, None] *
  // feat.reshape(-1, 5)[ranks_feat]).reshape(2, 1, 2, 3, 5).permute(0, 4, 1, 2, 3)
  const std::vector<float> expected = {
      0, 0.7109375F, 0.15625F,    0, 0.6484375F,  -0.0703125F, 0, 0.234375F,   -0.8984375F,
      0, -0.40625F,  -0.703125F,  0, -1.2421875F, 0.546875F,   0, 0.0390625F,  0.1640625F,
      0, 0.78125F,   -0.5078125F, 0, -0.015625F,  -0.46875F,   0, -0.6953125F, 0.9375F,
      0, 0.4296875F, 0.3984375F,  0, 0,           0,           0, 0,           0.1875F,
      0, 0,          0,           0, 0,           -1.078125F,  0, 0,           0,
      0, 0,          0.65625F,    0, 0,           0,           0, 0,           -0.609375F,
      0, 0,          0,           0, 0,           1.125F};
  const Points points = {.depth = {0, 5, 23, 12, 9, 3, 17, 20},
                         .feat = {0, 1, 7, 4, 1, 3, 5, 4},
                         .bev = {1, 1, 1, 2, 4, 4, 5, 11},
                         .starts = {0, 3, 4, 6, 7},
                         .lengths = {3, 1, 2, 1, 1}};
  const auto test = pooled("torch", grid(2, 1, 2, 3), sawtooth({2, 3, 2, 2}, 1, 7, 0.125F, 0),
                           sawtooth({2, 2, 2, 5}, 37, 64, 0.0625F, -2), points);
  const Tensor y = run_reference(test)[0];
  EXPECT_EQ(y.shape(), (Shape{2, 5, 1, 2, 3}));
  EXPECT_THAT(y.data<float>(), testing::ElementsAreArray(expected));
  expect_agreement(test);
}

TEST(BevPool, AgreesForEveryTypeWidthAndLayout) {
  const Points points = random_points(700, 2 * 5 * 4 * 6, 2 * 4 * 6, 2 * 3 * 7 * 9, 1);
  for (const DType dtype : {DType::kFloat32, DType::kFloat16, DType::kBFloat16}) {
    for (const std::int64_t channels : {1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 33, 64, 80, 100, 161, 193}) {
      const Tensor depth = random_tensor(dtype, {2, 5, 4, 6}, 0, 1, 2);
      const Tensor feat = random_tensor(dtype, {2, 4, 6, channels}, -1, 1, 3);
      for (const char* layout : {"BCZHW", "BZHWC"}) {
        auto test = pooled(std::string(to_string(dtype)) + " × " + std::to_string(channels) + " " + layout,
                           grid(2, 3, 7, 9, layout), depth, feat, points,
                           channels % 2 == 0 ? DType::kInt64 : DType::kInt32);
        test.in_engines = channels == 17;
        expect_agreement(test);
        test.name += " without intervals";
        test.inputs[5] = test.inputs[6] = Tensor();
        test.in_engines = channels == 8;
        expect_agreement(test);
      }
    }
  }
}

TEST(BevPool, WritesLargeMapsPastTheCaches) {
  // 9 MiB, with planes that begin anywhere within a line; engines would add nothing.
  const Points points = random_points(5000, 24, 8, 2 * 131 * 137, 12);
  for (const auto& [dtype, channels] : {std::pair{DType::kFloat32, 67}, std::pair{DType::kBFloat16, 134}}) {
    auto test = pooled(to_string(dtype), grid(1, 2, 131, 137), random_tensor(dtype, {1, 3, 2, 4}, 0, 1, 1),
                       random_tensor(dtype, {1, 2, 4, channels}, -1, 1, 2), points);
    test.in_engines = false;
    expect_agreement(test);
  }
}

TEST(BevPool, AddsReadyProductsInAnyOrder) {
  const std::int64_t count = 900;
  const Tensor cells = random_integers(DType::kInt64, {count}, 0, 2 * 13 * 11 - 1, 4);
  const Tensor rows = random_integers(DType::kInt32, {count}, 0, 40, 5);
  expect_agreement({.name = "one row a point",
                    .op = op(),
                    .attributes = grid(2, 1, 13, 11),
                    .inputs = {Tensor(), random_tensor(DType::kFloat32, {count, 10}, -1, 1, 6), Tensor(),
                               Tensor(), cells, Tensor(), Tensor()}});
  expect_agreement({.name = "rows by rank, volume of features",
                    .op = op(),
                    .attributes = grid(2, 1, 13, 11),
                    .inputs = {Tensor(), random_tensor(DType::kFloat32, {1, 41, 1, 24}, -1, 1, 7), Tensor(),
                               rows, cells, Tensor(), Tensor()}});
}

TEST(BevPool, AddsIntervalsOfOneCellAndTakesThemInAnyOrder) {
  Points points = random_points(300, 24, 8, 200, 8);
  std::mt19937 generator(9);
  std::vector<std::size_t> order(points.starts.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), generator);
  Points shuffled = points;
  for (std::size_t i = 0; i < order.size(); ++i) {
    shuffled.starts[i] = points.starts[order[i]];
    shuffled.lengths[i] = points.lengths[order[i]];
  }
  // Again a few, and some without points that start anywhere.
  for (const std::int64_t extra : {0, 3, 3}) {
    shuffled.starts.push_back(points.starts[static_cast<std::size_t>(extra)]);
    shuffled.lengths.push_back(points.lengths[static_cast<std::size_t>(extra)]);
    shuffled.starts.push_back(extra * 1000 - 1);
    shuffled.lengths.push_back(0);
  }
  expect_agreement(
      pooled("shuffled", grid(1, 1, 10, 20), random_tensor(DType::kFloat32, {1, 6, 2, 2}, 0, 1, 1),
             random_tensor(DType::kFloat32, {1, 2, 2, 20}, -1, 1, 2),
             {shuffled.depth, Integers(300, 3), shuffled.bev, shuffled.starts, shuffled.lengths}));
}

TEST(BevPool, KeepsInfinityAndNotANumberInTheirCells) {
  Tensor feat = random_tensor(DType::kFloat32, {1, 2, 2, 18}, -1, 1, 2);
  feat.mutable_data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  feat.mutable_data<float>()[19] = std::numeric_limits<float>::infinity();
  Tensor depth = random_tensor(DType::kFloat32, {1, 6, 2, 2}, 0, 1, 1);
  depth.mutable_data<float>()[5] = 0;
  expect_agreement(pooled("NaN", grid(1, 1, 9, 9), depth, feat, random_points(60, 24, 4, 81, 3)));
}

TEST(BevPool, GivesZerosWithoutPoints) {
  auto test = pooled("none", grid(1, 1, 9, 9), random_tensor(DType::kFloat32, {1, 6, 2, 2}, 0, 1, 1),
                     random_tensor(DType::kFloat32, {1, 2, 2, 18}, -1, 1, 2), {});
  test.in_engines = false;
  expect_agreement(test);
  const auto y = run_reference(test)[0];
  EXPECT_THAT(y.data<float>(), testing::Each(0.0F));
  test.name = "empty grid";
  test.attributes = grid(0, 1, 9, 9);
  expect_agreement(test);
  test.name = "no channels";
  test.attributes = grid(1, 1, 9, 9);
  test.inputs[1] = random_tensor(DType::kFloat32, {1, 2, 2, 0}, -1, 1, 2);
  expect_agreement(test);
}

/// Reference and kernel say the same of it.
void expect_refusal(const OperatorCase& test, const std::string& text) {
  ops::Serial serial;
  expect_error(run_kernel(test, true, serial), ErrorCode::kInvalidInput, text);
  expect_error(run_kernel(test, false, serial), ErrorCode::kInvalidInput, text);
}

TEST(BevPool, NamesTheFirstIndexThatLeavesItsTensor) {
  const Tensor depth = random_tensor(DType::kFloat32, {1, 6, 2, 2}, 0, 1, 1);
  const Tensor feat = random_tensor(DType::kFloat32, {1, 2, 2, 18}, -1, 1, 2);
  const Points good = random_points(60, 24, 4, 81, 3);
  const auto with = [&](Integers Points::*member, std::size_t at, std::int64_t value, DType dtype) {
    Points points = good;
    (points.*member)[at] = value;
    return pooled("bad", grid(1, 1, 9, 9), depth, feat, points, dtype);
  };
  expect_refusal(with(&Points::depth, 17, 24, DType::kInt32),
                 "ranks_depth[17] is 24, expected 0 to below 24");
  expect_refusal(with(&Points::feat, 5, -1, DType::kInt32), "ranks_feat[5] is -1, expected 0 to below 4");
  expect_refusal(with(&Points::feat, 5, std::int64_t{1} << 40, DType::kInt64),
                 "ranks_feat[5] is 1099511627776");
  expect_refusal(with(&Points::bev, 0, 81, DType::kInt32), "ranks_bev[0] is 81, expected 0 to below 81");
  expect_refusal(with(&Points::starts, 3, 60, DType::kInt32), "interval 3 starts at 60");
  expect_refusal(with(&Points::starts, 0, -1, DType::kInt64), "interval 0 starts at -1");
  expect_refusal(with(&Points::lengths, 2, -2, DType::kInt32), "interval 2 starts at");
  expect_refusal(with(&Points::lengths, 2, std::int64_t{1} << 62, DType::kInt64),
                 "with length 4611686018427387904");
  auto loose = with(&Points::bev, 7, -3, DType::kInt64);
  loose.inputs[5] = loose.inputs[6] = Tensor();
  expect_refusal(loose, "ranks_bev[7] is -3");
}

TEST(BevPool, RefusesShapesThatDoNotFit) {
  const Points points = random_points(60, 24, 4, 81, 3);
  const Tensor depth = random_tensor(DType::kFloat32, {1, 6, 2, 2}, 0, 1, 1);
  const Tensor feat = random_tensor(DType::kFloat32, {1, 2, 2, 18}, -1, 1, 2);
  const auto good = pooled("shapes", grid(1, 1, 9, 9), depth, feat, points);
  const auto with = [&](std::size_t input, const Tensor& tensor) {
    OperatorCase test = good;
    test.inputs[input] = tensor;
    return test;
  };
  expect_refusal(with(0, random_tensor(DType::kFloat32, {1, 6, 2, 3}, 0, 1, 1)),
                 "'depth' is float32[1, 6, 2, 3]");
  expect_refusal(with(0, random_tensor(DType::kFloat16, {1, 6, 2, 2}, 0, 1, 1)), "expected the same dtype");
  expect_refusal(with(2, Tensor()), "'depth' and 'ranks_depth' go together");
  expect_refusal(with(5, Tensor()), "'interval_starts' and 'interval_lengths' go together");
  expect_refusal(with(3, integers({1, 2})), "'ranks_feat' is int32[2]");
  expect_refusal(with(3, Tensor()), "'feat' has 4 rows and 'ranks_bev' 60 points");
  auto test = good;
  test.attributes = grid(1, 1, 1 << 20, 1 << 20);
  expect_refusal(test, "more than 2147483647 cells");
  test.attributes = grid(1, 1, -1, 9);
  expect_refusal(test, "height is -1");
  test.attributes = grid(1, 1, 9, 9, "CHW");
  expect_refusal(test, "layout is 'CHW'");
}

TEST(BevPool, AgreesWithItsReferenceOnGarbage) {
  std::mt19937 generator(11);
  const auto draw = [&](std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(generator);
  };
  int refused = 0;
  for (unsigned seed = 0; seed < 400; ++seed) {
    const std::int64_t n = draw(1, 2);
    const std::int64_t d = draw(1, 4);
    const std::int64_t h = draw(1, 3);
    const std::int64_t w = draw(1, 3);
    const std::int64_t b = draw(1, 2);
    const std::int64_t gh = draw(1, 12);
    const std::int64_t gw = draw(1, 12);
    const std::int64_t count = draw(0, 40);
    const std::int64_t slack = draw(0, 9) == 0 ? 1 : 0;  // one in ten has indices outside
    const DType dtype = draw(0, 1) == 0 ? DType::kInt32 : DType::kInt64;
    const auto indices = [&](std::int64_t size, std::int64_t limit) {
      return random_integers(dtype, {size}, -slack, limit - 1 + slack, seed);
    };
    const std::int64_t intervals = count == 0 ? 0 : draw(0, 9);
    OperatorCase test = {
        .name = "seed " + std::to_string(seed),
        .op = op(),
        .attributes = grid(b, 1, gh, gw, draw(0, 1) == 0 ? "BCZHW" : "BZHWC"),
        .inputs = {random_tensor(DType::kFloat32, {n, d, h, w}, 0, 1, seed),
                   random_tensor(DType::kFloat32, {n, h, w, draw(1, 40)}, -1, 1, seed),
                   indices(count, n * d * h * w), indices(count, n * h * w), indices(count, b * gh * gw),
                   indices(intervals, count), random_integers(dtype, {intervals}, -slack, 4, seed)},
        .in_engines = false};
    if (draw(0, 2) == 0) test.inputs[5] = test.inputs[6] = Tensor();
    if (draw(0, 3) == 0) test.inputs[0] = test.inputs[2] = Tensor();
    ops::Serial serial;
    const auto expected = run_kernel(test, true, serial);
    if (expected) {
      expect_agreement(test);
    } else {
      ++refused;
      expect_error(run_kernel(test, false, serial), ErrorCode::kInvalidInput, expected.error().message);
    }
  }
  EXPECT_GT(refused, 20);
  EXPECT_LT(refused, 300);
}

}  // namespace
}  // namespace tarmac::test
