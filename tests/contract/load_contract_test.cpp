#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contract/scratch.h"
#include "tarmac/contract.h"

namespace tarmac {
namespace {

ContractOptions without_files() {
  ContractOptions options;
  options.files_must_exist = false;
  return options;
}

TEST(LoadContract, ReadsModelInputsAndPreprocessing) {
  const Scratch scratch;
  make_named_files(scratch);
  const auto contract = load_contract(scratch.write("deploy.yaml", kGoodContract));
  ASSERT_TRUE(contract.ok()) << contract.error().str();
  EXPECT_EQ(contract->name, "traffic-light");
  EXPECT_EQ(contract->model, scratch / "traffic_light.onnx");
  EXPECT_THAT(contract->labels, testing::ElementsAre("red", "yellow", "green"));

  ASSERT_EQ(contract->inputs.size(), 1U);
  const InputSpec& image = contract->inputs[0];
  EXPECT_EQ(contract->find_input("image"), &image);
  EXPECT_EQ(contract->find_input("picture"), nullptr);
  EXPECT_EQ(image.dtype, DType::kFloat32);
  EXPECT_EQ(image.layout, Layout::kNCHW);
  EXPECT_THAT(image.shape, testing::ElementsAre(InputDim{0, "batch"}, InputDim{3, ""}, InputDim{64, ""},
                                                InputDim{48, ""}));

  ASSERT_EQ(image.preprocess.size(), 5U);
  EXPECT_EQ(std::get<DecodeStep>(image.preprocess[0]).color, ColorOrder::kRGB);
  const auto& resize = std::get<ResizeStep>(image.preprocess[1]);
  EXPECT_EQ(resize.height, 64);
  EXPECT_EQ(resize.interpolation, Interpolation::kArea);
  EXPECT_EQ(resize.mode, ResizeMode::kLetterbox);
  EXPECT_EQ(resize.pad_value, (PadValue{1, 2, 3}));
  const auto& crop = std::get<CropStep>(image.preprocess[2]);
  EXPECT_TRUE(crop.centered);
  EXPECT_EQ(crop.width, 40);
  EXPECT_EQ(std::get<PadStep>(image.preprocess[3]).left, 8);
  const auto& normalize = std::get<NormalizeStep>(image.preprocess[4]);
  EXPECT_DOUBLE_EQ(normalize.scale, 1.0 / 255.0);
  EXPECT_THAT(normalize.mean, testing::ElementsAre(0.5, 0.4, 0.3));
}

TEST(LoadContract, ReadsACameraAndItsGeometry) {
  constexpr const char* kCamera = R"(version: 1
name: front
model: model.onnx
inputs:
  image:
    shape: [1, 3, 480, 800]
    dtype: float32
    layout: NCHW
    geometry: fused
    preprocess:
      - decode: {color: BGR, format: nv12, size: [1080, 1920], row_bytes: 2048, yuv_matrix: bt709, yuv_range: full}
      - undistort:
          model: radial_tangential
          size: [1080, 1920]
          intrinsics: [1266.4, 1262.9, 816.3, 491.5]
          new_intrinsics: [1100, 1090, 800, 450]
          distortion: [-0.36, 0.17, 0.0011, -0.0007, -0.05]
      - resize: {size: [480, 800]}
)";
  const auto contract = parse_contract(kCamera, "deploy.yaml", without_files());
  ASSERT_TRUE(contract.ok()) << contract.error().str();
  const InputSpec& image = contract->inputs[0];
  EXPECT_EQ(image.geometry, Geometry::kFused);
  EXPECT_TRUE(image.is_raw());
  const auto& raw = *std::get<DecodeStep>(image.preprocess[0]).raw;
  EXPECT_EQ(raw.format, PixelFormat::kNv12);
  EXPECT_EQ(raw.width, 1920);
  EXPECT_EQ(raw.row_bytes, 2048);
  EXPECT_EQ(raw.matrix, YuvMatrix::kBt709);
  EXPECT_EQ(raw.range, YuvRange::kFull);
  const auto& undistort = std::get<UndistortStep>(image.preprocess[1]);
  EXPECT_EQ(undistort.height, 1080);
  EXPECT_EQ(undistort.lens, (Lens{LensModel::kRadialTangential,
                                  {1266.4, 1262.9, 816.3, 491.5},
                                  {1100, 1090, 800, 450},
                                  {-0.36, 0.17, 0.0011, -0.0007, -0.05}}));
}

TEST(LoadContract, ReadsDataTargetsAndLimits) {
  const Scratch scratch;
  make_named_files(scratch);
  const auto contract = load_contract(scratch.write("deploy.yaml", kGoodContract));
  ASSERT_TRUE(contract.ok()) << contract.error().str();
  ASSERT_TRUE(contract->calibration.has_value());
  EXPECT_EQ(contract->calibration->path, scratch / "train");
  EXPECT_EQ(contract->calibration->samples, 300);
  EXPECT_EQ(contract->calibration->seed, 7U);
  ASSERT_TRUE(contract->evaluation_data.has_value());
  EXPECT_EQ(contract->evaluation_data->labels, LabelSource::kFromFolder);
  ASSERT_TRUE(contract->evaluation.has_value());
  EXPECT_EQ(contract->evaluation->output, "logits");
  ASSERT_TRUE(contract->reference.has_value());
  EXPECT_EQ(contract->reference->root, scratch / "test");
  EXPECT_DOUBLE_EQ(contract->reference->max_relative_error, 0.01);

  ASSERT_EQ(contract->targets.size(), 2U);
  EXPECT_EQ(contract->targets[0].name, "openvino");
  EXPECT_THAT(contract->targets[1].providers, testing::ElementsAre("CPU", "CUDA"));
  EXPECT_TRUE(contract->targets[1].allow_fallback);
  EXPECT_EQ(contract->targets[1].cores, 2);
  EXPECT_EQ(contract->precision.mode, PrecisionMode::kInt8);
  EXPECT_EQ(contract->profiles.at("image").max, (Shape{8, 3, 64, 48}));
  EXPECT_DOUBLE_EQ(contract->acceptance.fp32_drop.value_or(0), 0.01);
  EXPECT_DOUBLE_EQ(contract->acceptance.int8_drop.value_or(0), 0.025);
  EXPECT_DOUBLE_EQ(contract->acceptance.latency_p50_ms.value_or(0), 10.0);
  EXPECT_DOUBLE_EQ(contract->acceptance.latency_p99_ms.value_or(0), 40.0);
  EXPECT_DOUBLE_EQ(contract->acceptance.throughput_per_s.value_or(0), 100.0);
  EXPECT_EQ(contract->acceptance.memory_bytes, std::uint64_t{500} << 20U);
}

Result<Contract> with(std::string_view found, std::string_view replaced, std::string_view found_too,
                      std::string_view replaced_too) {
  std::string text(kGoodContract);
  text.replace(text.find(found), found.size(), replaced);
  text.replace(text.find(found_too), found_too.size(), replaced_too);
  return parse_contract(text, "nowhere/deploy.yaml", without_files());
}

TEST(LoadContract, ReadsEveryMetricAndWhatItIsJudgedBy) {
  constexpr std::string_view kData = "evaluation: {folder: test, labels: from_folder}";
  constexpr std::string_view kMetric = "metric: top1, output: logits";
  const auto maps =
      with(kData, "evaluation: {folder: test, masks: masks}", kMetric, "metric: miou, threshold: 0.5");
  ASSERT_TRUE(maps.ok()) << maps.error().str();
  EXPECT_EQ(maps->evaluation_data->labels, LabelSource::kMasks);
  EXPECT_EQ(maps->evaluation_data->truth, "nowhere/masks");
  EXPECT_EQ(maps->evaluation->metric, EvaluationMetric::kMeanIou);
  EXPECT_DOUBLE_EQ(maps->evaluation->threshold, 0.5);

  const auto boxes = with(kData, "evaluation: {folder: test, boxes: instances.json}", kMetric,
                          "metric: map, outputs: {boxes: b, scores: s, classes: c, count: n}");
  ASSERT_TRUE(boxes.ok()) << boxes.error().str();
  EXPECT_EQ(boxes->evaluation_data->labels, LabelSource::kBoxes);
  EXPECT_EQ(boxes->evaluation_data->truth, "nowhere/instances.json");
  EXPECT_EQ(boxes->evaluation->metric, EvaluationMetric::kMeanAp);
  EXPECT_EQ(boxes->evaluation->detections.classes, "c");
  EXPECT_EQ(boxes->evaluation->detections.count, "n");

  const auto tensors = with("evaluation: {folder: test, labels: from_folder}",
                            "evaluation: {npz: data.npz, labels: from_file}", kMetric, "metric: miou");
  ASSERT_TRUE(tensors.ok()) << tensors.error().str();

  const auto agreement = with(kData, "evaluation: {folder: test}", kMetric,
                              "metric: agreement, compare: classes, output: logits, threshold: 0");
  ASSERT_TRUE(agreement.ok()) << agreement.error().str();
  EXPECT_EQ(agreement->evaluation->compare, AgreementKind::kClasses);
  const auto matched = with(kData, "evaluation: {folder: test}", kMetric,
                            "metric: agreement, compare: boxes, outputs: {boxes: b, scores: s, classes: c}");
  ASSERT_TRUE(matched.ok()) << matched.error().str();
  EXPECT_DOUBLE_EQ(matched->evaluation->threshold, 0.5);
  EXPECT_TRUE(matched->evaluation->detections.count.empty());
}

TEST(LoadContract, ReadsWhatADetectorsOutputsMean) {
  constexpr std::string_view kLabels = "labels: [red, yellow, green]";
  constexpr std::string_view kData = "evaluation: {folder: test, labels: from_folder}";
  const auto ready =
      with(kLabels, "labels: [a]\ndetections: {boxes: b, scores: s, classes: c}", kData, kData);
  ASSERT_TRUE(ready.ok()) << ready.error().str();
  EXPECT_EQ(ready->detections->decoder, DetectionDecoder::kBoxes);
  EXPECT_EQ(ready->detections->scores, "s");
  EXPECT_DOUBLE_EQ(ready->detections->min_score, 0.25);

  const auto head = with(kLabels, "labels: [a]\ndetections: {decoder: fastestdet, head: h, min_score: 0.4}",
                         "metric: top1, output: logits", "metric: agreement, compare: boxes");
  ASSERT_TRUE(head.ok()) << head.error().str();
  EXPECT_EQ(head->detections->decoder, DetectionDecoder::kFastestDet);
  EXPECT_EQ(head->detections->head, "h");
  EXPECT_DOUBLE_EQ(head->detections->max_iou, 0.45);
  EXPECT_EQ(head->detections->input_height, 64);
  EXPECT_EQ(head->detections->input_width, 48);
  EXPECT_EQ(head->evaluation->detections.head, "h") << "said once for both";
  EXPECT_DOUBLE_EQ(head->evaluation->detections.min_score, 0.01) << "weak ones count in evaluation";
  EXPECT_FALSE(with(kLabels, "labels: [a]", kData, kData)->detections.has_value());
}

TEST(LoadContract, RefusesBoxesUnderUndistort) {
  const auto contract = with("      - resize",
                             "      - undistort: {model: fisheye, size: [64, 64], intrinsics: [9, 9, 9, 9], "
                             "distortion: [0, 0, 0, 0]}\n      - resize",
                             "evaluation: {folder: test, labels: from_folder}",
                             "evaluation: {folder: test, boxes: instances.json}");
  ASSERT_FALSE(contract.ok());
  EXPECT_EQ(contract.error().str(),
            "nowhere/deploy.yaml:19: data.evaluation.boxes: boxes do not stay boxes under undistort; label "
            "straight pictures, or give tensors");
}

TEST(LoadContract, NeedsOnlyVersionNameModelAndInputs) {
  const auto contract = parse_contract(
      "version: 1\nname: bev\nmodel: bev.onnx\ninputs:\n  points: {shape: [1, points, 4], dtype: float16}\n",
      "deploy.yaml", without_files());
  ASSERT_TRUE(contract.ok()) << contract.error().str();
  EXPECT_FALSE(contract->inputs[0].is_picture());
  ASSERT_EQ(contract->targets.size(), 1U);
  EXPECT_EQ(contract->targets[0].name, "openvino");
  EXPECT_EQ(contract->precision.mode, PrecisionMode::kFp32);
  EXPECT_FALSE(contract->acceptance.memory_bytes.has_value());
}

TEST(LoadContract, WithoutDataOnTheVehicleStillGivesThePreprocessing) {
  EXPECT_FALSE(parse_contract(kGoodContract, "nowhere/deploy.yaml").ok());
  const auto contract = parse_contract(kGoodContract, "nowhere/deploy.yaml", without_files());
  ASSERT_TRUE(contract.ok()) << contract.error().str();
  EXPECT_EQ(contract->model, "nowhere/traffic_light.onnx");
}

TEST(LoadContract, ReadsTheExample) {
  const auto contract = load_contract(
      std::filesystem::path(TARMAC_SOURCE_DIR) / "examples/traffic_light/deploy.yaml", without_files());
  ASSERT_TRUE(contract.ok()) << contract.error().str();
  EXPECT_EQ(contract->labels.size(), 3U);
}

TEST(LoadContract, RefusesUnknownTargetsWhenTheCallerKnowsThem) {
  ContractOptions options = without_files();
  options.known_targets = {"openvin", "null"};
  const auto contract = parse_contract(kGoodContract, "deploy.yaml", options);
  ASSERT_FALSE(contract.ok());
  EXPECT_EQ(contract.error().str(),
            "deploy.yaml:27: targets[0]: found 'openvino'; did you mean 'openvin'? allowed: openvin, null");
}

TEST(LoadContract, SaysWhereAFileOrFolderIsMissing) {
  const Scratch scratch;
  make_named_files(scratch);
  const auto file = scratch.write("deploy.yaml", kGoodContract);
  std::filesystem::remove(scratch / "test");
  auto loaded = load_contract(file);
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(loaded.error().str(), file.string() + ":18: data.evaluation.folder: there is no folder '" +
                                      (scratch / "test").string() +
                                      "'; correct the path or put the pictures there");
  std::filesystem::remove(scratch / "traffic_light.onnx");
  std::filesystem::create_directory(scratch / "traffic_light.onnx");
  loaded = load_contract(file);
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.error().str(),
            file.string() + ":3: model: found the folder '" + (scratch / "traffic_light.onnx").string() +
                "'; expected an ONNX file (a SavedModel is written model: {saved_model: FOLDER})");
  EXPECT_EQ(load_contract(scratch / "other.yaml").error().code, ErrorCode::kNotFound);
}

TEST(LoadContract, IsBoundedInBytesDepthAndValues) {
  EXPECT_EQ(parse_contract(std::string((1U << 20U) + 1, ' '), "deploy.yaml").error().code,
            ErrorCode::kResourceExhausted);
  EXPECT_FALSE(parse_contract("version: " + std::string(500'000, '['), "deploy.yaml").ok());
  const auto nested =
      parse_contract("version: " + std::string(20, '[') + std::string(20, ']'), "deploy.yaml");
  ASSERT_FALSE(nested.ok());
  EXPECT_EQ(nested.error().str(),
            "deploy.yaml:1: found nesting deeper than 16 levels; a contract needs fewer");
  std::string many = "version: [";
  for (int i = 0; i < 30'000; ++i) many += "1,";
  const auto wide = parse_contract(many + "]", "deploy.yaml");
  ASSERT_FALSE(wide.ok());
  EXPECT_EQ(wide.error().str(),
            "deploy.yaml:1: found more than 20000 YAML values; a contract is far smaller");
}

}  // namespace
}  // namespace tarmac
