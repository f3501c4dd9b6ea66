#include "passes/convert_opset.h"

#include "passes/pass_harness.h"

namespace tarmac::test {
namespace {

std::string with_opset(int ir_version, int opset, const std::string& graph) {
  return "<ir_version: " + std::to_string(ir_version) + ", opset_import: [\"\" : " + std::to_string(opset) +
         "]>\n" + graph;
}

void expect_conversion(const std::string& before, std::int64_t to, const std::string& after) {
  Model found = model(before);
  const Model expected = model(after);
  expect_ok(convert_opset(found, to));
  expect_consistent(found);
  EXPECT_EQ(found.opset(), to);
  EXPECT_EQ(structural_difference(found, expected), "") << model_to_text(found);
}

std::set<std::string> operators(const Model& model) {
  std::set<std::string> found;
  for_each_node(*model.graph, [&](const Node& node) { found.insert(node.op_type); });
  return found;
}

TEST(ConvertOpset, MakesAttributesInputsGoingUp) {
  expect_conversion(
      with_opset(5, 10, R"(g (float[2,3] x) => (float[3] y) <int64[2] from = {0, 0}, int64[2] to = {2, 3}> {
      a = Clip <min = 0.0, max = 6.0> (x)
      b = Pad <pads = [0, 1, 0, 1], value = 2.0> (a)
      c = Slice (b, from, to)
      d = ReduceSum <axes = [0], keepdims = 0> (c)
      y = Relu (d)
    })"),
      18, with_opset(8, 18, R"(g (float[2,3] x) => (float[3] y)
      <int64[2] from = {0, 0}, int64[2] to = {2, 3}, float low = {0.0}, float high = {6.0}, float two = {2.0},
       int64[4] pads = {0, 1, 0, 1}, int64[1] axes = {0}> {
      a = Clip (x, low, high)
      b = Pad (a, pads, two)
      c = Slice (b, from, to)
      d = ReduceSum <keepdims = 0> (c, axes)
      y = Relu (d)
    })"));
}

TEST(ConvertOpset, MakesConstantInputsAttributesGoingDown) {
  expect_conversion(with_opset(8, 18, R"(g (float[2,3,4] x) => (float[4] y)
      <float low = {0.0}, int64[2] axes = {-3, 1}, int64[1] first = {0}> {
      a = Clip (x, low)
      b = ReduceMean <keepdims = 0> (a, axes)
      c = Unsqueeze (b, first)
      y = Squeeze (c, first)
    })"),
                    10, with_opset(5, 10, R"(g (float[2,3,4] x) => (float[4] y) {
      a = Clip <min = 0.0> (x)
      b = ReduceMean <keepdims = 0, axes = [0, 1]> (a)
      c = Unsqueeze <axes = [0]> (b)
      y = Squeeze <axes = [0]> (c)
    })"));
}

TEST(ConvertOpset, KeepsThePartsOfASplitThatNothingReads) {
  const std::string graph = R"(g (float[2,5] x, int64[2] sizes) => (float[2,N] y) {
      y, rest = Split <axis = 1> (x, sizes)
    })";
  for (const int opset : {13, 14, 17}) {
    Model found = model(with_opset(10, 21, graph));
    expect_ok(convert_opset(found, opset));
    ASSERT_EQ(found.graph->nodes().size(), 1U);
    EXPECT_EQ(found.graph->nodes().front()->outputs().size(), 2U) << model_to_text(found);
  }
}

TEST(ConvertOpset, KeepsTheMeaningOfSoftmaxThatFlattened) {
  expect_conversion(with_opset(6, 11, "g (float[2,3,4] x) => (float[2,3,4] y) { y = Softmax (x) }"), 13,
                    with_opset(7, 13, R"(g (float[2,3,4] x) => (float[2,3,4] y) {
      f = Flatten <axis = 1> (x)
      s = Shape (x)
      p = Softmax <axis = -1> (f)
      y = Reshape (p, s)
    })"));
  expect_conversion(
      with_opset(7, 13, "g (float[2,3,4] x) => (float[2,3,4] y) { y = Softmax <axis = 1> (x) }"), 11,
      with_opset(6, 11, R"(g (float[2,3,4] x) => (float[2,3,4] y) {
      t = Transpose <perm = [0, 2, 1]> (x)
      p = Softmax <axis = 2> (t)
      y = Transpose <perm = [0, 2, 1]> (p)
    })"));
}

TEST(ConvertOpset, WritesOutDefaultsThatBecameOthers) {
  Model roi =
      model(with_opset(5, 10, R"(g (float[1,2,8,8] x, float[3,4] r, int64[3] b) => (float[3,2,1,1] y) {
      y = RoiAlign (x, r, b) })"));
  expect_ok(convert_opset(roi, 16));
  EXPECT_EQ(roi.graph->nodes().front()->attribute_or<std::string>("coordinate_transformation_mode", ""),
            "output_half_pixel");
  expect_error(convert_opset(roi, 29), ErrorCode::kUsage, "7 to 28");
}

TEST(ConvertOpset, TurnsUpsampleIntoResizeAndBack) {
  Model scaled = model(with_opset(3, 7, R"(g (float[1,1,2,2] x) => (float[1,1,4,4] y) {
      y = Upsample <scales = [1.0, 1.0, 2.0, 2.0]> (x) })"));
  expect_ok(convert_opset(scaled, 19));
  EXPECT_EQ(operators(scaled), std::set<std::string>{"Resize"});
  EXPECT_EQ(scaled.ir_version, 9);
  expect_ok(convert_opset(scaled, 7));
  EXPECT_EQ(operators(scaled), std::set<std::string>{"Upsample"});
  EXPECT_EQ(*scaled.graph->nodes().front()->attribute<std::vector<float>>("scales"),
            (std::vector<float>{1, 1, 2, 2}));
}

TEST(ConvertOpset, DecomposesWhatTheOlderSetLacks) {
  const auto text = with_opset(9, 20, R"(g (float[2,3,8] x, float[8] s, float[8] b) => (float[2,3,8] y) {
      n = LayerNormalization <epsilon = 0.001> (x, s, b)
      h = HardSwish (n)
      m = Mish (h)
      y = Gelu (m) })");
  for (const std::int64_t to : {17, 13, 11}) {
    Model decomposed = model(text);
    expect_ok(convert_opset(decomposed, to));
    expect_consistent(decomposed);
    const auto left = operators(decomposed);
    EXPECT_EQ(left.count("LayerNormalization"), to == 17 ? 1U : 0U);
    for (const char* gone : {"Mish", "Gelu"}) EXPECT_FALSE(left.contains(gone)) << gone << " in opset " << to;
    EXPECT_EQ(to_string(decomposed.graph->outputs()[0]->type), "float32[2, 3, 8]");
  }
}

TEST(ConvertOpset, ReachesNestedGraphs) {
  Model nested = model(with_opset(6, 11, R"(g (bool c, float[2,3] x) => (float[2,1] y) {
      y = If (c) <
        then_branch = t () => (float[2,1] p) { p = ReduceSum <axes = [1]> (x) },
        else_branch = e () => (float[2,1] q) { q = ReduceMax <axes = [1]> (x) }> })"));
  expect_ok(convert_opset(nested, 18));
  expect_consistent(nested);
  for_each_node(*nested.graph, [](const Node& node) {
    EXPECT_FALSE(node.attributes.contains("axes"));
    if (!node.is("If")) {
      EXPECT_EQ(node.inputs().size(), 2U);
    }
  });
}

TEST(ConvertOpset, DropsOutputsThatNobodyReadsWhereTheyMeanTraining) {
  expect_conversion(
      with_opset(7, 13,
                 R"(g (float[1,2,3] x, float[2] s, float[2] b, float[2] m, float[2] v) => (float[1,2,3] y) {
      y, n, o, p, q = BatchNormalization (x, s, b, m, v) })"),
      15,
      with_opset(8, 15,
                 R"(g (float[1,2,3] x, float[2] s, float[2] b, float[2] m, float[2] v) => (float[1,2,3] y) {
      y = BatchNormalization (x, s, b, m, v) })"));
  expect_conversion(
      with_opset(3, 7, R"(g (float[2] x) => (float[2] y) { a, mask = Dropout (x) y = Relu (a) })"), 17,
      with_opset(8, 17, R"(g (float[2] x) => (float[2] y) { a = Dropout (x) y = Relu (a) })"));
}

TEST(ConvertOpset, KeepsPartsThatNobodyReads) {
  expect_conversion(
      with_opset(6, 11, "g (float[4] x) => (float[2] y) { y, z = Split (x) }"), 18,
      with_opset(8, 18, "g (float[4] x) => (float[2] y) { y, z = Split <num_outputs = 2> (x) }"));
}

TEST(ConvertOpset, LeavesTheModelUntouchedWhereItCannot) {
  struct Case {
    const char* graph;
    int opset;
    std::int64_t to;
    const char* reason;
  };
  for (const Case& bad : {
           Case{"g (float[1,1,2,2] x, float[1,2,2,2] p) => (float[1,1,2,2] y) { y = GridSample (x, p) }", 16,
                15, "GridSample from opset 16 to 15"},
           Case{"g (float[2,3] x, int64[1] a) => (float y) { y = ReduceMax <keepdims = 0> (x, a) }", 18, 17,
                "axes is computed"},
           Case{"g (float[4] x) => (float[4] y) <int64[2] p = {1, 1}, int64[1] f = {0}, int64[1] t = {4}> { "
                "a = Pad <mode = \"wrap\"> (x, p) "
                "y = Slice (a, f, t) }",
                19, 18, "wrap"},
           Case{"g (int32[2] x) => (int32[2] y) <int32 low = {0}> { y = Max (x, low) }", 12, 11, "int32"},
           Case{"g (float[2] x, int64[1,1] i, float[1] u) => (float[2] y) "
                "{ y = ScatterND <reduction = \"max\"> (x, i, u) }",
                18, 16, "max"},
       }) {
    const auto text = with_opset(9, bad.opset, bad.graph);
    Model kept = model(text);
    const auto status = convert_opset(kept, bad.to);
    expect_error(status, ErrorCode::kUnsupported, bad.reason);
    EXPECT_NE(status.error().node, "");
    expect_same_model(kept, model(text));
  }
}

TEST(ConvertOpset, KeepsNamesMetadataAndWeights) {
  Model named = model(with_opset(7, 13, R"(g (float[1,300] x) => (float[1,300] y) { y = Relu (x) })"));
  Graph& graph = *named.graph;
  Value& weight = graph.add_initializer("weight", Tensor::from({1, 300}, std::vector<float>(300, 0.5F)));
  Node& relu = *graph.nodes().front();
  relu.name = "activation";
  relu.metadata = {{"origin", "layer 1"}};
  relu.set_input(0, &graph.add_op("Add", {graph.inputs()[0], &weight}, "sum", &relu));
  const auto* bytes = weight.initializer()->bytes().data();
  expect_ok(convert_opset(named, 21));
  const Node& kept = *named.graph->nodes().back();
  EXPECT_EQ(kept.name, "activation");
  EXPECT_EQ(kept.metadata, (Metadata{{"origin", "layer 1"}}));
  EXPECT_EQ(named.graph->find("weight")->initializer()->bytes().data(), bytes);
  EXPECT_EQ(named.ir_version, 10);
}

TEST(ConvertOpset, InlinesFunctionsFirst) {
  expect_conversion(R"(<ir_version: 8, opset_import: ["" : 17, "local" : 1]>
    g (float[2,3] x) => (float[2,1] y) { y = local.total (x) }
    <domain: "local", opset_import: ["" : 16]> total (a) => (b) { b = ReduceMax <axes = [1]> (a) })",
                    18, R"(<ir_version: 8, opset_import: ["" : 18, "local" : 1]>
    g (float[2,3] x) => (float[2,1] y) <int64[1] axes = {1}> { y = ReduceMax (x, axes) })");
}

}  // namespace
}  // namespace tarmac::test
