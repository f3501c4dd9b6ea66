// A deployment is judged by the contract's metric, whatever it is: a tiny network that tells red from green.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "deploy/deploy.h"
#include "runtime/example_models.h"
#include "support/expect.h"
#include "support/temporary_folder.h"
#include "targets/target.h"

namespace tarmac::test {
namespace {

using testing::HasSubstr;

/// Twice the red and twice the green of each 2 x 2 pixels, at half the size.
constexpr const char* kModel = R"(
  <ir_version: 8, opset_import: ["" : 17]>
  road (float[batch, 3, 16, 16] image) => (float[batch, 2, 8, 8] scores)
  <float[4, 3, 1, 1] w = {1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0}, float[2, 4, 1, 1] v = {0, 1, 0, 1, 1, 0, 1, 0}> {
    colours = Conv(image, w)
    positive = Relu(colours)
    smaller = AveragePool <kernel_shape = [2, 2], strides = [2, 2]> (positive)
    scores = Conv(smaller, v)
  })";

constexpr const char* kContract = R"(version: 1
name: road
model: road.onnx
inputs:
  image:
    shape: [batch, 3, 16, 16]
    dtype: float32
    layout: NCHW
    preprocess:
      - decode: {color: RGB}
      - resize: {size: [16, 16], interpolation: nearest}
      - normalize: {scale: 1/255}
labels: [other, road]
data:
  calibration: {folder: train}
  evaluation: {folder: test, TRUTH}
evaluation: {EVALUATION}
targets: [openvino]
precision: {mode: int8}
acceptance: {fp32_drop: 1%, int8_drop: 5%}
)";

class DeployMetrics : public testing::Test {
 protected:
  void SetUp() override {
    if (!expect_ok(find_target("openvino"))->available()) GTEST_SKIP() << "openvino is not built in";
    for (int i = 0; i < 6; ++i) {
      const std::string name = "town/" + std::to_string(i);
      write("train/" + name + ".png", picture(i + 1, 200));
      write("test/" + name + ".png", picture(i + 1, 180));
      cv::Mat mask(16, 16, CV_8UC1, cv::Scalar(0));
      mask.colRange(0, 2 * (i + 1)) = cv::Scalar(1);
      write("masks/" + name + ".png", mask);
    }
  }

  void write(const std::string& name, const cv::Mat& picture) const {
    std::filesystem::create_directories((folder_.path() / name).parent_path());
    ASSERT_TRUE(cv::imwrite((folder_.path() / name).string(), picture));
  }

  /// Red road of `columns` times two, green elsewhere.
  static cv::Mat picture(int columns, int shade) {
    cv::Mat picture(16, 16, CV_8UC3, cv::Scalar(20, shade, 30));
    picture.colRange(0, 2 * columns) = cv::Scalar(20, 30, shade);
    return picture;
  }

  [[nodiscard]] report::DeployReport deploy_with(const std::string& truth,
                                                 const std::string& evaluation) const {
    std::string text = kContract;
    text.replace(text.find("TRUTH"), 5, truth);
    text.replace(text.find("EVALUATION"), 10, evaluation);
    (void)folder_.write("road.onnx", expect_ok(serialize_model(model_of(kModel))));
    const Contract contract = expect_ok(load_contract(folder_.write("deploy.yaml", text)));
    DeployOptions options;
    options.output_folder = folder_.path() / "out";
    options.timing_s = 0.05;
    return expect_ok(deploy(contract, options, no_progress())).report;
  }

  TemporaryFolder folder_;
};

TEST_F(DeployMetrics, JudgesLabelMapsByTheMeanIou) {
  const report::DeployReport report = deploy_with("masks: masks", "metric: miou");
  EXPECT_TRUE(report.passed) << testing::PrintToString(report.failures);
  for (const report::RunResult& run : report.runs) {
    ASSERT_TRUE(run.accuracy.has_value());
    EXPECT_EQ(run.accuracy->metric, "mean_iou");
    EXPECT_EQ(run.accuracy->samples, 6);
    EXPECT_DOUBLE_EQ(run.accuracy->value, 1) << run.variant;
    ASSERT_EQ(run.accuracy->classes.size(), 2U);
    EXPECT_EQ(run.accuracy->classes[1].name, "road");
    EXPECT_EQ(run.accuracy->classes[1].samples, 8 * (1 + 2 + 3 + 4 + 5 + 6));
    EXPECT_EQ(run.accuracy->classes[1].iou, 1);
  }
  EXPECT_EQ(report.acceptance.at(0).criterion, "fp32_drop");
  EXPECT_EQ(report.acceptance.at(0).metric, "mean IoU");
  EXPECT_TRUE(report.pictures.empty());
  const std::string html = report::render_html(report);
  EXPECT_THAT(html, HasSubstr("\"name\":\"mean IoU\""));
}

TEST_F(DeployMetrics, AgreementNeedsNoLabels) {
  const report::DeployReport report = deploy_with("samples: 4", "metric: agreement");
  EXPECT_TRUE(report.passed) << testing::PrintToString(report.failures);
  for (const report::RunResult& run : report.runs) {
    ASSERT_TRUE(run.accuracy.has_value());
    EXPECT_EQ(run.accuracy->name, "agreement");
    EXPECT_EQ(run.accuracy->samples, 4);
    EXPECT_THAT(run.accuracy->worst_sample, HasSubstr("test/town/"));
    EXPECT_GE(*run.accuracy->mean_agreement, run.accuracy->value);
    EXPECT_EQ(run.accuracy->value == 1, run.variant != "int8") << run.variant;
    EXPECT_GT(run.accuracy->value, 0.98) << run.variant;
  }
}

}  // namespace
}  // namespace tarmac::test
