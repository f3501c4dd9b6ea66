// A folder of its own for a test, removed at the end, and a contract that uses every section.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace tarmac {

class Scratch {
 public:
  Scratch() {
    static std::atomic<int> counter{0};
    folder_ = std::filesystem::temp_directory_path() /
              ("tarmac_contract_" + std::to_string(::getpid()) + "_" + std::to_string(counter++));
    std::filesystem::create_directories(folder_);
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  [[nodiscard]] std::filesystem::path operator/(const std::filesystem::path& name) const {
    return folder_ / name;
  }

  std::filesystem::path write(const std::filesystem::path& name, std::string_view bytes) const {
    const auto path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

 private:
  std::filesystem::path folder_;
};

/// Every section and most keys of the format; the tests refer to its line numbers.
inline constexpr std::string_view kGoodContract = R"(version: 1
name: traffic-light
model: traffic_light.onnx
inputs:
  image:
    shape: [batch, 3, 64, 48]
    dtype: float32
    layout: NCHW
    preprocess:
      - decode: {color: RGB}
      - resize: {size: [64, 64], interpolation: area, mode: letterbox, pad_value: [1, 2, 3]}
      - crop: {size: [64, 40], position: center}
      - pad: {left: 8, pad_value: [0, 0, 0]}
      - normalize: {scale: 1/255, mean: [0.5, 0.4, 0.3], std: [0.2, 0.2, 0.25]}
labels: [red, yellow, green]
data:
  calibration: {folder: train, labels: from_folder, samples: 300, seed: 7}
  evaluation: {folder: test, labels: from_folder}
evaluation: {metric: top1, output: logits}
reference:
  outputs: reference/outputs.npy
  inputs: reference/pictures.txt
  root: test
  output: logits
  max_relative_error: 1%
targets:
  - openvino
  - {name: onnxruntime, providers: [CPU, CUDA], allow_fallback: true, cores: 2}
precision: {mode: int8, method: minmax}
profiles:
  image: {min: [1, 3, 64, 48], opt: [4, 3, 64, 48], max: [8, 3, 64, 48]}
acceptance:
  fp32_drop: 1%
  int8_drop: 2.5 %
  latency_p50: 10 ms
  latency_p99: 0.04 s
  throughput: 100 /s
  memory: 500 MiB
)";

/// A model of several cameras that finds boxes in space; the tests refer to its line numbers.
inline constexpr std::string_view kGoodDetections3d = R"(version: 1
name: bev
model: bev.onnx
inputs:
  images: {shape: [batch, 6, 3, 128, 352], dtype: uint8}
  projection: {shape: [batch, 6, 4, 4], dtype: float32}
labels: [car, pedestrian]
sequence: {scenes: array, state: [{output: bev, input: prev_bev}]}
data:
  evaluation: {npz: frames.npz, labels: from_file}
detections:
  decoder: centerpoint
  heatmap: heatmap
  offset: offset
  height: height
  size: size
  rotation: rotation
  velocity: velocity
  range: [-25.6, -12.8, -3, 25.6, 12.8, 5]
  cell: [0.8, 0.4]
  max_boxes: 50
  min_score: 0.3
  min_distance: 1.5
  view: {images: images, projection: projection}
evaluation: {metric: nuscenes}
acceptance: {fp32_drop: 1%, nds_drop: 2%, velocity_error_rise: 0.1 m/s}
)";

/// The same for a model in a framework: every key of `model` for torch, then the shortest of each format.
inline constexpr std::string_view kGoodSources[] = {R"(version: 1
name: bev
model:
  torch: models.py:heads.detector
  weights: weights/detector.pth
  inputs:
    image: {shape: [batch, 3, 64, 48], dtype: float16}
    pose: {shape: [16], dtype: int64}
  outputs: [scores, boxes]
  exporter: dynamo
  sizes: {batch: [2, 3]}
  opset: 18
  max_error: 0.5%
  data: samples.npz
  simplify: false
  depends: [layers, config.json]
  python: env/bin/python
  time_limit: 90 s
inputs:
  image: {shape: [batch, 3, 64, 48], dtype: float32}
)",
                                                    R"(version: 1
name: bev
model: {torch: "detectors.bev:make"}
inputs:
  image: {shape: [batch, 3, 64, 48], dtype: float32}
)",
                                                    R"(version: 1
name: bev
model: {saved_model: saved, signature: serving_default, opset: 17, python: python3.11}
inputs:
  image: {shape: [batch, 3, 64, 48], dtype: float32}
)",
                                                    R"(version: 1
name: bev
model: {keras: model.h5}
inputs:
  image: {shape: [batch, 3, 64, 48], dtype: float32}
)",
                                                    R"(version: 1
name: bev
model: {frozen_graph: graph.pb, outputs: ["detection_boxes:0"]}
inputs:
  "image_tensor:0": {shape: [1, height, width, 3], dtype: uint8}
)",
                                                    R"(version: 1
name: bev
model: {tflite: model.tflite}
inputs:
  image: {shape: [batch, 3, 64, 48], dtype: float32, layout: NCHW}
profiles:
  image: {min: [1, 3, 64, 48], opt: [4, 3, 64, 48], max: [8, 3, 64, 48]}
)",
                                                    R"(version: 1
name: bev
model: {paddle: inference/model.pdmodel}
inputs:
  image: {shape: [batch, 3, 64, 48], dtype: float32}
)",
                                                    R"(version: 1
name: bev
model: {paddle: "models.py:detector"}
inputs:
  image: {shape: [batch, 3, 64, 48], dtype: float32}
)"};

/// What kGoodSources name, empty.
inline void make_named_sources(const Scratch& scratch) {
  for (const char* name :
       {"models.py", "weights/detector.pth", "samples.npz", "layers/x.py", "config.json",
        "saved/saved_model.pb", "model.h5", "graph.pb", "model.tflite", "inference/model.pdmodel"})
    scratch.write(name, "");
}

/// Makes, empty, what kGoodContract names, so that it loads from this folder.
inline void make_named_files(const Scratch& scratch) {
  for (const char* name : {"traffic_light.onnx", "reference/outputs.npy", "reference/pictures.txt"})
    scratch.write(name, "");
  for (const char* name : {"train", "test"}) std::filesystem::create_directories(scratch / name);
}

}  // namespace tarmac
