#include "precision/quantize_weights.h"

#include <limits>

#include "precision/stored_weights_harness.h"
#include "precision/weight_blocks.h"

namespace tarmac::test {
namespace {

WeightOptions four_bits(std::int64_t block) {
  WeightOptions options;
  options.bits = 4;
  options.block = block;
  return options;
}

Model product(std::int64_t rows, std::int64_t columns, int opset = 21) {
  const std::string shapes = std::to_string(rows) + "," + std::to_string(columns);
  return with_weights("<ir_version: 10, opset_import: [\"\" : " + std::to_string(opset) + "]> g (float[N," +
                          std::to_string(rows) + "] x, float[" + shapes +
                          "] w) => (float[N,M] y) { y = MatMul (x, w) }",
                      {{"w", normal_tensor({rows, columns}, 1, 0.1F)}});
}

TEST(WeightBlocks, NoWeightIsMoreThanHalfAStepAway) {
  const BlockLayout layout{64, 7, 16};
  const auto weights = normal_floats(layout.rows * layout.columns, 5);
  const WeightBlocks blocks = round_blocks(weights, layout);
  std::vector<float> back(weights.size());
  dequantize(blocks, layout, back);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const float scale = blocks.scales[i / (16 * 7) * 7 + i % 7];
    EXPECT_LE(std::fabs(back[i] - weights[i]), 0.51F * scale) << i;
    EXPECT_LE(blocks.codes[i], 15);
  }
}

TEST(WeightBlocks, ZeroStaysZeroAndOneSignUsesTheWholeRange) {
  std::vector<float> weights(16 * 2, 0.0F);
  for (std::size_t k = 0; k < 16; ++k) weights[k * 2 + 1] = 1.0F + static_cast<float>(k);
  const BlockLayout layout{16, 2, 16};
  const WeightBlocks blocks = round_blocks(weights, layout);
  std::vector<float> back(weights.size());
  dequantize(blocks, layout, back);
  for (std::size_t k = 0; k < 16; ++k) EXPECT_EQ(back[k * 2], 0.0F);
  EXPECT_EQ(blocks.zero_points[1], 0);
  EXPECT_FLOAT_EQ(back[15 * 2 + 1], 16.0F);
}

TEST(WeightBlocks, SymmetricOnesHaveTheirZeroInTheMiddle) {
  BlockLayout layout{64, 7, 16};
  layout.symmetric = true;
  auto weights = normal_floats(layout.rows * layout.columns, 5);
  for (std::size_t k = 0; k < 16; ++k) weights[k * 7] = 0;                                  // nothing
  for (std::size_t k = 0; k < 16; ++k) weights[k * 7 + 1] = std::fabs(weights[k * 7 + 1]);  // one sign
  const std::vector<float> importance(layout.rows, 1.0F);
  for (const bool narrows : {false, true}) {
    const WeightBlocks blocks = round_blocks(
        weights, layout, narrows ? std::span<const float>(importance) : std::span<const float>());
    EXPECT_EQ(blocks.zero_points, std::vector<std::uint8_t>(layout.blocks(), 8));
    std::vector<float> back(weights.size());
    dequantize(blocks, layout, back);
    for (std::size_t k = 0; k < 16; ++k) EXPECT_EQ(back[k * 7], 0.0F);
    if (narrows) continue;
    for (std::size_t i = 0; i < weights.size(); ++i)
      EXPECT_LE(std::fabs(back[i] - weights[i]), 0.51F * blocks.scales[i / (16 * 7) * 7 + i % 7]) << i;
  }
}

TEST(WeightBlocks, NarrowingLowersTheWeightedError) {
  const BlockLayout layout{32, 8, 32};
  const auto weights = normal_floats(layout.rows * layout.columns, 9);
  std::vector<float> importance(layout.rows, 1.0F);
  importance[3] = 100;
  const auto error = [&](const WeightBlocks& blocks) {
    std::vector<float> back(weights.size());
    dequantize(blocks, layout, back);
    double sum = 0;
    for (std::size_t i = 0; i < weights.size(); ++i)
      sum += static_cast<double>(importance[i / 8] * (back[i] - weights[i]) * (back[i] - weights[i]));
    return sum;
  };
  EXPECT_LT(error(round_blocks(weights, layout, importance)), error(round_blocks(weights, layout)));
}

TEST(WeightBlocks, PacksTheFirstNumberIntoTheLowBits) {
  const Tensor packed = pack_uint4({3}, std::vector<std::uint8_t>{1, 15, 9});
  EXPECT_EQ(packed.bytes()[0], std::byte{0xF1});
  EXPECT_EQ(packed.bytes()[1], std::byte{0x09});
  EXPECT_THAT(expect_ok(to_int64s(packed)), testing::ElementsAre(1, 15, 9));
}

TEST(QuantizeWeights, FourBitsRunOnEveryEngine) {
  struct Case {
    std::int64_t rows, columns, asked, block;
  };
  for (const Case& test : {Case{16, 5, 32, 16}, Case{48, 7, 32, 16}, Case{96, 9, 128, 32},
                           Case{256, 33, 128, 128}, Case{128, 1, 32, 32}}) {
    SCOPED_TRACE(std::to_string(test.rows) + "x" + std::to_string(test.columns));
    const Model before = product(test.rows, test.columns);
    Model after = clone_model(before);
    const auto report = expect_ok(quantize_weights(after, four_bits(test.asked)));
    expect_consistent(after);
    expect_ok(verify_model(after));
    ASSERT_EQ(report.size(), 1U);
    EXPECT_EQ(report[0].became, "uint4 weights in blocks of " + std::to_string(test.block));
    EXPECT_EQ(report[0].float_bytes, static_cast<std::uint64_t>(test.rows * test.columns) * 4);
    EXPECT_LT(report[0].stored_bytes, report[0].float_bytes / 3);
    // The same product with the weights that the codes stand for.
    Model expected = product(test.rows, test.columns);
    const Tensor codes = *constant_of(find_op(after, "DequantizeLinear")->input(0));
    const auto q = expect_ok(to_int64s(codes));
    const auto scales = expect_ok(to_floats(*constant_of(find_op(after, "DequantizeLinear")->input(1))));
    const auto z = expect_ok(to_int64s(*constant_of(find_op(after, "DequantizeLinear")->input(2))));
    std::vector<float> weights(q.size());
    for (std::size_t i = 0; i < q.size(); ++i) {
      const auto columns = static_cast<std::size_t>(test.columns);
      const std::size_t at = i / columns / static_cast<std::size_t>(test.block) * columns + i % columns;
      weights[i] = static_cast<float>(q[i] - z[at]) * scales[at];
    }
    expected.graph->set_initializer(*expected.graph->find("w"), Tensor::from(codes.shape(), weights));
    const Tensors inputs = {{"x", normal_tensor({6, test.rows}, 2)}};
    for (Target* target : engines()) {
      SCOPED_TRACE(target->name());
      // Both engines round the activations to 8 bits in these kernels.
      EXPECT_LT(distance(run_on(*target, after, inputs)["y"], run_on(*target, expected, inputs)["y"]), 0.02);
      EXPECT_LT(distance(run_on(*target, after, inputs)["y"], run_on(*target, before, inputs)["y"]), 0.15);
    }
  }
}

TEST(QuantizeWeights, ChannelsThatNoBlockDividesGetEightBitsAndTheReason) {
  Model graph = product(100, 6);
  const auto report = expect_ok(quantize_weights(graph, four_bits(32)));
  EXPECT_EQ(report[0].became, "int8 weights per output channel");
  EXPECT_THAT(report[0].reason, testing::HasSubstr("100 input channels are no multiple of 16"));
  const Tensors inputs = {{"x", normal_tensor({2, 100}, 2)}};
  for (Target* target : engines())
    EXPECT_LT(distance(run_on(*target, graph, inputs)["y"], run_on(*target, product(100, 6), inputs)["y"]),
              0.02);
}

TEST(QuantizeWeights, OnnxRuntimeFusesProductsBeforeReluAndClip) {
  if (!expect_ok(find_target("onnxruntime"))->available()) GTEST_SKIP() << "ONNX Runtime is not built in";
  const Model before = with_weights(
      R"(<ir_version: 10, opset_import: ["" : 21]> g (float[N,64] x, float[64,64] a, float[64,64] b, float[64,64] c,
        float[64] bias, float low, float high) => (float[N,64] y) {
        p = Gemm <transB: int = 1> (x, a, bias) q = Relu (p) r = MatMul (q, b) s = Clip (r, low, high)
        t = MatMul (s, c) u = Clip (t, low) y = Add (u, u) })",
      {{"a", normal_tensor({64, 64}, 1, 0.1F)},
       {"b", normal_tensor({64, 64}, 2, 0.1F)},
       {"c", normal_tensor({64, 64}, 3, 0.1F)},
       {"bias", normal_tensor({64}, 4)},
       {"low", Tensor::from<float>({}, std::vector{-0.2F})},
       {"high", Tensor::from<float>({}, std::vector{0.5F})}});
  const Tensors inputs = {{"x", normal_tensor({3, 64}, 7)}};
  for (const int bits : {8, 4}) {
    Model after = clone_model(before);
    WeightOptions options;
    options.bits = bits;
    expect_ok(quantize_weights(after, options));
    expect_consistent(after);
    expect_ok(verify_model(after));
    EXPECT_EQ(count_ops(after, "Relu") + count_ops(after, "Clip"), 0U);
    const auto found = kernels(after, inputs);
    EXPECT_EQ(found.count("MatMulNBits"), 3U) << bits;
    EXPECT_EQ(found.count("DequantizeLinear"), 0U) << bits;
    for (Target* target : engines()) {
      EXPECT_LT(distance(run_on(*target, after, inputs)["y"], run_on(*target, before, inputs)["y"]),
                bits == 8 ? 0.03 : 0.25)
          << target->name() << bits;
    }
  }
}

TEST(QuantizeWeights, SharedWeightsAreStoredOnceAndReadThroughOneNodeEach) {
  Model graph = with_weights(
      R"(<ir_version: 10, opset_import: ["" : 21]> g (float[N,32] x, float[32,32] w) => (float[N,32] y) {
        p = MatMul (x, w) q = Tanh (p) y = MatMul (q, w) })",
      {{"w", normal_tensor({32, 32}, 1)}});
  const auto report = expect_ok(quantize_weights(graph, four_bits(32)));
  expect_ok(verify_model(graph));
  EXPECT_EQ(report.size(), 2U);
  EXPECT_EQ(count_ops(graph, "DequantizeLinear"), 2U);
  EXPECT_EQ(graph.graph->initializers().size(), 3U);
}

TEST(QuantizeWeights, ConvolutionsGetEightBits) {
  const Model before = with_weights(
      R"(<ir_version: 10, opset_import: ["" : 21]> g (float[1,4,6,6] x, float[8,4,1,1] w, float[8] b)
        => (float[1,8,6,6] y) { y = Conv (x, w, b) })",
      {{"w", normal_tensor({8, 4, 1, 1}, 1)}, {"b", normal_tensor({8}, 2)}});
  Model after = clone_model(before);
  const auto report = expect_ok(quantize_weights(after, four_bits(32)));
  EXPECT_EQ(report[0].became, "int8 weights per output channel");
  EXPECT_THAT(report[0].reason, testing::HasSubstr("convolution"));
  const Tensors inputs = {{"x", normal_tensor({1, 4, 6, 6}, 3)}};
  for (Target* target : engines())
    EXPECT_LT(distance(run_on(*target, after, inputs)["y"], run_on(*target, before, inputs)["y"]), 0.02);
}

TEST(QuantizeWeights, PointwiseConvolutionsBesideATransposeStayFloatBecauseOpenvinoMixesUpTheirAxes) {
  Model graph = with_weights(
      R"(<ir_version: 8, opset_import: ["" : 17]> g (float[1,4,5,6] x, float[8,4,1,1] w) => (float y)
      { c = Conv (x, w) y = Transpose <perm = [0,3,2,1]> (c) })",
      {{"w", normal_tensor({8, 4, 1, 1}, 1)}});
  const auto report = expect_ok(quantize_weights(graph, {}));
  ASSERT_EQ(report.size(), 1U);
  EXPECT_EQ(report[0].became, "");
  EXPECT_THAT(report[0].reason, testing::HasSubstr("axes"));
  EXPECT_EQ(graph.graph->nodes().size(), 2U);
}

TEST(QuantizeWeights, ProductsOfTwoActivationsStayFloat) {
  Model graph = model(R"(<ir_version: 10, opset_import: ["" : 21]>
    g (float[2,16] x, float[16,4] z) => (float[2,4] y) { y = MatMul (x, z) })");
  expect_ok(infer_shapes(graph));
  const auto report = expect_ok(quantize_weights(graph, four_bits(32)));
  ASSERT_EQ(report.size(), 1U);
  EXPECT_EQ(report[0].became, "");
  EXPECT_THAT(report[0].reason, testing::HasSubstr("run time"));
}

TEST(QuantizeWeights, RefusesWhatItCannotDo) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (const int bits : {8, 4}) {
      Model graph = product(32, 4);
      auto weights = normal_floats(128, 1);
      weights[77] = bad;
      graph.graph->set_initializer(*graph.graph->find("w"), Tensor::from({32, 4}, weights));
      WeightOptions options;
      options.bits = bits;
      expect_error(quantize_weights(graph, options), ErrorCode::kInvalidInput, "'w'");
    }
  }
  Model old = product(32, 4, 17);
  expect_error(quantize_weights(old, four_bits(32)), ErrorCode::kUnsupported, "opset 17");
  Model graph = product(32, 4);
  for (const std::int64_t block : {0, 8, 24, -16})
    expect_error(quantize_weights(graph, four_bits(block)), ErrorCode::kUsage, "power of two");
  WeightOptions three;
  three.bits = 3;
  expect_error(quantize_weights(graph, three), ErrorCode::kUsage, "not 3");
}

}  // namespace
}  // namespace tarmac::test
