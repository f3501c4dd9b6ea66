// A trained detector on real frames, through `tarmac run` on both engines.
#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "cli/child_program.h"
#include "metrics/error_metrics.h"
#include "support/expect.h"
#include "support/temporary_folder.h"
#include "tensor/io.h"

namespace tarmac::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kContract = TARMAC_SOURCE_DIR "/examples/fastestdet/deploy.yaml";
constexpr std::int64_t kCells = 22 * 22;
constexpr int kClasses = 80;
constexpr int kCar = 2;
constexpr int kFirstClassChannel = 5;

/// Cells whose best class is the car with objectness^0.6 · class^0.4 above 0.4.
int cars_in(const Tensor& output) {
  const auto values = output.data<float>();
  const auto at = [&](int channel, std::int64_t cell) {
    return values[static_cast<std::size_t>(channel * kCells + cell)];
  };
  int cars = 0;
  for (std::int64_t cell = 0; cell < kCells; ++cell) {
    int best = 0;
    for (int label = 1; label < kClasses; ++label) {
      if (at(kFirstClassChannel + label, cell) > at(kFirstClassChannel + best, cell)) best = label;
    }
    const double score = std::pow(at(0, cell), 0.6) * std::pow(at(kFirstClassChannel + best, cell), 0.4);
    if (best == kCar && score > 0.4) ++cars;
  }
  return cars;
}

TEST(Detector, FindsCarsOnEveryFrameAlikeOnBothEngines) {
  const fs::path data = fs::path(TARMAC_SOURCE_DIR) / "../shared/data";
  if (!fs::exists(data / "fastestdet/FastestDet.onnx"))
    GTEST_SKIP() << "needs ../shared/data/fastestdet beside the checkout";
  const TemporaryFolder folder;
  const std::string contract = kContract;
  for (const std::string target : {"openvino", "onnxruntime"}) {
    const ProgramResult result =
        run_tarmac({"run", (data / "fastestdet/FastestDet.onnx").string(), "--target", target, "--contract",
                    contract, "--input", "input.1=" + (data / "traffic_frames").string(), "--output-dir",
                    (folder / target).string()});
    ASSERT_EQ(result.exit_status, 0) << result.err;
  }
  for (const std::string frame : {"0001", "0002", "0003"}) {
    std::vector<Tensor> outputs;
    for (const std::string target : {"openvino", "onnxruntime"}) {
      const fs::directory_iterator files(folder / target / frame);
      outputs.push_back(expect_ok(read_npy(files->path())));
      ASSERT_EQ(outputs.back().shape(), (Shape{1, 85, 22, 22}));
      EXPECT_GT(cars_in(outputs.back()), 0) << frame << " on " << target;
    }
    EXPECT_TRUE(expect_ok(compare_tensors(outputs[0], outputs[1])).within(1e-3)) << frame;
  }
}

TEST(Detector, DrawsTheCarsOfEveryFrame) {
  const fs::path data = fs::path(TARMAC_SOURCE_DIR) / "../shared/data";
  if (!fs::exists(data / "fastestdet/FastestDet.onnx"))
    GTEST_SKIP() << "needs ../shared/data/fastestdet beside the checkout";
  const TemporaryFolder folder;
  const std::string plan = (folder / "fastestdet.plan").string();
  const ProgramResult compiled = run_tarmac({"compile", (data / "fastestdet/FastestDet.onnx").string(), "-o",
                                             plan, "--contract", kContract, "--target", "openvino"});
  ASSERT_EQ(compiled.exit_status, 0) << compiled.err;
  const ProgramResult result =
      run_tarmac({"run", plan, "--input", "input.1=" + (data / "traffic_frames").string(), "--draw",
                  "--output-dir", (folder / "out").string(), "--json"});
  ASSERT_EQ(result.exit_status, 0) << result.err;
  std::ifstream stream(folder / "out/detections.jsonl");
  int frames = 0;
  for (std::string line; std::getline(stream, line); ++frames) {
    const auto parsed = nlohmann::json::parse(line);
    EXPECT_TRUE(
        fs::exists(folder / "out" / fs::path(parsed["frame"].get<std::string>()).replace_extension(".jpg")));
    int cars = 0;
    for (const auto& one : parsed["detections"]) {
      cars += one["label"] == "car" ? 1 : 0;
      const auto& box = one["box"];
      EXPECT_TRUE(0 <= box[0] && box[0] < box[2] && box[2] <= 256 && 0 <= box[1] && box[1] < box[3] &&
                  box[3] <= 256)
          << one;
    }
    EXPECT_GT(cars, 0) << line;
  }
  EXPECT_EQ(frames, 3);
}

}  // namespace
}  // namespace tarmac::test
