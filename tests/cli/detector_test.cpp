// A trained detector on real frames, through `tarmac run` on both engines.
#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>

#include "cli/child_program.h"
#include "metrics/error_metrics.h"
#include "support/expect.h"
#include "support/temporary_folder.h"
#include "tensor/io.h"

namespace tarmac::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kContract = R"(version: 1
name: fastestdet
model: FastestDet.onnx
inputs:
  input.1:
    shape: [1, 3, 352, 352]
    dtype: float32
    layout: NCHW
    preprocess:
      - decode: {color: BGR}
      - resize: {size: [352, 352], interpolation: linear}
      - normalize: {scale: 1/255, mean: [0, 0, 0], std: [1, 1, 1]}
targets: [openvino, onnxruntime]
)";
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
  fs::create_symlink(fs::canonical(data / "fastestdet/FastestDet.onnx"), folder / "FastestDet.onnx");
  const std::string contract = folder.write("deploy.yaml", kContract).string();
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

}  // namespace
}  // namespace tarmac::test
