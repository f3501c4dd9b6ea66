#include "precision/adapt_for_int8.h"

#include "noise_models.h"

namespace tarmac::test {
namespace {

class AdaptForInt8 : public OnEngine {};

TEST_F(AdaptForInt8, IsNeverWorseThanWithout) {
  const Model original = with_weights(
      R"(<ir_version: 7, opset_import: ["" : 13]> g (float[1,3,12,12] x,
    float[16,3,3,3] first, float[16,1,3,3] deep, float[8,16,1,1] last, float[16] uneven) => (float[1,8,8,8] y) {
      a = Conv (x, first, uneven) b = Relu (a) c = Conv <group = 16> (b, deep) d = Relu (c) y = Conv (d, last) })",
      {{"first", {16, 3, 3, 3}}, {"deep", {16, 1, 3, 3}}, {"last", {8, 16, 1, 1}}, {"uneven", {16}}});
  const SampleSet samples = noise_samples({1, 3, 12, 12}, 8, 7);
  const SampleSet others = noise_samples({1, 3, 12, 12}, 8, 500);
  const auto quantize = [&](const AccuracyOptions& accuracy) {
    Model model = clone_model(original);
    Target& target = engine("openvino");
    const auto prepared = expect_ok(
        prepare_for_int8(model, target.fusion_rules(), target, accuracy, {}, samples, no_progress()));
    EXPECT_LE(prepared.noise_after, prepared.noise_before);
    const FusionGroups groups = groups_of(model);
    const auto seen = expect_ok(
        calibrate(model, observed_values(model, groups), target, {}, replay(samples), no_progress()));
    const Ranges ranges = ranges_of(seen.statistics, {});
    const auto adapted =
        expect_ok(adapt_for_int8(model, groups, ranges, target, accuracy, {}, samples, no_progress()));
    EXPECT_LE(adapted.noise_after, adapted.noise_before);
    EXPECT_EQ(expect_ok(quantize_static(model, groups, ranges)).nodes.size(), 3U);
    expect_ok(verify_model(model));
    return noise_of(original, model, others);
  };
  const double plain =
      quantize({.equalize = false, .correct_bias = false, .adapt_rounding = false, .compile = {}});
  const double all =
      quantize({.equalize = true, .correct_bias = true, .adapt_rounding = true, .compile = {}});
  EXPECT_LT(all, plain);
}

TEST_F(AdaptForInt8, SaysThatStateHasNoSamples) {
  Model model = with_weights(R"(<ir_version: 7, opset_import: ["" : 13]> g (float[1,2,4,4] x,
    float[1,2,4,4] state, float[2,2,1,1] w) => (float[1,2,4,4] y) { a = Add (x, state) y = Conv (a, w) })",
                             {{"w", {2, 2, 1, 1}}});
  Target& target = engine("openvino");
  const SampleSet samples = noise_samples({1, 2, 4, 4}, 2, 1);
  const auto prepared =
      expect_ok(prepare_for_int8(model, target.fusion_rules(), target, {}, {}, samples, no_progress()));
  ASSERT_EQ(prepared.declined.size(), 1U);
  EXPECT_THAT(prepared.declined[0].what, testing::HasSubstr("'state'"));
  Range range;
  range.include(-1, 1);
  const auto adapted = expect_ok(
      adapt_for_int8(model, groups_of(model), {{"a", range}}, target, {}, {}, samples, no_progress()));
  EXPECT_THAT(adapted.declined[0].what, testing::HasSubstr("'state'"));
}

TEST_F(AdaptForInt8, TakesNoMoreSamplesThanMemoryAllows) {
  const SampleSet samples = noise_samples({4, 4}, 5, 1);  // 64 bytes each
  EXPECT_EQ(expect_ok(take_samples(replay(samples), 64, 128)).size(), 2U);
  EXPECT_EQ(expect_ok(take_samples(replay(samples), 64, 1)).size(), 1U);
  EXPECT_EQ(expect_ok(take_samples(replay(samples), 3)).size(), 3U);
  expect_error(take_samples(replay({})), ErrorCode::kInvalidInput, "at least one sample");
}

}  // namespace
}  // namespace tarmac::test
