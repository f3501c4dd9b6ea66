// The shipped contract on its real pictures and both engines, and ways in which it must not pass.
#include "deploy/deploy.h"

#include "deploy/variants.h"
#include "runtime/memory.h"
#include "support/expect.h"
#include "support/temporary_folder.h"
#include "support/traffic_light_example.h"
#include "targets/target.h"
#include "tarmac/plan.h"
#include "tensor/codec.h"
#include "tensor/io.h"

namespace tarmac::test {
namespace {

class Deploy : public TrafficLightExample {
 protected:
  void SetUp() override {
    TrafficLightExample::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    for (const TargetSpec& spec : contract_.targets) {
      if (!expect_ok(find_target(spec.name))->available()) GTEST_SKIP() << spec.name << " is not built in";
    }
    // Fewer pictures and short timing: these tests are about verdicts, not about figures.
    contract_.calibration->samples = 40;
    options_.output_folder = folder_.path() / "out";
    options_.timing_s = 0.1;
  }

  [[nodiscard]] DeployOutcome run() const { return expect_ok(deploy(contract_, options_, no_progress())); }

  TemporaryFolder folder_;
  DeployOptions options_;
};

TEST_F(Deploy, WritesAPlanForEachTargetAndAReport) {
  contract_.acceptance.latency_p50_ms.reset();  // other tests may be running beside this one
  contract_.acceptance.latency_p99_ms.reset();
  contract_.acceptance.memory_bytes.reset();
  const DeployOutcome outcome = run();
  EXPECT_TRUE(outcome.report.passed) << testing::PrintToString(outcome.report.failures);
  ASSERT_EQ(outcome.plans.size(), 2U);
  for (const auto& plan : outcome.plans) {
    const PlanInfo info = expect_ok(inspect_plan(plan));
    EXPECT_THAT(info.labels, testing::ElementsAre("red", "yellow", "green"));
  }
  EXPECT_TRUE(std::filesystem::exists(options_.output_folder / "report.json"));
  EXPECT_TRUE(std::filesystem::exists(outcome.report_html));
  EXPECT_EQ(outcome.report.runs.size(), 6U);
  ASSERT_FALSE(outcome.report.equivalence.empty());
  EXPECT_EQ(outcome.report.equivalence.front().data, contract_.evaluation_data->path.string());
  EXPECT_EQ(outcome.report.equivalence.back().shapes, "batch=8");  // the largest of the contract's profile
  for (const report::EquivalenceRow& row : outcome.report.equivalence) {
    EXPECT_TRUE(row.passed) << row.shapes;
    EXPECT_EQ(row.note, "");
    EXPECT_GT(row.runs, 0);
  }
  for (const report::RunResult& result : outcome.report.runs) {
    EXPECT_EQ(result.accuracy->samples, 297) << result.variant;
    EXPECT_FALSE(result.node_times.empty()) << result.variant;
  }
}

TEST_F(Deploy, DoesNotPassWhenOutputsDifferFromTheFrameworksByMoreThanAllowed) {
  const Tensor stored = expect_ok(read_npy(contract_.reference->outputs));
  auto values = expect_ok(to_doubles(stored));
  for (double& value : values) value *= 1.02;
  contract_.reference->outputs = folder_.path() / "outputs.npy";
  expect_ok(write_npy(contract_.reference->outputs,
                      expect_ok(from_doubles(stored.dtype(), stored.shape(), values))));
  const DeployOutcome outcome = run();
  EXPECT_FALSE(outcome.report.passed);
  EXPECT_THAT(testing::PrintToString(outcome.report.failures), testing::HasSubstr("max_relative_error"));
}

TEST_F(Deploy, DoesNotPassWhenALimitIsMissed) {
  contract_.acceptance.memory_bytes = 1;
  const DeployOutcome outcome = run();
  EXPECT_FALSE(outcome.report.passed);
  EXPECT_THAT(testing::PrintToString(outcome.report.failures), testing::HasSubstr("memory"));
}

TEST_F(Deploy, ReportsHowFarOneInterpolationIsFromOpenCvsSteps) {
  contract_.inputs.front().geometry = Geometry::kFused;
  const DeployOutcome outcome = run();
  ASSERT_TRUE(outcome.report.geometry.has_value());
  const report::GeometryComparison& geometry = *outcome.report.geometry;
  EXPECT_EQ(geometry.samples, 297);
  EXPECT_GT(geometry.mean_levels, 0);
  EXPECT_LT(geometry.mean_levels, geometry.p99_levels);
  EXPECT_LE(geometry.p99_levels, geometry.max_levels);
  EXPECT_LE(geometry.max_levels, 1.1);  // one step interpolates: OpenCV's weights of 11 bits and its rounding
  ASSERT_EQ(geometry.accuracy.size(), 2U);
  for (const report::GeometryAccuracy& row : geometry.accuracy) {
    EXPECT_EQ(row.variant, "original");
    EXPECT_NEAR(row.fused, row.opencv, 0.01);
    EXPECT_GT(row.opencv, 0.9);
  }
}

TEST_F(Deploy, RefusesPicturesThatServeCalibrationAndEvaluation) {
  contract_.calibration->path = contract_.evaluation_data->path;
  expect_error(deploy(contract_, options_, no_progress()), ErrorCode::kInvalidInput);
  EXPECT_FALSE(std::filesystem::exists(options_.output_folder));
}

TEST_F(Deploy, FixesTheSizesThatAProfileLeavesNoChoiceFor) {
  Target& target = *expect_ok(find_target("openvino"));
  const Dataset data = expect_ok(Dataset::open(contract_, *contract_.calibration));
  const auto check_inputs = [&](std::int64_t largest_batch) {
    contract_.profiles.at("image").max[0] = largest_batch;
    report::DeployReport report;
    const auto variants = expect_ok(make_variants(contract_, expect_ok(load_source(contract_)).model, &data,
                                                  &data, {&target}, report, no_progress()));
    for (const Variant& variant : variants) {
      EXPECT_EQ(variant.model.graph->inputs()[0]->type.static_shape().has_value(),
                largest_batch == 1 && variant.name != "original")
          << variant.name;
    }
  };
  check_inputs(1);
  check_inputs(8);
}

TEST_F(Deploy, CalibrationMemoryDoesNotGrowWithTheNumberOfPictures) {
  if (!reset_peak_memory()) GTEST_SKIP() << "the system does not let a process reset its peak memory";
  Target& target = *expect_ok(find_target("openvino"));
  const auto peak = [&](std::int64_t samples) {
    contract_.calibration->samples = samples;
    const Dataset data = expect_ok(Dataset::open(contract_, *contract_.calibration));
    reset_peak_memory();
    report::DeployReport report;
    Source source = expect_ok(load_source(contract_));
    expect_ok(
        make_variants(contract_, std::move(source.model), &data, &data, {&target}, report, no_progress()));
    return expect_ok(memory_use()).peak_resident_bytes;
  };
  peak(40);  // the engine's own start-up
  const std::uint64_t few = peak(40);
  const std::uint64_t many = peak(1187);
  // 1,187 pictures as float tensors would take 66 MB.
  EXPECT_LT(many, few + (std::uint64_t{16} << 20U));
}

}  // namespace
}  // namespace tarmac::test
