// Nodes as mmcv, mmdeploy and TensorRT projects write them.
#include "passes/lift_harness.h"

namespace tarmac::test {
namespace {

class AdoptCustomOperators : public LiftTest {
 protected:
  static std::string with_domain(const std::string& domain, const std::string& graph, int opset = 19) {
    return "<ir_version: 10, opset_import: [\"\" : " + std::to_string(opset) + ", \"" + domain +
           "\" : 1]>\n" + graph;
  }

  /// The only node of the domain tarmac after all passes.
  Node& adopted(Model& found, const char* op_type) {
    const OptimizeReport report = optimized(found, {std::string("tarmac:") + op_type, "GridSample"});
    expect_consistent(found);
    for (const Change& declined : report.declined) ADD_FAILURE() << declined.node << ": " << declined.what;
    const auto nodes = calls(found, op_type);
    EXPECT_EQ(nodes.size(), 1U) << model_to_text(found);
    return *nodes.at(0);
  }

  std::string why(const std::string& text) {
    Model found = model(text);
    const OptimizeReport report =
        optimized(found, {"tarmac:MultiScaleDeformableAttention", "tarmac:DeformConv2d", "tarmac:BevPool",
                          "tarmac:PillarScatter", "tarmac:RotatedNms"});
    EXPECT_EQ(report.declined.size(), 1U);
    return report.declined.empty() ? "" : report.declined[0].what;
  }
};

constexpr const char* kLevels =
    "  shapes = Constant <value = int64[2,2] {6, 8, 3, 4}> ()\n"
    "  starts = Constant <value = int64[2] {0, 48}> ()\n";

TEST_F(AdoptCustomOperators, TakesTheAttentionOfMmdeploy) {
  const std::string inputs =
      "g (float[2,60,2,4] value, float[2,5,2,2,3,2] locations, float[2,5,2,2,3] weights) => "
      "(float[2,5,8] y) {\n";
  Model found =
      model(with_domain("mmdeploy", inputs + kLevels +
                                        "  y = mmdeploy.MMCVMultiScaleDeformableAttention <im2col_step = "
                                        "64> (value, shapes, starts, locations, weights)\n}"));
  const Node& node = adopted(found, "MultiScaleDeformableAttention");
  EXPECT_EQ(node.input(3)->name(), "locations");
  EXPECT_EQ(node.attributes.size(), 0U);
  ASSERT_NE(found.find_function(node), nullptr);
  // The same graph as an exporter without that domain writes it.
  Model decomposed = exported("msda_core");
  optimized(decomposed, {"tarmac:MultiScaleDeformableAttention"});
  EXPECT_EQ(calls(decomposed, "MultiScaleDeformableAttention").size(), 1U);
}

TEST_F(AdoptCustomOperators, TakesTheAttentionOfBevFormersPlugin) {
  const std::string text =
      "g (float[2,60,2,4] value, float[2,5,1,4] reference, float[2,5,2,16] offsets, float[2,5,2,8] logits) "
      "=> "
      "(float[2,5,2,4] y) {\n" +
      std::string(kLevels) +
      "  y = trt.plugins.MultiScaleDeformableAttnTRT2 (value, shapes, reference, offsets, logits)\n}";
  Model found = model(with_domain("trt.plugins", text));
  const Node& node = adopted(found, "MultiScaleDeformableAttention");
  EXPECT_EQ(node.attribute_or<std::int64_t>("softmax", 0), 1);
  EXPECT_EQ(node.attribute_or<std::string>("reference_mode", ""), "points");
  EXPECT_EQ(node.input(5)->type, Type::tensor(DType::kFloat32, Shape{2, 5, 2, 2}));
  EXPECT_EQ(node.input(3)->type, Type::tensor(DType::kFloat32, Shape{2, 5, 2, 2, 4, 2}));
  EXPECT_EQ(found.graph->outputs()[0]->type, Type::tensor(DType::kFloat32, Shape{2, 5, 2, 4}));
}

TEST_F(AdoptCustomOperators, TakesDeformableConvolution) {
  const std::string domain = "mmdeploy";
  Model found = model(with_domain(
      domain,
      R"(g (float[1,4,6,7] x, float[1,18,6,7] offset, float[1,9,6,7] mask, float[6,4,3,3] w, float[6] b) => (float[1,6,6,7] y) {
  y = mmdeploy.MMCVModulatedDeformConv2d <stride = [1, 1], padding = [1, 1], dilation = [1, 1], groups = 1, deform_groups = 1> (x, offset, mask, w, b)
})"));
  const Node& node = adopted(found, "DeformConv2d");
  EXPECT_EQ(node.input(1)->name(), "w");
  EXPECT_EQ(node.input(3)->name(), "b");
  EXPECT_EQ(node.input(4)->name(), "mask");
  EXPECT_EQ(node.attribute_or<std::vector<std::int64_t>>("pads", {}),
            (std::vector<std::int64_t>{1, 1, 1, 1}));
  const Model standard = model(opset(
      19,
      R"(g (float[1,4,6,7] x, float[1,18,6,7] offset, float[1,9,6,7] mask, float[6,4,3,3] w, float[6] b) => (float[1,6,6,7] y) {
  y = DeformConv <pads = [1, 1, 1, 1]> (x, w, offset, b, mask)
})"));
  expect_same_numbers(standard, found);
}

TEST_F(AdoptCustomOperators, TakesBevPoolOfBevDet) {
  Model found = model(with_domain(
      "mmdeploy",
      R"(g (float[2,3,2,4] depth, float[2,2,4,6] feat, int32[9] rd, int32[9] rf, int32[9] rb, int32[5] starts, int32[5] lengths) => (float[1,4,5,6] y) {
  y = mmdeploy.bev_pool_v2 <out_height = 4, out_width = 5> (depth, feat, rd, rf, rb, starts, lengths)
})"));
  const Node& node = adopted(found, "BevPool");
  EXPECT_EQ(node.inputs().size(), 7U);
  EXPECT_EQ(node.attribute_or<std::string>("layout", ""), "BZHWC");
}

TEST_F(AdoptCustomOperators, TakesThePillarScatterOfCudaPointPillars) {
  Model found = model(with_domain(
      "trt.plugins", R"(g (float[6,3] features, int32[6,4] coords, int32[1] count) => (float[1,3,5,7] y) {
  y = trt.plugins.PPScatterPlugin <dense_shape = [5, 7]> (features, coords, count)
})"));
  const Node& node = adopted(found, "PillarScatter");
  EXPECT_EQ(node.attribute_or<std::int64_t>("height", 0), 5);
  EXPECT_EQ(node.attribute_or<std::int64_t>("width", 0), 7);
}

TEST_F(AdoptCustomOperators, TakesGridSamplersAsTheOperatorOfOnnx) {
  Model found = model(with_domain("mmcv", R"(g (float[1,2,4,5] x, float[1,3,3,2] grid) => (float[1,2,3,3] y) {
  y = mmcv.grid_sampler <interpolation_mode = 0, padding_mode = 1, align_corners = 1> (x, grid)
})",
                                  16));
  optimized(found, {"GridSample"});
  const Model standard = model(opset(16, R"(g (float[1,2,4,5] x, float[1,3,3,2] grid) => (float[1,2,3,3] y) {
  y = GridSample <mode = "bilinear", padding_mode = "border", align_corners = 1> (x, grid)
})"));
  expect_same_numbers(standard, found);
}

TEST_F(AdoptCustomOperators, UndoesTheScaleOfBevFormersGridSampler) {
  Model found =
      model(with_domain("trt.plugins", R"(g (float[1,2,4,5] x, float[1,2,3,3] grid) => (float[1,2,3,3] y) {
  y = trt.plugins.GridSampler2DTRT <interpolation_mode = 0, padding_mode = 0, align_corners = 0> (x, grid)
})",
                        16));
  optimized(found, {"GridSample"});
  const Model standard = model(opset(16, R"(g (float[1,2,4,5] x, float[1,2,3,3] grid) => (float[1,2,3,3] y) {
  last = Transpose <perm = [0, 2, 3, 1]> (grid)
  tenth = Constant <value = float {0.1}> ()
  small = Mul (last, tenth)
  y = GridSample (x, small)
})"));
  expect_same_numbers(standard, found);
}

TEST_F(AdoptCustomOperators, SaysWhyItLeavesWhatDiffers) {
  EXPECT_THAT(why(with_domain("mmdeploy", R"(g (float[1,10,5] boxes, float[1,1,10] scores) => (int64[n,3] y) {
  y = mmdeploy.NMSRotated <iou_threshold = 0.5> (boxes, scores)
})")),
              testing::HasSubstr("RotatedNms gives a fixed number"));
  EXPECT_THAT(
      why(with_domain("trt.plugins", R"(g (float[1,6,3] f, int32[1,6,4] c, int32[1] n) => (float[1,3,5,7] y) {
  y = trt.plugins.PillarScatterPlugin <dense_shape = [5, 7]> (f, c, n)
})")),
      testing::HasSubstr("batch of pillar lists"));
}

TEST_F(AdoptCustomOperators, LeavesAllOfThemToTargetsWithoutKernels) {
  Model found = model(with_domain(
      "mmdeploy", R"(g (float[1,4,6,7] x, float[1,18,6,7] offset, float[6,4,3,3] w) => (float[1,6,6,7] y) {
  y = mmdeploy.MMCVDeformConv2d <stride = [1, 1], padding = [1, 1], dilation = [1, 1], groups = 1, deform_groups = 1> (x, offset, w)
})"));
  const OptimizeReport report = optimized(found, {});
  ASSERT_EQ(report.declined.size(), 1U);
  EXPECT_THAT(report.declined[0].what, testing::HasSubstr("not every target runs DeformConv2d"));
}

}  // namespace
}  // namespace tarmac::test
