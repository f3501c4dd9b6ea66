// Calibration of a model with state: frames in order, the state carried and begun anew with each scene.
#include <cmath>
#include <random>

#include "precision/calibrate_dataset.h"
#include "precision/calibration_file.h"
#include "support/graph_checks.h"
#include "support/temporary_folder.h"
#include "tensor/io.h"

namespace tarmac::test {
namespace {

constexpr const char* kModel = R"(<ir_version: 7, opset_import: ["" : 13]>
g (float[1, 4] frame, float[1, 4] before) => (float[1, 4] scores, float[1, 4] after)
<float[1] half = {0.5}> {
  kept = Mul (before, half)
  sum = Add (frame, kept)
  after = Tanh (sum)
  scores = Relu (sum)
})";
constexpr int kFrames = 20;
const std::vector<std::string>& values() {
  static const std::vector<std::string> names = {"frame", "before", "sum", "after"};
  return names;
}

class SequenceCalibration : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!engine().available()) GTEST_SKIP() << GetParam() << " is not built in";
    std::mt19937 random(5);
    std::vector<float> frames;
    for (int i = 0; i < 4 * kFrames; ++i) frames.push_back(static_cast<float>(random() % 1000) / 500 - 0.7F);
    // Scenes of 3, 9, 1 and 7 frames.
    for (int i = 0; i < kFrames; ++i) scenes_.push_back(i < 3 ? 4 : i < 12 ? 5 : i < 13 ? 4 : 9);
    frames_ = Tensor::from<float>({kFrames, 4}, frames);
    expect_ok(write_npz(folder_ / "frames.npz",
                        {{"frame", frames_}, {"scenes", Tensor::from<std::int64_t>({kFrames}, scenes_)}}));
    InputSpec input;
    input.name = "frame";
    input.shape = {{1, ""}, {4, ""}};
    contract_.inputs = {input};
    contract_.sequence = SequenceSpec{SceneSource::kArray, {{"after", "before", {}}}};
    source_.kind = DataKind::kTensors;
    source_.path = folder_ / "frames.npz";
  }
  static Target& engine() { return *expect_ok(find_target(GetParam())); }

  Calibration calibrated(const Dataset& data) {
    CalibrateOptions options;
    options.observe.histograms = true;
    return expect_ok(calibrate_dataset(model(kModel), values(), engine(), options, contract_, data, 0,
                                       no_progress()))
        .found;
  }
  Dataset open() { return expect_ok(Dataset::open(contract_, source_)); }

  TemporaryFolder folder_;
  Contract contract_;
  DataSource source_;
  Tensor frames_;
  std::vector<std::int64_t> scenes_;
};

TEST_P(SequenceCalibration, SeesWhatALoopByHandSees) {
  const Calibration found = calibrated(open());
  EXPECT_EQ(found.samples, static_cast<std::uint64_t>(kFrames));
  // By hand, on the engine itself: no buffers that take turns, nothing bound in advance.
  const Model plain = model(kModel);
  const auto executable = expect_ok(engine().compile(plain, {}, no_progress()));
  const auto context = expect_ok(executable->create_context());
  Tensor state = Tensor::from<float>({1, 4}, {0, 0, 0, 0});
  Histogram before;
  Histogram after;
  for (int i = 0; i < kFrames; ++i) {
    if (i == 3 || i == 12 || i == 13) state = Tensor::from<float>({1, 4}, {0, 0, 0, 0});
    const auto frame = frames_.data<float>().subspan(4 * static_cast<std::size_t>(i), 4);
    expect_ok(context->set_input("frame", Tensor::from<float>({1, 4}, frame)));
    expect_ok(context->set_input("before", state));
    before.add(state.data<float>());
    expect_ok(context->run());
    state = expect_ok(expect_ok(context->output("after")).clone());
    after.add(state.data<float>());
  }
  EXPECT_TRUE(found.statistics.at("before").histogram == before);
  EXPECT_TRUE(found.statistics.at("after").histogram == after);
  EXPECT_LT(found.statistics.at("before").extremes.max, 1);
  EXPECT_GT(found.statistics.at("before").extremes.max, 0.3F);
  EXPECT_GT(found.statistics.at("sum").extremes.max, found.statistics.at("frame").extremes.max);
}

TEST_P(SequenceCalibration, ShardsAtScenesMergeIntoExactlyOneRun) {
  const auto record = [&](std::int64_t shard, std::int64_t count) {
    Dataset data = open();
    data.keep_shard(shard, count);
    CalibrationRecord made;
    made.shard_count = count;
    made.shards = {shard};
    made.histograms = true;
    const Calibration found = calibrated(data);
    made.samples = found.samples;
    made.statistics = found.statistics;
    return made;
  };
  CalibrationRecord whole = record(1, 1);
  for (auto& [name, seen] : whole.statistics) seen.moving_average = {};
  for (const std::int64_t count : {2, 3}) {
    std::vector<CalibrationRecord> shards;
    for (std::int64_t shard = 1; shard <= count; ++shard) shards.push_back(record(shard, count));
    const CalibrationRecord merged = expect_ok(merge(shards));
    EXPECT_EQ(merged.samples, whole.samples);
    EXPECT_TRUE(merged.statistics == whole.statistics) << count;
  }
}

TEST_P(SequenceCalibration, TakesWholeScenesOfASubsetAndRunsOneFrameAtATime) {
  source_.samples = 8;
  const Dataset data = open();
  EXPECT_EQ(data.size(), 8U);
  EXPECT_EQ(calibrated(data).batches, 8U);
  expect_error(calibrate_dataset(model(kModel), values(), engine(), {}, contract_, data, 4, no_progress()),
               ErrorCode::kUsage, "one at a time");
}

INSTANTIATE_TEST_SUITE_P(Engines, SequenceCalibration, testing::Values("onnxruntime", "openvino"));

}  // namespace
}  // namespace tarmac::test
