// A model that carries state is deployed whole: proven, converted, quantised, tuned and timed on frames in
// order.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "deploy/deploy.h"
#include "plan/plan_file.h"
#include "runtime/example_models.h"
#include "support/expect.h"
#include "support/temporary_folder.h"
#include "tensor/io.h"

namespace tarmac::test {
namespace {

using testing::HasSubstr;

constexpr std::size_t kFrames = 12;

/// Three cameras, and half of what was seen before.
constexpr const char* kModel = R"(
  <ir_version: 8, opset_import: ["" : 17]>
  road (float[batch, 3, 16, 16] cameras, float[batch, 4, 16, 16] before)
    => (float[batch, 2, 16, 16] scores, float[batch, 4, 16, 16] after)
  <float[4, 3, 1, 1] w = {1, 0.2, 0, 0, 1, 0.3, 0.1, 0, 1, 0.5, 0.5, 0.2},
   float[2, 4, 1, 1] v = {0.3, 1, 0, 1, 1, 0, 1, 0.4}, float[1] half = {0.5}> {
    now = Conv(cameras, w)
    past = Mul(before, half)
    sum = Add(now, past)
    after = Relu(sum)
    scores = Conv(after, v)
  })";

constexpr const char* kContract = R"(version: 1
name: road
model: road.onnx
inputs:
  cameras: {shape: [batch, 3, 16, 16], dtype: float32}
sequence: {scenes: array, state: [{output: after, input: before}]}
data:
  calibration: {npz: train.npz}
  evaluation: {npz: test.npz}
evaluation: {metric: agreement}
targets: [openvino]
precision: {mode: int8, MAX_DROP, also: [fp16, bf16]}
robustness:
  - never_reset
  - always_reset
  - drop: {input: cameras, axis: 1, index: 0}
  - late: {input: cameras}
  - shuffle: {input: cameras, axis: 1, seed: 1}
acceptance: {fp32_drop: 1%, fp16_drop: 1%, bf16_drop: 2%}
)";

class DeploySequence : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!expect_ok(find_target("openvino"))->available()) GTEST_SKIP() << "openvino is not built in";
    write_frames("train.npz", 1);
    write_frames("test.npz", 2);
    (void)folder_.write("road.onnx", expect_ok(serialize_model(model_of(kModel))));
  }

  void write_frames(const std::string& name, unsigned seed) const {
    std::mt19937 random(seed);
    std::vector<float> values;
    for (std::size_t i = 0; i < kFrames * 3 * 16 * 16; ++i)
      values.push_back(static_cast<float>(random() % 1000) / 1000);
    std::vector<std::int64_t> scenes;
    for (std::size_t i = 0; i < kFrames; ++i) scenes.push_back(i < 5 ? 0 : 1);
    expect_ok(write_npz(folder_ / name, {{"cameras", Tensor::from<float>({kFrames, 3, 16, 16}, values)},
                                         {"scenes", Tensor::from<std::int64_t>({kFrames}, scenes)}}));
  }

  TemporaryFolder folder_;
};

TEST_P(DeploySequence, CarriesItsStateThroughEveryStage) {
  std::string text = kContract;
  text.replace(text.find("MAX_DROP"), 8, GetParam());
  const Contract contract = expect_ok(load_contract(folder_.write("deploy.yaml", text)));
  DeployOptions options;
  options.output_folder = folder_ / "out";
  options.timing_s = 0.05;
  const DeployOutcome outcome = expect_ok(deploy(contract, options, no_progress()));
  const report::DeployReport& report = outcome.report;
  EXPECT_TRUE(report.passed) << testing::PrintToString(report.failures);

  std::vector<std::string> variants;
  for (const report::RunResult& run : report.runs) {
    variants.push_back(run.variant);
    ASSERT_TRUE(run.accuracy && run.latency) << run.variant;
    EXPECT_EQ(run.accuracy->samples, static_cast<std::int64_t>(kFrames));
    EXPECT_GT(run.accuracy->value, run.variant == "int8" ? 0.95 : 0.99) << run.variant;
    EXPECT_GT(run.latency->mean_ns, 0);
  }
  for (const char* variant : {"original", "fp32", "fp16", "bf16"})
    EXPECT_THAT(variants, testing::Contains(variant));

  const auto real = std::find_if(report.equivalence.begin(), report.equivalence.end(),
                                 [](const auto& row) { return row.data != "made up"; });
  ASSERT_NE(real, report.equivalence.end());
  EXPECT_EQ(real->runs, static_cast<std::int64_t>(kFrames)) << real->note;

  ASSERT_EQ(outcome.plans.size(), 3U);
  const char* const names[] = {"road.openvino.plan", "road.openvino.fp16.plan", "road.openvino.bf16.plan"};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(outcome.plans[i].filename(), names[i]);
    const PlanFile plan = expect_ok(PlanFile::open(outcome.plans[i]));
    EXPECT_EQ(plan.info().precision, i == 0 ? report.final_variant : i == 1 ? "fp16" : "bf16");
    EXPECT_THAT(plan.info().acceptance_json, i == 1 ? HasSubstr("fp16_drop") : HasSubstr("drop"));
  }

  ASSERT_EQ(report.robustness.size(), 5U);
  for (const report::RobustnessRow& row : report.robustness) {
    EXPECT_EQ(row.variant, report.final_variant);
    ASSERT_TRUE(row.drop.has_value());
    EXPECT_GT(*row.drop, 0.001) << row.fault;
  }
  EXPECT_EQ(report.robustness[2].fault, "drop cameras[axis 1: 0]");
  EXPECT_THAT(report::render_json(report), HasSubstr("\"fault\": \"never_reset\""));
}

INSTANTIATE_TEST_SUITE_P(Int8, DeploySequence, testing::Values("equalize: true", "max_drop: 0.1%"));

}  // namespace
}  // namespace tarmac::test
