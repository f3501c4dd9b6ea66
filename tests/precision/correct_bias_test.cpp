#include "precision/correct_bias.h"

#include "noise_models.h"

namespace tarmac::test {
namespace {

Model two_layers() {
  return with_weights(R"(<ir_version: 7, opset_import: ["" : 13]> g (float[1,3,6,6] x, float[4,3,3,3] w,
    float[2,4,1,1] v, float[4] b) => (float[1,2,4,4] y) {
      a = Conv (x, w, b) r = Relu (a) y = Conv (r, v) })",
                      {{"w", {4, 3, 3, 3}}, {"v", {2, 4, 1, 1}}, {"b", {4}}});
}

Halves data() { return halves(noise_samples({1, 3, 6, 6}, 8, 40)); }

class CorrectBias : public OnEngine {};

/// A "quantiser" that shifts what a node makes by known numbers.
Result<Model> shifted(const Model& model, const char* label, const std::vector<float>& by) {
  Model copy = clone_model(model);
  for (const auto& node : copy.graph->nodes()) {
    if (node->label() != label) continue;
    std::vector<float> bias(by);
    const auto old = floats_of(copy, label, 2);
    for (std::size_t c = 0; c < old.size(); ++c) bias[c] += old[c];
    const Shape shape = {static_cast<std::int64_t>(bias.size())};
    Value& value = copy.graph->add_initializer(copy.graph->fresh_name("shifted"), Tensor::from(shape, bias));
    if (node->input(2) == nullptr) node->add_input(nullptr);
    node->set_input(2, &value);
  }
  return copy;
}

TEST_F(CorrectBias, TakesAKnownShiftAway) {
  const Model reference = two_layers();
  Model model = two_layers();
  const std::vector<float> shift = {0.5F, -1, 0.25F, 2};
  const Quantize quantize = [&](const Model& floats) { return shifted(floats, "a", shift); };
  const auto done = expect_ok(
      correct_bias(model, reference, groups_of(model), quantize, engine(), {}, data(), no_progress()));
  EXPECT_LT(done.noise_after, done.noise_before / 1e6);
  const auto before = floats_of(reference, "a", 2);
  const auto after = floats_of(model, "a", 2);
  ASSERT_EQ(after.size(), 4U);
  for (std::size_t c = 0; c < 4; ++c) EXPECT_NEAR(after[c], before[c] - shift[c], 1e-4);
  EXPECT_EQ(done.changes.front().node, "a");
}

TEST_F(CorrectBias, GivesABiasToAConvolutionWithout) {
  const Model reference = two_layers();
  Model model = two_layers();
  const Quantize quantize = [&](const Model& floats) { return shifted(floats, "y", {3, -3}); };
  const auto done = expect_ok(
      correct_bias(model, reference, groups_of(model), quantize, engine(), {}, data(), no_progress()));
  EXPECT_LT(done.noise_after, done.noise_before / 1e6);
  const auto bias = floats_of(model, "y", 2);
  ASSERT_EQ(bias.size(), 2U);
  EXPECT_NEAR(bias[0], -3, 1e-4);
  EXPECT_NEAR(bias[1], 3, 1e-4);
}

TEST_F(CorrectBias, LeavesTheModelWhereNothingHelps) {
  const Model reference = two_layers();
  Model model = two_layers();
  const Model stubborn = *shifted(reference, "a", {1, 1, 1, 1});
  const Quantize quantize = [&](const Model&) -> Result<Model> { return clone_model(stubborn); };
  const auto done = expect_ok(
      correct_bias(model, reference, groups_of(model), quantize, engine(), {}, data(), no_progress()));
  EXPECT_TRUE(done.changes.empty());
  EXPECT_EQ(done.noise_after, done.noise_before);
  expect_same_model(model, reference);
}

TEST_F(CorrectBias, PassesOnWhatQuantisingRefuses) {
  Model model = two_layers();
  const Quantize quantize = [](const Model&) -> Result<Model> {
    return make_error(ErrorCode::kInvalidInput, "no range", "a");
  };
  expect_error(correct_bias(model, clone_model(model), groups_of(model), quantize, engine(), {}, data(),
                            no_progress()),
               ErrorCode::kInvalidInput, "no range");
}

}  // namespace
}  // namespace tarmac::test
