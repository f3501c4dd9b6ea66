#include "precision/calibrate.h"

#include <cmath>

#include "support/graph_checks.h"

namespace tarmac::test {
namespace {

Target& engine() { return *expect_ok(find_target("onnxruntime")); }

/// Each list is a batch; `fill` of its last values are no samples of their own.
CalibrationSource batches(std::vector<std::vector<float>> samples, std::size_t fill = 0) {
  auto next = std::make_shared<std::size_t>(0);
  return [samples = std::move(samples), next, fill]() -> Result<std::optional<CalibrationBatch>> {
    if (*next == samples.size()) return std::optional<CalibrationBatch>();
    const auto& values = samples[(*next)++];
    CalibrationBatch batch{{}, values.size() - fill, values.size()};
    batch.inputs.emplace("x", Tensor::from({static_cast<std::int64_t>(values.size())}, values));
    return std::optional(std::move(batch));
  };
}

Model doubling() {
  return model(
      R"(<ir_version: 7, opset_import: ["" : 13]> g (float[N] x) => (float[N] y) { a = Add (x, x) y = Relu (a) })");
}

class Calibrate : public testing::Test {
 protected:
  void SetUp() override {
    if (!engine().available()) GTEST_SKIP() << "ONNX Runtime is not built in";
  }
};

TEST_F(Calibrate, KeepsTheSmallestAndLargestOverAllBatches) {
  const auto found = expect_ok(
      calibrate(doubling(), {"x", "a"}, engine(), {}, batches({{1, -2}, {3}, {0, 0.5F}}), no_progress()));
  EXPECT_EQ(found.batches, 3U);
  EXPECT_EQ(found.statistics.at("x").extremes.min, -2);
  EXPECT_EQ(found.statistics.at("x").extremes.max, 3);
  EXPECT_EQ(found.statistics.at("a").extremes.min, -4);
  EXPECT_EQ(found.statistics.at("a").extremes.max, 6);
}

TEST_F(Calibrate, AveragesTheExtremesOfBatches) {
  CalibrateOptions options;
  options.observe.decay = 0.5;
  const auto found = expect_ok(
      calibrate(doubling(), {"x"}, engine(), options, batches({{1, -2}, {3, 0}, {0, -1}}), no_progress()));
  EXPECT_EQ(found.statistics.at("x").moving_average.max, 1);
  EXPECT_EQ(found.statistics.at("x").moving_average.min, -1);
}

TEST_F(Calibrate, LeavesOutWhatFillsUpABatch) {
  CalibrateOptions options;
  options.observe.histograms = true;
  const auto found = expect_ok(calibrate(doubling(), {"x", "a"}, engine(), options,
                                         batches({{1, 2, 9, 9}, {3, 4, 9, 9}}, 2), no_progress()));
  EXPECT_EQ(found.samples, 4U);
  EXPECT_EQ(found.statistics.at("a").histogram.count(), 4U);
  EXPECT_EQ(found.statistics.at("a").extremes.max, 8);
}

TEST_F(Calibrate, RefusesNanAndNamesTheValue) {
  expect_error(calibrate(doubling(), {"a"}, engine(), {}, batches({{1}, {NAN}}), no_progress()),
               ErrorCode::kInvalidInput, "'a'");
}

TEST_F(Calibrate, SeesTheSameWhenTheLastBatchIsFilledUp) {
  CalibrateOptions options;
  options.observe.histograms = true;
  options.observe.decay = 0;
  const auto one = expect_ok(
      calibrate(doubling(), {"x", "a"}, engine(), options, batches({{1, 2, 3}, {4}}), no_progress()));
  const auto single = expect_ok(
      calibrate(doubling(), {"x", "a"}, engine(), options, batches({{1}, {2}, {3}, {4}}), no_progress()));
  EXPECT_EQ(one.samples, 4U);
  for (const char* name : {"x", "a"}) {
    EXPECT_TRUE(one.statistics.at(name).histogram == single.statistics.at(name).histogram) << name;
    EXPECT_EQ(one.statistics.at(name).histogram.count(), 4U);
  }
}

TEST_F(Calibrate, RunsBatchesThatGrow) {
  CalibrateOptions options;
  options.observe.histograms = true;
  const auto found = expect_ok(calibrate(doubling(), {"x", "a"}, engine(), options,
                                         batches({{1}, {2, 3}, {4, 5, 6}, {7}}), no_progress()));
  EXPECT_EQ(found.samples, 7U);
  EXPECT_EQ(found.statistics.at("a").histogram.count(), 7U);
  EXPECT_EQ(found.statistics.at("a").extremes.max, 14);
}

TEST_F(Calibrate, KeepsExtremesOfChannelsWhereAsked) {
  const Model two = model(
      R"(<ir_version: 7, opset_import: ["" : 13]> g (float[1, 2, 2] x) => (float[1, 2, 2] y) { a = Add (x, x) y = Relu (a) })");
  CalibrateOptions options;
  options.observe.channels = {{"a", 1}};
  bool given = false;
  const CalibrationSource once = [&]() -> Result<std::optional<CalibrationBatch>> {
    if (std::exchange(given, true)) return std::optional<CalibrationBatch>();
    CalibrationBatch batch;
    batch.inputs.emplace("x", Tensor::from<float>({1, 2, 2}, {1, 2, -3, 4}));
    batch.samples = batch.size = 1;
    return std::optional(std::move(batch));
  };
  const auto found = expect_ok(calibrate(two, {"x", "a"}, engine(), options, once, no_progress()));
  EXPECT_EQ(found.statistics.at("a").channels.low, (std::vector<float>{2, -6}));
  EXPECT_EQ(found.statistics.at("a").channels.high, (std::vector<float>{4, 8}));
  EXPECT_TRUE(found.statistics.at("x").channels.low.empty());
}

TEST_F(Calibrate, TellsConstantValues) {
  const auto found =
      expect_ok(calibrate(doubling(), {"x", "a"}, engine(), {}, batches({{3}, {3, 3}}), no_progress()));
  EXPECT_EQ(constant_values(found.statistics), (std::vector<std::string>{"a", "x"}));
}

TEST(CalibrationBatch, IsAsLargeAsTheActivationsLeaveRoomFor) {
  const auto net = [](const std::string& batch, const std::string& side) {
    return model(R"(<ir_version: 7, opset_import: ["" : 13]> g (float[)" + batch + ",3," + side + "," + side +
                 R"(] x) => (float[M,3,K,K] y) { a = Relu (x) y = Relu (a) })");
  };
  EXPECT_EQ(choose_calibration_batch(net("N", "8"), {"x", "a"}), 32U);
  const std::size_t middle = choose_calibration_batch(net("N", "512"), {"x", "a"});
  EXPECT_GT(middle, 1U);
  EXPECT_LT(middle, 8U);
  EXPECT_EQ(choose_calibration_batch(net("N", "4096"), {"x", "a"}), 1U);
  EXPECT_EQ(choose_calibration_batch(net("N", "S"), {"x", "a"}), 1U);
  EXPECT_EQ(choose_calibration_batch(net("4", "8"), {"x", "a"}), 1U);
}

TEST_F(Calibrate, RefusesNoData) {
  expect_error(calibrate(doubling(), {"a"}, engine(), {}, batches({}), no_progress()),
               ErrorCode::kInvalidInput, "at least one sample");
}

}  // namespace
}  // namespace tarmac::test
