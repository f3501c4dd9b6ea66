// Frames of a rig of cameras through `tarmac run`, with boxes that can be worked out by hand.
#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "cli/child_program.h"
#include "contract/picture.h"
#include "support/expect.h"
#include "support/graph_checks.h"
#include "tensor/io.h"

namespace tarmac::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using Json = nlohmann::json;

// One car in row 2, column 3 of 4 × 4 cells of 8 m. State counts the frames of a scene, and shifts the car by
// a tenth of a cell each along x and y.
constexpr const char* kModel = R"(<ir_version: 8, opset_import: ["" : 17]>
detector (uint8[1, 2, 3, 16, 32] images, float[1, 2, 4, 4] projection, float[1, 1, 1, 1] before)
 => (float[1, 1, 1, 1] count, float[1, 2, 4, 4] heatmap, float[1, 2, 4, 4] offset, float[1, 1, 4, 4] height,
     float[1, 3, 4, 4] size, float[1, 2, 4, 4] rotation, float[1, 2, 4, 4] velocity)
<float one = {1}, float tenth = {0.1}, float[1, 1, 1, 1] car = {12}, int64[8] where = {0, 0, 2, 3, 0, 1, 1, 0},
 float[1, 1, 1, 1] nothing = {-6}, int64[4] two = {1, 2, 4, 4}, int64[4] three = {1, 3, 4, 4},
 int64[4] single = {1, 1, 4, 4}, float[1, 2, 1, 1] ahead = {0, 1}, float[1, 2, 1, 1] speed = {3, -1},
 float[1, 3, 1, 1] car_size = {1.5, 0.7, 0.4}, float middle = {0.8}> {
  count = Add(before, one)
  ground = Expand(nothing, two)
  bump = Pad(car, where)
  heatmap = Add(ground, bump)
  moved = Mul(before, tenth)
  offset = Expand(moved, two)
  pixels = Cast<to = 1>(images)
  bright = ReduceMean<keepdims = 0>(pixels)
  cameras = ReduceMean<keepdims = 0>(projection)
  sum = Add(bright, cameras)
  none = Sub(sum, sum)
  z = Add(none, middle)
  height = Expand(z, single)
  size = Expand(car_size, three)
  rotation = Expand(ahead, two)
  velocity = Expand(speed, two)
})";

constexpr const char* kContract = R"(version: 1
name: detector
model: detector.onnx
inputs:
  images: {shape: [1, 2, 3, 16, 32], dtype: uint8}
  projection: {shape: [1, 2, 4, 4], dtype: float32}
labels: [car, pedestrian]
sequence: {scenes: array, state: [{output: count, input: before}]}
data:
  evaluation: {npz: drive.npz, labels: from_file}
detections:
  decoder: centerpoint
  heatmap: heatmap
  offset: offset
  height: height
  size: size
  rotation: rotation
  velocity: velocity
  range: [-16, -16, -3, 16, 16, 5]
  cell: [8, 8]
  max_boxes: 10
  min_score: 0.3
VIEW
evaluation: {metric: nuscenes}
)";

/// Two scenes of 3 and 2 frames of two cameras.
class ScenesScene {
 public:
  explicit ScenesScene(const std::string& view = "  view: {images: images, projection: projection}") {
    expect_ok(save_model(test::model(kModel), path("detector.onnx")));
    std::string contract = kContract;
    contract.replace(contract.find("VIEW"), 4, view);
    (void)folder_.write("deploy.yaml", contract);
    std::vector<float> projections;
    for (int i = 0; i < 10; ++i) {
      const float side = i % 2 == 0 ? 1.0F : -1.0F;  // ahead and back
      const std::vector<float> one = {
          0.5F * side, -0.5F * side, 0, 0, 0.5F * side, 0, -1, 1.5F, side, 0, 0, 0, 0, 0, 0, 1};
      projections.insert(projections.end(), one.begin(), one.end());
    }
    arrays_["images"] = Tensor::from({5, 2, 3, 16, 32}, std::vector<std::uint8_t>(5 * 2 * 3 * 16 * 32, 90));
    arrays_["projection"] = Tensor::from({5, 2, 4, 4}, projections);
    arrays_["scenes"] = Tensor::from({5}, std::vector<std::int64_t>{7, 7, 7, 2, 2});
    write("evaluation_free.npz");
    std::vector<float> labels;
    for (int i = 0; i < 5; ++i) labels.insert(labels.end(), {0, 9, 1, 0.8F, 4.5F, 2, 1.5F, 0, 3, -1});
    arrays_["labels"] = Tensor::from({5, 1, 10}, labels);
    write("drive.npz");
  }

  [[nodiscard]] std::string path(const std::string& name) const { return (folder_ / name).string(); }
  [[nodiscard]] ProgramResult run(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {
        "run", path("detector.onnx"), "--contract", path("deploy.yaml"), "--json", "--target", "onnxruntime"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_tarmac(arguments);
  }
  [[nodiscard]] std::vector<Json> lines() const {
    std::ifstream stream(folder_ / "out/detections.jsonl");
    std::vector<Json> lines;
    for (std::string line; std::getline(stream, line);) lines.push_back(Json::parse(line));
    return lines;
  }

 private:
  void write(const std::string& name) const { expect_ok(write_npz(path(name), arrays_)); }

  TemporaryFolder folder_;
  std::map<std::string, Tensor> arrays_;
};

TEST(RunScenes, WriteBoxesOfEachFrameAndBeginScenesAnew) {
  const ScenesScene scene;
  const ProgramResult result =
      scene.run({"--data", scene.path("evaluation_free.npz"), "--output-dir", scene.path("out")});
  ASSERT_EQ(result.exit_status, 0) << result.err << result.out;
  const Json summary = result.json();
  EXPECT_EQ(summary["task"], "detection_3d");
  EXPECT_EQ(summary["frames"], 5);
  EXPECT_EQ(summary["scenes"], 2);
  EXPECT_EQ(summary["found"], Json({{"car", 5}}));
  EXPECT_EQ(summary["pictures"], 0);
  const auto lines = scene.lines();
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_EQ(lines[3]["frame"], "evaluation_free.npz#3");
  EXPECT_EQ(lines[3]["scene"], 1);
  EXPECT_EQ(lines[3]["frame_of_scene"], 0);
  const std::vector<double> moved = {0, 0.8, 1.6, 0, 0.8};
  for (std::size_t i = 0; i < lines.size(); ++i) {
    ASSERT_EQ(lines[i]["detections"].size(), 1U) << lines[i];
    const Json& box = lines[i]["detections"][0];
    EXPECT_EQ(box["label"], "car");
    EXPECT_EQ(box["class"], 0);
    EXPECT_NEAR(box["score"].get<double>(), 0.9975, 1e-4);
    EXPECT_NEAR(box["x"].get<double>(), 8 + moved[i], 1e-3) << "frame " << i;
    EXPECT_NEAR(box["y"].get<double>(), 0 + moved[i], 1e-3) << "frame " << i;
    EXPECT_NEAR(box["z"].get<double>(), 0.8, 1e-3);
    EXPECT_NEAR(box["dx"].get<double>(), std::exp(1.5), 1e-3);
    EXPECT_EQ(box["yaw"], 0.0);
    EXPECT_EQ(box["vx"], 3.0);
    EXPECT_EQ(box["vy"], -1.0);
  }
}

TEST(RunScenes, DrawTheContractsEvaluation) {
  const ScenesScene scene;
  const ProgramResult result = scene.run({"--draw", "--output-dir", scene.path("out"), "--frames", "4"});
  ASSERT_EQ(result.exit_status, 0) << result.err << result.out;
  const Json summary = result.json();
  EXPECT_EQ(summary["frames"], 4);
  EXPECT_EQ(summary["pictures"], 4);
  EXPECT_EQ(summary["animation"], scene.path("out/drive_animation.png"));
  for (const char* name : {"out/drive_000000.png", "out/drive_000003.png", "out/drive_animation.png"}) {
    const Picture drawn = expect_ok(read_picture(scene.path(name)));
    EXPECT_GT(drawn.view.width, 500) << name;
  }
  EXPECT_FALSE(fs::exists(scene.path("out/drive_000004.png")));
  for (const Json& video : summary["videos"]) EXPECT_TRUE(fs::exists(video.get<std::string>())) << video;
}

TEST(RunScenes, SayWhatTheyMiss) {
  const ScenesScene scene;
  const auto error = [&](const std::vector<std::string>& more) {
    const ProgramResult result = scene.run(more);
    EXPECT_EQ(result.exit_status, 2) << result.out;
    return result.out;  // with --json
  };
  EXPECT_THAT(error({"--draw"}), HasSubstr("add --output-dir DIR"));
  EXPECT_THAT(
      error({"--draw", "--output-dir", scene.path("out"), "--input", "images=" + scene.path("drive.npz")}),
      HasSubstr("give --data FILE.npz instead of --input"));
  EXPECT_THAT(error({"--data", scene.path("deploy.yaml")}), HasSubstr("expected an .npz"));
  const std::string plan = scene.path("detector.plan");
  const ProgramResult compiled =
      run_tarmac({"compile", scene.path("detector.onnx"), "--contract", scene.path("deploy.yaml"), "--target",
                  "onnxruntime", "-o", plan});
  ASSERT_EQ(compiled.exit_status, 0) << compiled.err;
  const ProgramResult without =
      run_tarmac({"run", plan, "--json", "--draw", "--output-dir", scene.path("out")});
  EXPECT_EQ(without.exit_status, 2);
  EXPECT_THAT(without.out, HasSubstr("add --data FILE.npz"));
  const ScenesScene blind("");
  const ProgramResult result = blind.run({"--draw", "--output-dir", blind.path("out")});
  EXPECT_EQ(result.exit_status, 2);
  EXPECT_THAT(result.out, HasSubstr("add 'view: {images: INPUT, projection: INPUT}'"));
}

}  // namespace
}  // namespace tarmac::test
