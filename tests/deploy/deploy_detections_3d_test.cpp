// A model of several cameras that carries state and finds boxes in space is deployed whole and judged as
// nuScenes does, over the length of its scenes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "deploy/deploy.h"
#include "runtime/example_models.h"
#include "support/expect.h"
#include "support/temporary_folder.h"
#include "tensor/io.h"

namespace tarmac::test {
namespace {

constexpr std::int64_t kSide = 8;
constexpr std::int64_t kScenes = 3;
constexpr std::int64_t kLength = 5;
constexpr std::int64_t kFrames = kScenes * kLength;

/// Two pictures of 8 x 8 that lie over the map: the first channel shows cars, the second pedestrians, the
/// third how fast they are. Half of what was seen before shines through, which is too little for a peak.
constexpr const char* kModel = R"(
  <ir_version: 8, opset_import: ["" : 17]>
  road (uint8[batch, 2, 3, 8, 8] images, float[batch, 2, 4, 4] projection, float[batch, 3, 3] ego_motion,
        float[batch, 64, 4] prev_bev)
    => (float[batch, 64, 4] bev, float[batch, 2, 8, 8] heatmap, float[batch, 2, 8, 8] offset,
        float[batch, 1, 8, 8] height, float[batch, 3, 8, 8] size, float[batch, 2, 8, 8] rotation,
        float[batch, 2, 8, 8] velocity)
  <float scale = {0.003921569}, int64[4] as_map = {0, 6, 8, 8}, int64[4] as_features = {0, 4, 8, 8},
   int64[3] as_rows = {0, 4, 64}, float half = {0.5}, float three = {3},
   float[4, 6, 1, 1] w = {0.5, 0, 0, 0.5, 0, 0, 0, 0.5, 0, 0, 0.5, 0, 0, 0, 0.5, 0, 0, 0.5, 0.1, 0.1, 0, 0.1, 0.1, 0},
   float[2, 4, 1, 1] wh = {20, 0, 0, 0.1, 0, 20, 0, 0.1}, float[2] bh = {-14, -14},
   float[2, 4, 1, 1] wo = {0.01, 0, 0, 0, 0, 0.01, 0, 0}, float[2] bo = {0.5, 0.5},
   float[1, 4, 1, 1] wz = {0.01, 0.01, 0, 0}, float[3, 4, 1, 1] ws = {0.01, 0, 0, 0, 0, 0.01, 0, 0, 0, 0, 0.01, 0},
   float[3] bs = {0.6931472, 0, 0}, float[2, 4, 1, 1] wr = {0, 0, 0, 0.01, 0.01, 0, 0, 0}, float[2] br = {0, 1},
   float[2, 4, 1, 1] wv = {0, 0, 8, 0, 0, 0, 0.01, 0}> {
    pixels = Cast <to = 1> (images)
    shares = Mul (pixels, scale)
    seen = Reshape (shares, as_map)
    now = Conv (seen, w)
    straight = ReduceMean <axes = [1, 2], keepdims = 1> (ego_motion)
    turn = Mul (straight, three)
    before = Mul (prev_bev, turn)
    columns = Transpose <perm = [0, 2, 1]> (before)
    past = Reshape (columns, as_features)
    faded = Mul (past, half)
    sum = Add (now, faded)
    features = Relu (sum)
    rows = Reshape (features, as_rows)
    bev = Transpose <perm = [0, 2, 1]> (rows)
    heatmap = Conv (features, wh, bh)
    offset = Conv (features, wo, bo)
    lifted = Conv (features, wz)
    up = ReduceMean <axes = [1, 2, 3], keepdims = 1> (projection)
    height = Add (lifted, up)
    size = Conv (features, ws, bs)
    rotation = Conv (features, wr, br)
    velocity = Conv (features, wv)
  })";

constexpr const char* kContract = R"(version: 1
name: road
model: road.onnx
inputs:
  images: {shape: [batch, 2, 3, 8, 8], dtype: uint8}
  projection: {shape: [batch, 2, 4, 4], dtype: float32}
  ego_motion: {shape: [batch, 3, 3], dtype: float32}
labels: [car, pedestrian]
sequence: {scenes: array, state: [{output: bev, input: prev_bev}]}
data:
  calibration: {npz: train.npz}
  evaluation: {npz: test.npz, labels: from_file}
detections:
  decoder: centerpoint
  heatmap: heatmap
  offset: offset
  height: height
  size: size
  rotation: rotation
  velocity: velocity
  range: [-4, -4, -3, 4, 4, 5]
  cell: [1, 1]
  min_distance: 0.5
  view: {images: images, projection: projection}
evaluation: {metric: nuscenes}
targets: [openvino]
precision: {mode: int8, MAX_DROP}
robustness: [never_reset]
acceptance: {fp32_drop: 0.1%, nds_drop: 5%, velocity_error_rise: 0.5 m/s}
)";

class DeployDetections3d : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!expect_ok(find_target("openvino"))->available()) GTEST_SKIP() << "openvino is not built in";
    write_frames("train.npz", 4, 255);
    write_frames("test.npz", 1, 250);
    (void)folder_.write("road.onnx", expect_ok(serialize_model(model_of(kModel))));
  }

  /// In each scene a car drives along a row of its own, and a pedestrian walks the other way.
  void write_frames(const std::string& name, std::int64_t first_row, std::uint8_t shade) const {
    Tensor images = zeros<std::uint8_t>({kFrames, 2, 3, kSide, kSide});
    Tensor motion = zeros<float>({kFrames, 3, 3});
    std::vector<float> labels;
    std::vector<std::int64_t> scenes;
    for (std::int64_t i = 0; i < kFrames; ++i) {
      for (std::size_t k = 0; k < 3; ++k)
        motion.mutable_data<float>()[static_cast<std::size_t>(i) * 9 + 4 * k] = 1;
      const std::int64_t frame = i % kLength;
      const std::int64_t scene = i / kLength;
      scenes.push_back(scene);
      show(images, i, 0, first_row + scene % 3, 1 + frame, shade, labels);
      show(images, i, 1, 0, 6 - frame, shade, labels);
      labels.insert(labels.end(), {-1, 0, 0, 0, 0, 0, 0, 0, 0, 0});
    }
    expect_ok(write_npz(folder_ / name, {{"images", images},
                                         {"projection", zeros<float>({kFrames, 2, 4, 4})},
                                         {"ego_motion", motion},
                                         {"labels", Tensor::from<float>({kFrames, 3, 10}, labels)},
                                         {"scenes", Tensor::from<std::int64_t>({kFrames}, scenes)}}));
  }

  template <typename T>
  static Tensor zeros(const Shape& shape) {
    std::size_t count = 1;
    for (const std::int64_t size : shape) count *= static_cast<std::size_t>(size);
    return Tensor::from<T>(shape, std::vector<T>(count));
  }

  static void show(Tensor& images, std::int64_t frame, std::int64_t label, std::int64_t row,
                   std::int64_t column, std::uint8_t shade, std::vector<float>& labels) {
    const auto pixels = images.mutable_data<std::uint8_t>();
    for (std::int64_t camera = 0; camera < 2; ++camera) {
      const auto at = [&](std::int64_t channel) {
        const std::int64_t plane = (frame * 2 + camera) * 3 + channel;
        return static_cast<std::size_t>((plane * kSide + row) * kSide + column);
      };
      pixels[at(label)] = shade;
      pixels[at(2)] = 64;  // 2 m/s
    }
    const auto x = static_cast<float>(column) + 0.5F - 4;
    const auto y = static_cast<float>(row) + 0.5F - 4;
    labels.insert(labels.end(), {static_cast<float>(label), x, y, 0, 2, 1, 1, 0, 2, 0});
  }

  TemporaryFolder folder_;
};

TEST_P(DeployDetections3d, IsJudgedAsNuScenesDoes) {
  std::string text = kContract;
  text.replace(text.find("MAX_DROP"), 8, GetParam());
  const Contract contract = expect_ok(load_contract(folder_.write("deploy.yaml", text)));
  DeployOptions options;
  options.output_folder = folder_ / "out";
  options.timing_s = 0.05;
  const DeployOutcome outcome = expect_ok(deploy(contract, options, no_progress()));
  const report::DeployReport& report = outcome.report;
  EXPECT_TRUE(report.passed) << testing::PrintToString(report.failures);
  std::vector<std::string> judged;
  for (const report::AcceptanceRow& row : report.acceptance) judged.push_back(row.criterion);
  EXPECT_THAT(judged, testing::IsSupersetOf({"fp32_drop", "nds_drop", "velocity_error_rise"}));

  ASSERT_GE(report.runs.size(), 2U);
  for (const report::RunResult& run : report.runs) {
    ASSERT_TRUE(run.accuracy.has_value()) << run.variant;
    const report::AccuracyResult& accuracy = *run.accuracy;
    EXPECT_EQ(accuracy.metric, "nuscenes");
    EXPECT_EQ(accuracy.samples, kFrames);
    EXPECT_GT(accuracy.value, 0.95) << run.variant;
    EXPECT_GT(*accuracy.nds, 0.9) << run.variant;
    EXPECT_LT(*accuracy.errors->velocity, 0.3) << run.variant;
    EXPECT_EQ(accuracy.unusable, 0);
    ASSERT_EQ(accuracy.classes.size(), 2U);
    EXPECT_EQ(accuracy.classes[1].samples, kFrames);
    EXPECT_EQ(accuracy.by_distance.size(), 4U);
    ASSERT_EQ(accuracy.by_frame.size(), static_cast<std::size_t>(kLength));
    for (const report::FrameResult& frame : accuracy.by_frame) {
      EXPECT_EQ(frame.boxes, 2 * kScenes);
      EXPECT_GT(frame.map, 0.95);
    }
    ASSERT_EQ(run.drift.size(), 1U);
    EXPECT_EQ(run.drift[0].output, "bev");
    ASSERT_EQ(run.drift[0].by_frame.size(), static_cast<std::size_t>(kLength));
    for (const double error : run.drift[0].by_frame)
      EXPECT_LT(error, run.variant == "original" ? 1e-9 : run.variant == "int8" ? 0.1 : 1e-4) << run.variant;
  }
  const auto json = nlohmann::json::parse(report::render_json(report));
  const auto& run = json["runs"][0];
  EXPECT_EQ(run["accuracy"]["by_frame"][4]["frame"], 4);
  EXPECT_EQ(run["accuracy"]["by_distance"][0]["distance_m"], 0.5);
  EXPECT_LT(run["accuracy"]["errors"]["translation_m"], 0.2);
  EXPECT_EQ(run["drift"][0]["output"], "bev");
  EXPECT_EQ(run["accuracy"]["classes"][0]["ap_by_distance"].size(), 4U);
}

INSTANTIATE_TEST_SUITE_P(Int8, DeployDetections3d, testing::Values("equalize: true", "max_drop: 1%"));

}  // namespace
}  // namespace tarmac::test
