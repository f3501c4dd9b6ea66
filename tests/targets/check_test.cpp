// check(): a verdict for every node, and compile() refuses what check() refuses.
#include <map>

#include "graph/model_io.h"
#include "support/expect.h"
#include "targets/target.h"

namespace tarmac {
namespace {

using test::expect_error;
using test::expect_ok;
using ::testing::HasSubstr;
using ::testing::Not;

Target& target_named(const std::string& name) { return *expect_ok(find_target(name)); }

std::map<std::string, NodeVerdict> verdicts_of(const std::string& target, const std::string& text,
                                               const CompileOptions& options = {}) {
  const Model model = expect_ok(model_from_text(text));
  std::map<std::string, NodeVerdict> verdicts;
  for (auto& verdict : expect_ok(target_named(target).check(model, options, no_progress()))) {
    const std::string node = verdict.node;
    verdicts[node] = std::move(verdict);
  }
  return verdicts;
}

class CheckTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (auto status = target_named(GetParam()).available(); !status) GTEST_SKIP() << status.error().str();
  }
};
INSTANTIATE_TEST_SUITE_P(Engines, CheckTest, ::testing::Values("openvino", "onnxruntime"),
                         [](const auto& instance) { return std::string(instance.param); });

TEST_P(CheckTest, AcceptsEveryNodeOfAModelThatTheEngineRuns) {
  const auto verdicts = verdicts_of(GetParam(), R"(<ir_version: 8, opset_import: ["" : 17]>
      g (float[N, 3] x) => (float[N, 3] y) { h = Relu(x) y = Softmax(h) })");
  ASSERT_EQ(verdicts.size(), 2U);
  EXPECT_EQ(verdicts.at("h").verdict, Verdict::kSupported);
  EXPECT_EQ(verdicts.at("y").verdict, Verdict::kSupported);
}

TEST_P(CheckTest, NamesTheOneNodeThatTheEngineLacks) {
  // Neither engine has a kernel for ImageDecoder.
  const auto verdicts = verdicts_of(GetParam(), R"(<ir_version: 9, opset_import: ["" : 20]>
      g (uint8[N] bytes, float[3] x) => (uint8[H, W, C] picture, float[3] y) {
        picture = ImageDecoder(bytes) h = Relu(x) y = Sigmoid(h) })");
  EXPECT_EQ(verdicts.at("picture").verdict, Verdict::kRefused);
  EXPECT_THAT(verdicts.at("picture").reason, HasSubstr("ImageDecoder"));
  EXPECT_NE(verdicts.at("picture").remedy, "");
  EXPECT_EQ(verdicts.at("h").verdict, Verdict::kSupported);
  EXPECT_EQ(verdicts.at("y").verdict, Verdict::kSupported);
}

TEST_P(CheckTest, RefusesANodeForWhatItsNestedGraphHolds) {
  const auto verdicts = verdicts_of(GetParam(), R"(<ir_version: 9, opset_import: ["" : 20]>
      g (bool c, uint8[N] bytes) => (uint8[H, W, C] y) {
        y = If (c) <
          then_branch = a () => (uint8[H, W, C] p) { p = ImageDecoder(bytes) },
          else_branch = b () => (uint8[H, W, C] q) { q = ImageDecoder <pixel_format = "BGR"> (bytes) }> })");
  EXPECT_EQ(verdicts.at("y").verdict, Verdict::kRefused);
  EXPECT_THAT(verdicts.at("y").reason, HasSubstr("nested graph holds the refused node"));
  EXPECT_EQ(verdicts.at("p").verdict, Verdict::kRefused);
  EXPECT_EQ(verdicts.at("q").verdict, Verdict::kRefused);
}

TEST_P(CheckTest, DoesNotBlameNodesThatOnlyHandSequencesOn) {
  const auto verdicts = verdicts_of(GetParam(), R"(<ir_version: 9, opset_import: ["" : 20]>
      g (float[4, 3] x, uint8[N] bytes) => (float[2, 3] y, uint8[H, W, C] picture) <int64 first = {0}, int64[2] parts = {2, 2}> {
        s = SplitToSequence(x, parts) y = SequenceAt(s, first) picture = ImageDecoder(bytes) })");
  EXPECT_EQ(verdicts.at("s").verdict, Verdict::kSupported);
  EXPECT_EQ(verdicts.at("y").verdict, Verdict::kSupported);
  EXPECT_EQ(verdicts.at("picture").verdict, Verdict::kRefused);
}

constexpr const char* kAlignedResize = R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[1, 1, 2, 4] x) => (float[1, 1, 1, 2] y)
    <float[4] scales = {1.0, 1.0, 0.6, 0.6}> {
      y = Resize <coordinate_transformation_mode = "align_corners", mode = "linear"> (x, , scales) })";

TEST_P(CheckTest, RefusesWhatTheEngineIsKnownToMisread) {
  const auto verdicts = verdicts_of(GetParam(), kAlignedResize);
  EXPECT_EQ(verdicts.at("y").verdict, Verdict::kRefused);
  EXPECT_THAT(verdicts.at("y").reason, HasSubstr("align_corners"));
  auto compiled =
      target_named(GetParam()).compile(expect_ok(model_from_text(kAlignedResize)), {}, no_progress());
  expect_error(compiled, ErrorCode::kUnsupported, "align_corners");
}

TEST(OpenvinoCheck, AcceptsTheResizeWhoseSizeIsWhole) {
  if (!target_named("openvino").available()) GTEST_SKIP() << "no OpenVINO";
  const auto verdicts = verdicts_of("openvino", R"(<ir_version: 8, opset_import: ["" : 17]>
      g (float[1, 1, 2, 4] x) => (float[1, 1, 4, 8] y)
      <float[4] scales = {1.0, 1.0, 2.0, 2.0}> {
        y = Resize <coordinate_transformation_mode = "align_corners", mode = "linear"> (x, , scales) })");
  EXPECT_EQ(verdicts.at("y").verdict, Verdict::kSupported);
}

TEST(OpenvinoCheck, RefusesTileByWhatItKnowsOfTheNumberOfAxes) {
  if (!target_named("openvino").available()) GTEST_SKIP() << "no OpenVINO";
  // Detectors from TensorFlow tile constant anchors by a list whose length ONNX's inference does not find.
  const auto reason_of = [](const std::string& anchors) {
    const auto verdicts = verdicts_of("openvino", R"(<ir_version: 8, opset_import: ["" : 17]>
      g (int64[N] n) => (float y) <)" + anchors + R"(> { y = Tile(anchors, n) })");
    return verdicts.at("y").reason;
  };
  EXPECT_THAT(reason_of("float[1, 1, 1, 2] anchors = {1.0, 2.0}"), HasSubstr("computed wrongly"));
  EXPECT_THAT(reason_of("float[1, 1, 2] anchors = {1.0, 2.0}"), Not(HasSubstr("computed wrongly")));
}

TEST(OpenvinoCheck, RefusesPeepholesInsideAFunctionBody) {
  if (!target_named("openvino").available()) GTEST_SKIP() << "no OpenVINO";
  const auto verdicts = verdicts_of("openvino", R"(<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
      g (float[1,2,4] X, float[1,12,4] W, float[1,12,3] R, float[1,9] P) => (float[1,1,2,3] Y) { Y = own.cell(X, W, R, P) }
      <domain: "own", opset_import: ["" : 17]>
      cell (X, W, R, P) => (Y) { Y = LSTM <hidden_size = 3> (X, W, R, , , , , P) })");
  EXPECT_EQ(verdicts.at("Y").verdict, Verdict::kRefused);
}

Model pointwise_conv_before_transpose(const std::string& perm) {
  return expect_ok(
      model_from_text(R"(<ir_version: 8, opset_import: ["" : 13]> g (float[1,2,3,4] x) => (float y)
    <int8[2,2,1,1] q = {1, 2, 3, 4}, float[2] s = {0.5, 0.25}, int8[2] z = {0, 0}> {
    w = DequantizeLinear <axis = 0> (q, s, z)
    c = Conv (x, w)
    y = Transpose <perm = )" +
                      perm + "> (c) }"));
}

TEST(OpenvinoCheck, RefusesPointwiseConvolutionsWithStoredInt8WeightsThatItTransposesWrongly) {
  Target& target = target_named("openvino");
  if (!target.available()) GTEST_SKIP() << "no OpenVINO";
  expect_error(target.compile(pointwise_conv_before_transpose("[0,3,2,1]"), {}, no_progress()),
               ErrorCode::kUnsupported, "mixes up the axes");
  EXPECT_TRUE(target.compile(pointwise_conv_before_transpose("[0,2,3,1]"), {}, no_progress()).ok());
  EXPECT_TRUE(target
                  .compile(expect_ok(model_from_text(R"(<ir_version: 8, opset_import: ["" : 13]>
    g (float[1,2,3,4] x) => (float y) <int8[2,2,1,1] q = {1, 2, 3, 4}, float[2] s = {0.5, 0.25}, int8[2] z = {0, 0},
      float a = {0.1}, uint8 b = {128}> {
    w = DequantizeLinear <axis = 0> (q, s, z)
    i = QuantizeLinear (x, a, b)
    d = DequantizeLinear (i, a, b)
    c = Conv (d, w)
    y = Transpose <perm = [0,3,2,1]> (c) })")),
                           {}, no_progress())
                  .ok());
}

TEST(OpenvinoCheck, SaysThatFloat64IsComputedAsFloat32) {
  if (!target_named("openvino").available()) GTEST_SKIP() << "no OpenVINO";
  const auto executable = expect_ok(
      target_named("openvino")
          .compile(
              expect_ok(model_from_text(
                  R"(<ir_version: 8, opset_import: ["" : 17]> g (double[3] x) => (double[3] y) { y = Relu(x) })")),
              {}, no_progress()));
  EXPECT_THAT(executable->notes(), ::testing::Contains(HasSubstr("float64 as float32")));
}

TEST(NullCheck, AcceptsAnything) {
  const auto verdicts = verdicts_of("null", R"(<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
      g (float[3] x) => (float[3] y) { y = own.anything(x) })");
  EXPECT_EQ(verdicts.at("y").verdict, Verdict::kSupported);
}

}  // namespace
}  // namespace tarmac
