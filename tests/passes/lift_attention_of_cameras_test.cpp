// BEVFormer's attentions as nodes of the operator with ready locations and weights, as an exporter that knows
// the operator writes them, and as GridSamples.
#include "passes/lift_harness.h"
#include "passes/passes.h"

namespace tarmac::test {
namespace {

constexpr const char* kOperator = "MultiScaleDeformableAttention";
constexpr const char* kRuns = "tarmac:MultiScaleDeformableAttention";

/// Cameras n of cars b look at 6 queries of their car: 2 heads of 4 channels, levels of 4×5 and 2×3 cells, 4
/// points from 2 references.
const std::string& spatial() {
  static const std::string text = R"(<ir_version: 8, opset_import: ["" : 17, "tarmac" : 1]>
spatial (float[b,n,26,8] features, float[b,6,8] asked, float[b,n,6,2,2] reference, float[b,n,6] visible)
  => (float[b,6,8] output)
<
  int64[2,2] shapes = {4, 5, 2, 3}, int64[2] starts = {0, 20},
  int64[4] value_shape = {-1, 26, 2, 4}, int64[8] offsets_shape = {-1, 1, 6, 2, 2, 2, 2, 2},
  int64[6] locations_shape = {-1, 6, 2, 2, 4, 2}, int64[5] logits_shape = {-1, 1, 6, 2, 8},
  int64[5] weights_shape = {-1, 6, 2, 2, 4}, int64[2] rest = {6, 8},
  float[2,1,1,2] sizes = {5.0, 4.0, 3.0, 2.0}, float half = {0.5},
  int64[3] inner = {3, 4, 5}, int64[1] last = {3}, int64[1] cameras_axis = {1}, int64[1] one = {1},
  int64[1] head = {2}
>
{
  value = Reshape (features, value_shape)
  doubled = Concat <axis = -1> (asked, asked)
  fours = Concat <axis = -1> (doubled, doubled)
  offsets = Reshape (fours, offsets_shape)
  moved = Div (offsets, sizes)
  spread = Unsqueeze (reference, inner)
  located = Add (spread, moved)
  locations = Reshape (located, locations_shape)
  logits = Reshape (doubled, logits_shape)
  soft = Softmax <axis = -1> (logits)
  cameras = Shape <start = 1, end = 2> (features)
  target = Concat <axis = 0> (one, cameras, one, one, one)
  repeated = Expand (soft, target)
  weights = Reshape (repeated, weights_shape)
  attended = tarmac.MultiScaleDeformableAttention (value, shapes, starts, locations, weights)
  batch = Shape <end = 2> (features)
  apart_shape = Concat <axis = 0> (batch, rest)
  apart = Reshape (attended, apart_shape)
  seen = Greater (visible, half)
  factor = Cast <to = 1> (seen)
  column = Unsqueeze (factor, last)
  masked = Mul (apart, column)
  output = ReduceSum <keepdims = 0> (masked, cameras_axis)
})";
  return text;
}

std::string with(std::string text, const std::vector<std::pair<std::string, std::string>>& changes) {
  for (const auto& [from, to] : changes) {
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    if (at != std::string::npos) text.replace(at, from.size(), to);
  }
  return text;
}

struct Expected {
  bool softmax = true;
  bool reference = true;
  bool mask = true;
  std::size_t expands = 0;
};

class LiftAttentionOfCameras : public LiftTest {
 protected:
  Model expect_taken(const std::string& text, const Expected& expected) {
    const Model original = expect_ok(model_from_text(text));
    Model found = expect_ok(model_from_text(text));
    optimized(found, {kRuns});
    expect_consistent(found);
    expect_form(found, expected);
    expect_same_numbers(original, found);
    return found;
  }

  void expect_form(const Model& found, const Expected& expected) {
    const auto nodes = calls(found, kOperator);
    ASSERT_EQ(nodes.size(), 1U) << model_to_text(found);
    EXPECT_EQ(nodes[0]->attribute_or<std::int64_t>("softmax", 0), expected.softmax ? 1 : 0);
    EXPECT_EQ(nodes[0]->input(5) != nullptr, expected.reference);
    EXPECT_EQ(nodes[0]->input(7) != nullptr, expected.mask);
    std::size_t expands = 0;
    for_each_node(*found.graph, [&](const Node& node) { expands += node.is("Expand") ? 1 : 0; });
    EXPECT_EQ(expands, expected.expands) << model_to_text(found);
  }
};

TEST_F(LiftAttentionOfCameras, TakesWhatBelongsToACarForAllItsCameras) {
  const Model found = expect_taken(spatial(), {});
  const Node& node = *calls(found, kOperator).at(0);
  EXPECT_EQ(node.attribute_or<std::string>("reference_mode", "levels"), "points");
  EXPECT_NE(node.overload.find("_fewoffsets_fewweights"), std::string::npos) << node.overload;
}

TEST_F(LiftAttentionOfCameras, TakesTheSameFromItsDefinition) {
  Model found = expect_taken(spatial(), {});
  const std::string overload = calls(found, kOperator).at(0)->overload;
  PassContext context;
  expect_ok(inline_functions(found, context));
  std::size_t samplers = 0;
  for_each_node(*found.graph, [&](const Node& node) { samplers += node.is("GridSample") ? 1 : 0; });
  EXPECT_EQ(samplers, 2U);
  optimized(found, {kRuns});
  expect_form(found, {});
  EXPECT_EQ(calls(found, kOperator).at(0)->overload, overload);
  expect_same_numbers(expect_ok(model_from_text(spatial())), found);
}

TEST_F(LiftAttentionOfCameras, TakesKnownSizesAndOneCar) {
  for (const char* batch : {"1", "2"}) {
    SCOPED_TRACE(batch);
    std::string text = spatial();
    for (std::size_t at = 0; (at = text.find("[b,", at)) != std::string::npos;)
      text.replace(at, 3, std::string("[") + batch + ",");
    for (std::size_t at = 0; (at = text.find(",n,", at)) != std::string::npos;) text.replace(at, 3, ",3,");
    expect_taken(text, {});
  }
}

TEST_F(LiftAttentionOfCameras, TakesASoftmaxBehindTheExpand) {
  expect_taken(with(spatial(), {{"soft = Softmax <axis = -1> (logits)", "soft = Identity (logits)"},
                                {"weights = Reshape (repeated, weights_shape)",
                                 "softened = Softmax <axis = -1> (repeated)\n"
                                 "  weights = Reshape (softened, weights_shape)"}}),
               {});
}

TEST_F(LiftAttentionOfCameras, KeepsWhatANodeAlreadyDoes) {
  const std::string told =
      with(spatial(), {{"locations = Reshape (located, locations_shape)",
                        "steps = Reshape (offsets, locations_shape)\n  starts_from = Reshape (reference, "
                        "reference_shape)"},
                       {"starts, locations, weights)", "starts, steps, weights, starts_from)"},
                       {"int64[1] head = {2}", "int64[4] reference_shape = {-1, 6, 2, 2}"},
                       {"tarmac.MultiScaleDeformableAttention (",
                        "tarmac.MultiScaleDeformableAttention <reference_mode = \"points\"> ("}});
  const Model found = expect_taken(told, {});
  EXPECT_EQ(calls(found, kOperator).at(0)->attribute_or<std::string>("reference_mode", ""), "points");
}

TEST_F(LiftAttentionOfCameras, LeavesASoftmaxOverSomethingElse) {
  expect_taken(with(spatial(), {{"Softmax <axis = -1>", "Softmax <axis = -2>"}}), {.softmax = false});
  expect_taken(with(spatial(), {{"{-1, 1, 6, 2, 8}", "{-1, 1, 6, 4, 4}"}}), {.softmax = false});
}

TEST_F(LiftAttentionOfCameras, LeavesWhatIsRepeatedInAnotherOrder) {
  // Every car's weights for one camera after the other, where the value has every camera for one car.
  expect_taken(with(spatial(), {{"{-1, 1, 6, 2, 8}", "{1, -1, 6, 2, 8}"},
                                {"(one, cameras, one, one, one)", "(cameras, one, one, one, one)"}}),
               {.softmax = false, .expands = 1});
}

TEST_F(LiftAttentionOfCameras, LeavesOffsetsThatAreNotInCells) {
  expect_taken(with(spatial(), {{"{5.0, 4.0, 3.0, 2.0}", "{5.0, 4.0, 3.0, 3.0}"}}), {.reference = false});
}

TEST_F(LiftAttentionOfCameras, LeavesReferencesOfAllQueries) {
  expect_taken(with(spatial(), {{"float[b,n,6,2,2] reference", "float[b,n,1,2,2] reference"}}),
               {.reference = false});
}

TEST_F(LiftAttentionOfCameras, LeavesWhatIsNoMask) {
  // Any factor.
  expect_taken(with(spatial(), {{"factor = Cast <to = 1> (seen)", "factor = Mul (visible, half)"}}),
               {.mask = false});
  // One for each channel.
  expect_taken(with(spatial(), {{"float[b,n,6] visible", "float[b,n,6,8] visible"},
                                {"column = Unsqueeze (factor, last)", "column = Identity (factor)"}}),
               {.mask = false});
  // One for each camera, whatever the query.
  expect_taken(with(spatial(), {{"float[b,n,6] visible", "float[b,n,1] visible"}}), {.mask = false});
}

TEST_F(LiftAttentionOfCameras, LeavesAMaskThatNeedsTheResult) {
  // Its shape comes from the result: the operator cannot wait for its own output.
  const Model original = expect_ok(
      model_from_text(with(spatial(), {{"seen = Greater (visible, half)",
                                        "sized = Shape <end = 3> (apart)\n  shown = Greater (visible, half)\n"
                                        "  seen = Reshape (shown, sized)"}})));
  Model found = clone_model(original);
  const Runs support({kRuns});
  OptimizeOptions options;
  options.support = &support;
  options.only = {"infer_shapes", "lift_deformable_attention"};  // the others compute the shape without it
  expect_ok(optimize(found, options));
  expect_consistent(found);
  ASSERT_EQ(calls(found, kOperator).size(), 1U);
  EXPECT_NE(calls(found, kOperator)[0]->input(5), nullptr);
  EXPECT_EQ(calls(found, kOperator)[0]->input(7), nullptr);
  expect_same_numbers(original, found);
}

TEST_F(LiftAttentionOfCameras, TakesThenAndNow) {
  // Temporal self-attention: the value is the last frame's map and behind it this one's.
  const Model found = expect_taken(R"(<ir_version: 8, opset_import: ["" : 17, "tarmac" : 1]>
temporal (float[b,12,8] previous, float[b,12,8] query, float[b,12,2] then, float[b,12,2] now)
  => (float[b,12,8] output)
<
  int64[1,2] shapes = {3, 4}, int64[1] starts = {0}, int64[4] value_shape = {-1, 12, 2, 4},
  int64[7] offsets_shape = {-1, 12, 2, 2, 1, 2, 2}, int64[6] flat = {-1, 12, 2, 1, 2, 2},
  int64[5] logits_shape = {-1, 12, 2, 2, 2}, int64[5] weights_shape = {-1, 12, 2, 1, 2},
  int64[4] apart_shape = {2, -1, 12, 8}, float[2] size = {4.0, 3.0}, int64[3] inner = {2, 3, 4}
>
{
  both = Concat <axis = 0> (previous, query)
  value = Reshape (both, value_shape)
  joined = Concat <axis = -1> (previous, query)
  offsets = Reshape (joined, offsets_shape)
  turned = Transpose <perm = [2, 0, 1, 3, 4, 5, 6]> (offsets)
  steps = Reshape (turned, flat)
  moved = Div (steps, size)
  reference = Concat <axis = 0> (then, now)
  spread = Unsqueeze (reference, inner)
  locations = Add (spread, moved)
  logits = Reshape (previous, logits_shape)
  soft = Softmax <axis = -1> (logits)
  turned_weights = Transpose <perm = [2, 0, 1, 3, 4]> (soft)
  weights = Reshape (turned_weights, weights_shape)
  attended = tarmac.MultiScaleDeformableAttention (value, shapes, starts, locations, weights)
  apart = Reshape (attended, apart_shape)
  output = ReduceMean <axes = [0], keepdims = 0> (apart)
})",
                                   {.mask = false});
  EXPECT_EQ(calls(found, kOperator).at(0)->overload.find("_few"), std::string::npos);
}

TEST_F(LiftAttentionOfCameras, TakesAMaskWhoseCamerasComeFirst) {
  expect_taken(with(spatial(), {{"float[b,n,6] visible", "float[n,b,6] visible"},
                                {"masked = Mul (apart, column)",
                                 "turned = Transpose <perm = [1, 0, 2, 3]> (apart)\n"
                                 "  masked = Mul (turned, column)"},
                                {"cameras_axis = {1}", "cameras_axis = {0}"}}),
               {});
}

TEST_F(LiftAttentionOfCameras, TakesOffsetsAndReferencesBeforeTheyAreTurned) {
  // Cameras come first where locations are made, and cars first in the value.
  expect_taken(with(spatial(), {{"float[b,n,6,2,2] reference", "float[n,b,6,2,2] reference"},
                                {"{-1, 1, 6, 2, 2, 2, 2, 2}", "{1, -1, 6, 2, 2, 2, 2, 2}"},
                                {"locations = Reshape (located, locations_shape)",
                                 "turned = Transpose <perm = [1, 0, 2, 3, 4, 5, 6, 7]> (located)\n"
                                 "  locations = Reshape (turned, locations_shape)"}}),
               {});
}

}  // namespace
}  // namespace tarmac::test
