#include "cli/frames_scene.h"

#include <filesystem>
#include <fstream>

#include "contract/video_writer.h"
#include "support/graph_checks.h"

namespace tarmac::test {
namespace {

constexpr int kHeight = 12;
constexpr int kWidth = 16;

// The bias 0.5493061 makes tanh 0.5: a place's centre.
constexpr const char* kModel = R"(<ir_version: 8, opset_import: ["" : 17]>
detector (float[1, 3, 8, 8] image) => (float[1, 7, 2, 2] head)
<float[7, 3, 1, 1] w = {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1},
 float[7] b = {0, 0.5493061, 0.5493061, 0, 0, 0, 0}> {
  quarters = AveragePool<kernel_shape = [4, 4], strides = [4, 4]>(image)
  head = Conv(quarters, w, b)
})";

constexpr const char* kContract = R"(version: 1
name: detector
model: detector.onnx
inputs:
  image:
    shape: [1, 3, 8, 8]
    layout: NCHW
    dtype: float32
    preprocess:
      - decode: {color: RGB}
      - resize: {size: [8, 8], interpolation: nearest}
      - normalize: {scale: 1/255, mean: [0, 0, 0], std: [1, 1, 1]}
labels: [tree, lake]
detections: {decoder: fastestdet, min_score: 0.5}
)";

/// Red, green, blue of a pixel.
std::vector<std::uint8_t> pixels_of(const std::string& quarters) {
  std::vector<std::uint8_t> pixels;
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      const int quarter = 2 * (y / (kHeight / 2)) + x / (kWidth / 2);
      const char what = quarters[static_cast<std::size_t>(quarter)];
      pixels.push_back(what == '.' ? 0 : 255);
      pixels.push_back(what == 't' ? 255 : what == 'w' ? 64 : 0);
      pixels.push_back(what == 'l' ? 255 : 0);
    }
  }
  return pixels;
}

}  // namespace

FramesScene::FramesScene() {
  const Model detector = test::model(kModel);
  expect_ok(save_model(detector, path("detector.onnx")));
  (void)folder_.write("deploy.yaml", kContract);
}

std::string FramesScene::frame(const std::string& name, const std::string& quarters) const {
  std::filesystem::create_directories((folder_ / name).parent_path());
  const auto pixels = pixels_of(quarters);
  return folder_.write(name, "P6\n16 12\n255\n" + std::string(pixels.begin(), pixels.end())).string();
}

std::string FramesScene::video(const std::string& name, const std::vector<std::string>& frames) const {
  std::filesystem::create_directories((folder_ / name).parent_path());
  // Encoders blur such small pictures: each pixel becomes 16 × 16.
  constexpr int kScale = 16;
  VideoWriter writer = expect_ok(VideoWriter::create(folder_ / name, 10, kHeight * kScale, kWidth * kScale));
  for (const std::string& quarters : frames) {
    const auto pixels = pixels_of(quarters);
    std::vector<std::uint8_t> large;
    for (int y = 0; y < kHeight * kScale; ++y) {
      for (int x = 0; x < kWidth * kScale; ++x) {
        const std::size_t from = 3 * static_cast<std::size_t>(y / kScale * kWidth + x / kScale);
        for (const std::size_t channel : {2U, 1U, 0U}) large.push_back(pixels[from + channel]);
      }
    }
    expect_ok(
        writer.write({large.data(), kHeight * kScale, kWidth * kScale, std::size_t{3} * kWidth * kScale}));
  }
  expect_ok(writer.finish());
  return path(name);
}

ProgramResult FramesScene::run(const std::string& frames, const std::vector<std::string>& more,
                               const ProgramOptions& options) const {
  std::vector<std::string> arguments = {"run",          path("detector.onnx"),
                                        "--contract",   path("deploy.yaml"),
                                        "--input",      "image=" + frames,
                                        "--output-dir", path("out"),
                                        "--json",       "--target",
                                        "onnxruntime"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_tarmac(arguments, options);
}

std::vector<nlohmann::json> FramesScene::lines(const std::string& file) const {
  std::ifstream stream(folder_ / file);
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

}  // namespace tarmac::test
