// model: {torch: …}: what the exporters are told.
#include <gtest/gtest.h>

#include "contract/scratch.h"
#include "tarmac/contract.h"

namespace tarmac {
namespace {

class ModelSourceTest : public ::testing::Test {
 protected:
  void SetUp() override { make_named_sources(scratch_); }
  ModelSource load(std::string_view text) {
    const auto contract = load_contract(scratch_.write("deploy.yaml", text));
    EXPECT_TRUE(contract.ok()) << contract.error().str();
    if (!contract.ok() || !contract->source) return {};
    EXPECT_TRUE(contract->model.empty());
    return *contract->source;
  }
  Scratch scratch_;
};

TEST_F(ModelSourceTest, EveryKeyIsRead) {
  const ModelSource source = load(kGoodSources[0]);
  EXPECT_EQ(source.format, ModelFormat::kTorch);
  EXPECT_EQ(source.written, "models.py:heads.detector");
  EXPECT_EQ(source.path, scratch_ / "models.py");
  EXPECT_EQ(source.module, "");
  EXPECT_EQ(source.factory, "heads.detector");
  EXPECT_EQ(source.weights, scratch_ / "weights/detector.pth");
  ASSERT_EQ(source.inputs.size(), 2U);
  EXPECT_EQ(source.inputs[0].name, "image");
  EXPECT_EQ(source.inputs[0].dtype, DType::kFloat16);
  EXPECT_EQ(source.inputs[0].shape[0].symbol, "batch");
  EXPECT_EQ(source.inputs[1].shape, std::vector<InputDim>({{16, {}}}));
  EXPECT_EQ(source.outputs, std::vector<std::string>({"scores", "boxes"}));
  EXPECT_EQ(source.exporter, TorchExporter::kDynamo);
  EXPECT_EQ(source.sizes.at("batch"), (std::array<std::int64_t, 2>{2, 3}));
  EXPECT_EQ(source.opset, 18);
  EXPECT_DOUBLE_EQ(source.max_error.value_or(0), 0.005);
  EXPECT_EQ(source.data, scratch_ / "samples.npz");
  EXPECT_FALSE(source.simplify);
  EXPECT_EQ(source.depends,
            std::vector<std::filesystem::path>({scratch_ / "layers", scratch_ / "config.json"}));
  EXPECT_EQ(source.python, scratch_ / "env/bin/python");
  EXPECT_DOUBLE_EQ(source.limit_s, 90);
}

TEST_F(ModelSourceTest, AModuleToImportTakesTheContractsInputs) {
  const ModelSource source = load(kGoodSources[1]);
  EXPECT_TRUE(source.path.empty());
  EXPECT_EQ(source.module, "detectors.bev");
  EXPECT_EQ(source.factory, "make");
  ASSERT_EQ(source.inputs.size(), 1U);
  EXPECT_EQ(source.inputs[0].name, "image");
  EXPECT_EQ(source.inputs[0].shape.size(), 4U);
  EXPECT_FALSE(source.opset.has_value());
  EXPECT_FALSE(source.max_error.has_value());
  EXPECT_TRUE(source.python.empty());
}

TEST_F(ModelSourceTest, FilesHaveTheContractsShapesLayoutAndSizes) {
  const ModelSource saved = load(kGoodSources[2]);
  EXPECT_EQ(saved.format, ModelFormat::kSavedModel);
  EXPECT_EQ(saved.path, scratch_ / "saved");
  EXPECT_EQ(saved.signature, "serving_default");
  EXPECT_EQ(saved.python, "python3.11");  // a name in PATH
  EXPECT_EQ(saved.layout, Layout::kNHWC);
  EXPECT_EQ(load(kGoodSources[3]).format, ModelFormat::kKeras);
  const ModelSource lite = load(kGoodSources[5]);
  EXPECT_EQ(lite.path, scratch_ / "model.tflite");
  EXPECT_EQ(lite.layout, Layout::kNCHW);
  EXPECT_EQ(lite.inputs.at(0).shape.at(0).symbol, "batch");
  EXPECT_EQ(lite.sizes.at("batch"), (std::array<std::int64_t, 2>{1, 4}));
}

TEST_F(ModelSourceTest, AFrozenGraphIsCutAtTheContractsInputs) {
  const ModelSource source = load(kGoodSources[4]);
  ASSERT_EQ(source.inputs.size(), 1U);
  EXPECT_EQ(source.inputs[0].name, "image_tensor:0");
  EXPECT_EQ(source.outputs, std::vector<std::string>({"detection_boxes:0"}));
}

TEST_F(ModelSourceTest, PaddleIsAPrefixOfFilesOrAModule) {
  const ModelSource files = load(kGoodSources[6]);
  EXPECT_EQ(files.path, scratch_ / "inference/model");
  EXPECT_EQ(files.inputs.size(), 1U);
  const ModelSource module = load(kGoodSources[7]);
  EXPECT_EQ(module.path, scratch_ / "models.py");
  EXPECT_EQ(module.inputs.size(), 1U);
}

TEST_F(ModelSourceTest, FilesNeedNotBeThereOnTheVehicle) {
  ContractOptions options;
  options.files_must_exist = false;
  for (const std::string_view text : kGoodSources) {
    const auto contract = parse_contract(text, "nowhere/deploy.yaml", options);
    EXPECT_TRUE(contract.ok()) << contract.error().str();
  }
}

}  // namespace
}  // namespace tarmac
