// The example that was made hard for INT8, on its drawn pictures and both engines.
#include <map>

#include "deploy/deploy.h"
#include "support/expect.h"
#include "support/temporary_folder.h"
#include "targets/target.h"

namespace tarmac::test {
namespace {

class RoadSegmentation : public testing::Test {
 protected:
  void SetUp() override {
    auto loaded =
        load_contract(std::filesystem::path(TARMAC_SOURCE_DIR) / "examples/road_segmentation/deploy.yaml");
    if (!loaded && loaded.error().code == ErrorCode::kNotFound)
      GTEST_SKIP() << "the pictures are not drawn (./dev demo road_segmentation draws them): "
                   << loaded.error().str();
    contract_ = expect_ok(std::move(loaded));
    for (const TargetSpec& spec : contract_.targets) {
      if (!expect_ok(find_target(spec.name))->available()) GTEST_SKIP() << spec.name << " is not built in";
    }
    contract_.calibration->samples = 100;
    contract_.evaluation_data->samples = 60;
    contract_.acceptance = {};  // other tests may be running beside this one
  }

  /// The mean IoU of each variant on each target, by "VARIANT TARGET".
  [[nodiscard]] std::map<std::string, double> mean_ious() const {
    const TemporaryFolder folder;
    DeployOptions options;
    options.output_folder = folder / "out";
    options.timing_s = 0.05;
    const DeployOutcome outcome = expect_ok(deploy(contract_, options, no_progress()));
    std::map<std::string, double> found;
    for (const report::RunResult& run : outcome.report.runs) {
      EXPECT_EQ(run.failure, "");
      if (run.accuracy) found[run.variant + " " + run.target] = run.accuracy->value;
    }
    return found;
  }

  Contract contract_;
};

TEST_F(RoadSegmentation, LosesAtMostTwoPointsInInt8) {
  auto found = mean_ious();
  for (const TargetSpec& target : contract_.targets) {
    EXPECT_GT(found["fp32 " + target.name], 0.95);
    EXPECT_GE(found["int8 " + target.name], found["fp32 " + target.name] - 0.02) << target.name;
  }
}

TEST_F(RoadSegmentation, LosesFivePointsWhereChannelsStayAsTheyAre) {
  contract_.precision.equalize = false;
  contract_.precision.bias_correction = false;
  auto found = mean_ious();
  for (const TargetSpec& target : contract_.targets)
    EXPECT_LT(found["int8 " + target.name], found["fp32 " + target.name] - 0.05) << target.name;
}

TEST_F(RoadSegmentation, KeepsGroupsInFloatUntilTheBudgetHolds) {
  contract_.precision.equalize = false;
  contract_.precision.bias_correction = false;
  contract_.precision.max_drop = 0.02;
  contract_.targets.resize(1);
  const TemporaryFolder folder;
  DeployOptions options;
  options.output_folder = folder / "out";
  options.timing_s = 0.05;
  const DeployOutcome outcome = expect_ok(deploy(contract_, options, no_progress()));
  std::map<std::string, double> found;
  for (const report::RunResult& run : outcome.report.runs) found[run.variant] = run.accuracy->value;
  ASSERT_TRUE(found.contains("int8")) << testing::PrintToString(outcome.report.notes);
  EXPECT_GE(found["int8"], found["fp32"] - 0.02);
  std::size_t in_float = 0;
  std::size_t in_int8 = 0;
  for (const report::NodePrecision& row : outcome.report.precision) {
    EXPECT_EQ(row.target, contract_.targets.front().name);
    (row.precision == "int8" ? in_int8 : in_float) += 1;
    EXPECT_TRUE(!row.sensitivity || row.snr_db) << row.node;
  }
  EXPECT_GT(in_float, 0U);
  EXPECT_GT(in_int8, 0U);
}

}  // namespace
}  // namespace tarmac::test
