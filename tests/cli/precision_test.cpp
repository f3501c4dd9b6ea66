// optimize --precision end to end, read through its JSON.
#include <gmock/gmock.h>

#include <filesystem>
#include <random>

#include "cli/child_program.h"
#include "cli/scene.h"
#include "plan/cpu_features.h"
#include "precision/strong_types.h"
#include "tensor/io.h"

namespace tarmac::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// The command succeeds, prints one JSON object and nothing on stderr.
json convert(const Scene& scene, std::vector<std::string> more) {
  std::vector<std::string> arguments = {"optimize", scene.model(), "-o", scene.path("o.onnx"), "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const ProgramResult result = run_tarmac(arguments);
  EXPECT_EQ(result.exit_status, 0) << result.out << result.err;
  EXPECT_THAT(result.err, IsEmpty());
  const Model written = expect_ok(load_model(scene.path("o.onnx")));
  expect_ok(check_strong_types(written));
  return result.json()["precision"];
}

TEST(Precision, Float16OnMadeUpInputsSaysSo) {
  const Scene scene;
  const json found = convert(scene, {"--precision", "fp16"});
  EXPECT_EQ(found["type"], "float16");
  EXPECT_EQ(found["real_data"], false);
  EXPECT_EQ(found["casts"], 0);
  EXPECT_GT(found["nodes_16_bit"], 0);
  EXPECT_EQ(found["proven"], true);
  EXPECT_EQ(found["input_types"]["image"], "float16[batch, 3, 8, 8]");
  EXPECT_EQ(found["output_types"]["scores"], "float16[batch, 3]");
  EXPECT_LT(found["outputs"]["scores"]["max_rel"].get<double>(), 0.01);
  EXPECT_LT(found["weight_bytes_after"].get<int>(), found["weight_bytes_before"].get<int>());
}

TEST(Precision, TakesPicturesThroughTheContractsPreprocessing) {
  const Scene scene;
  for (int i = 0; i < 6; ++i)
    (void)scene.picture("frames/" + std::to_string(i) + ".ppm", 40 * i, 200 - 40 * i, 90);
  const json found = convert(scene, {"--precision", "fp16", "--contract", scene.contract(), "--data",
                                     scene.path("frames"), "--samples", "5", "--keep-io"});
  EXPECT_EQ(found["real_data"], true);
  EXPECT_THAT(found["data"].get<std::string>(), HasSubstr("5 samples"));
  EXPECT_EQ(found["input_types"]["image"], "float32[batch, 3, 8, 8]");
  EXPECT_EQ(found["casts"], 2);
}

TEST(Precision, KeepsNodesByNameAndReportsThem) {
  const Scene scene;
  const json found = convert(
      scene, {"--precision", "fp16", "--keep-fp32", "Conv", "--data", scene.samples("data.npz", 4, false)});
  ASSERT_GE(found["kept"].size(), 1U);
  EXPECT_EQ(found["kept"][0]["operator"], "Conv");
  EXPECT_THAT(found["kept"][0]["reason"].get<std::string>(), HasSubstr("asked for"));
  EXPECT_TRUE(found["kept"][0]["figures"].contains("max_abs"));
}

TEST(Precision, ComesBackToFloat32) {
  const Scene scene;
  convert(scene, {"--precision", "fp16"});
  const ProgramResult back = run_tarmac(
      {"optimize", scene.path("o.onnx"), "-o", scene.path("back.onnx"), "--precision", "fp32", "--json"});
  EXPECT_EQ(back.exit_status, 0) << back.err;
  EXPECT_GT(back.json()["precision"]["weights"], 0);
  EXPECT_EQ(back.json()["precision"]["input_types"]["image"], "float32[batch, 3, 8, 8]");
}

TEST(Precision, PrintsForPeople) {
  const Scene scene;
  const ProgramResult result = run_tarmac(
      {"optimize", scene.model(), "-o", scene.path("o.onnx"), "--precision", "fp16", "--keep-fp32", "Relu"});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("no data was given"));
  EXPECT_THAT(result.out, HasSubstr("stays in float32"));
  EXPECT_THAT(result.out, HasSubstr("With every node rounded to its type"));
}

TEST(Precision, WrongUseIsRefusedWithTheRemedy) {
  const Scene scene;
  const auto run = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"optimize", scene.model(), "-o", scene.path("o.onnx")});
    return run_tarmac(more);
  };
  const ProgramResult word = run({"--precision", "int8"});
  EXPECT_EQ(word.exit_status, 2);
  EXPECT_THAT(word.err, HasSubstr("expected fp16, bf16 or fp32, found 'int8'"));
  const ProgramResult alone = run({"--keep-io"});
  EXPECT_EQ(alone.exit_status, 2);
  EXPECT_THAT(alone.err, HasSubstr("need --precision"));
  const ProgramResult share = run({"--precision", "fp16", "--max-error", "much"});
  EXPECT_EQ(share.exit_status, 2);
  EXPECT_THAT(share.err, HasSubstr("expected a share such as 1%"));
  const ProgramResult name = run({"--precision", "fp16", "--keep-fp32", "nothing"});
  EXPECT_EQ(name.exit_status, 2);
  EXPECT_THAT(name.err, HasSubstr("no node and no operator 'nothing'"));
  EXPECT_FALSE(fs::exists(scene.path("o.onnx")));
}

TEST(Precision, ARealDetectorKeepsItsCarsInFloat16) {
  const fs::path data = fs::path(TARMAC_SOURCE_DIR) / "../shared/data";
  if (!fs::exists(data / "fastestdet/FastestDet.onnx"))
    GTEST_SKIP() << "needs ../shared/data/fastestdet beside the checkout";
  const TemporaryFolder folder;
  const auto contract = folder.write("deploy.yaml", R"(version: 1
name: fastestdet
model: )" + fs::canonical(data / "fastestdet/FastestDet.onnx").string() +
                                                        R"(
inputs:
  input.1:
    shape: [1, 3, 352, 352]
    dtype: float32
    layout: NCHW
    preprocess:
      - decode: {color: BGR}
      - resize: {size: [352, 352], interpolation: linear}
      - normalize: {scale: 1/255, mean: [0, 0, 0], std: [1, 1, 1]}
targets: [onnxruntime]
)");
  const ProgramResult result =
      run_tarmac({"optimize", (data / "fastestdet/FastestDet.onnx").string(), "-o",
                  (folder / "half.onnx").string(), "--precision", "fp16", "--contract", contract.string(),
                  "--data", (data / "traffic_frames").string(), "--max-error", "5%", "--json"});
  ASSERT_EQ(result.exit_status, 0) << result.err;
  const json found = result.json()["precision"];
  EXPECT_EQ(found["nodes_float32"], 1);  // the softmax
  EXPECT_EQ(found["casts"], 2);
  EXPECT_EQ(found["outputs"]["758"]["nan_or_infinity"], 0);
}

/// A model of two products, opset 17, large enough that INT8 is faster, with 40 samples of uneven channels.
class Products : public testing::Test {
 protected:
  void SetUp() override {
    Model graph = model(R"(<ir_version: 8, opset_import: ["" : 17]>
      g (float[batch,512] x, float[512,2048] a, float[2048] b, float[2048,8] c) => (float[batch,8] y) {
        p = Gemm (x, a, b) q = Relu (p) y = MatMul (q, c) })");
    const auto store = [&](const char* name, const Shape& shape) {
      Value& value = *graph.graph->find(name);
      graph.graph->set_initializer(value, random(shape, 0.2F));
      graph.graph->drop_input(value);
    };
    store("a", {512, 2048});
    store("b", {2048});
    store("c", {2048, 8});
    expect_ok(save_model(graph, folder_ / "m.onnx"));
    Tensor samples = random({40, 512}, 1);
    const auto values = samples.mutable_data<float>();
    for (std::size_t i = 0; i < values.size(); ++i) values[i] *= i % 64 < 4 ? 20.0F : 0.3F;
    expect_ok(write_npz(folder_ / "x.npz", {{"x", samples}}));
  }

  [[nodiscard]] json quantize(std::vector<std::string> more) const {
    const std::vector<std::string> start = {
        "quantize", (folder_ / "m.onnx").string(), "-o",    (folder_ / "q.onnx").string(),
        "--data",   (folder_ / "x.npz").string(),  "--json"};
    more.insert(more.begin(), start.begin(), start.end());
    const ProgramResult result = run_tarmac(more);
    EXPECT_EQ(result.exit_status, 0) << result.out << result.err;
    return result.json();
  }

 private:
  Tensor random(const Shape& shape, float deviation) {
    std::normal_distribution<float> normal(0, deviation);
    std::vector<float> values(static_cast<std::size_t>(*element_count(shape)));
    for (float& value : values) value = normal(random_);
    return Tensor::from(shape, values);
  }

  TemporaryFolder folder_;
  std::mt19937 random_{7};
};

TEST_F(Products, WeightsInFourBitsByWhatTheyDoToResults) {
  const std::vector<std::string> four = {"--mode", "weight-only", "--bits", "4"};
  const json aware = quantize(four);
  EXPECT_EQ(aware["weight_method"], "activation-aware");
  ASSERT_EQ(aware["nodes"].size(), 2U);
  EXPECT_THAT(aware["nodes"][0]["became"].get<std::string>(), HasSubstr("uint4 weights in blocks of 32"));
  EXPECT_LT(aware["nodes"][0]["error"].get<double>(), aware["nodes"][0]["nearest_error"].get<double>());
  EXPECT_LT(aware["stored_weight_bytes"].get<int>() * 5, aware["float_weight_bytes"].get<int>());
  std::vector<std::string> plain = four;
  plain.insert(plain.end(), {"--weight-method", "nearest"});
  const json nearest = quantize(plain);
  EXPECT_GT(aware["comparison"]["y"]["snr_db"].get<double>(),
            nearest["comparison"]["y"]["snr_db"].get<double>());
}

TEST_F(Products, DynamicAndTheOperatorsOfOnnxRuntime) {
  const json dynamic = quantize({"--mode", "dynamic", "--target", "onnxruntime"});
  EXPECT_EQ(dynamic["nodes"][1]["became"], "DynamicQuantizeLinear and MatMulInteger");
  // A bit less is 6 dB less.
  EXPECT_GT(dynamic["comparison"]["y"]["snr_db"].get<double>(), int8_weight_bits() == 8 ? 25 : 19);
  const json format =
      quantize({"--mode", "static", "--target", "onnxruntime", "--format", "qoperator", "--allow-slower"});
  EXPECT_EQ(format["format"][0]["became"], "QGemm");
  EXPECT_GT(format["comparison"]["y"]["snr_db"].get<double>(), 20);
}

}  // namespace
}  // namespace tarmac::test
