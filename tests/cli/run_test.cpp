// tarmac run: inputs in, outputs out, and inputs that do not fit.
#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>

#include "cli/child_program.h"
#include "cli/scene.h"
#include "tensor/io.h"

namespace tarmac::test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::FloatNear;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pointwise;

class RunOn : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Engines, RunOn, ::testing::Values("openvino", "onnxruntime"),
                         [](const auto& engine) { return std::string(engine.param); });

TEST_P(RunOn, PreprocessesPicturesByTheContractAndNamesTheirColour) {
  const Scene scene;
  (void)scene.picture("frames/a.ppm", 255, 0, 0);
  (void)scene.picture("frames/b.ppm", 0, 51, 204);
  const ProgramResult result =
      run_tarmac({"run", scene.model(), "--target", GetParam(), "--contract", scene.contract(), "--input",
                  "image=" + scene.path("frames"), "--output-dir", scene.path("out"), "--json"});
  ASSERT_EQ(result.exit_status, 0) << result.err << result.out;
  const auto json = result.json();
  ASSERT_EQ(json["runs"].size(), 2U);
  EXPECT_EQ(json["runs"][0]["outputs"]["scores"]["top1"][0]["label"], "red");
  EXPECT_EQ(json["runs"][1]["outputs"]["scores"]["top1"][0]["label"], "blue");
  const Tensor blue = expect_ok(read_npy(scene.path("out/b/scores.npy")));
  EXPECT_THAT(blue.data<float>(), Pointwise(FloatNear(1e-5F), std::vector<float>{0, 0.4F, 1.6F}));
}

TEST_P(RunOn, TakesTensorsAsTheyAre) {
  const Scene scene;
  const std::string input = scene.tensor("x.npy", {2, 3, 8, 8}, 0.5F);
  const ProgramResult result = run_tarmac({"run", scene.model(), "--target", GetParam(), "--input",
                                           "image=" + input, "--output-dir", scene.path("out")});
  ASSERT_EQ(result.exit_status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("float32[2, 3]"));
  const Tensor scores = expect_ok(read_npy(scene.path("out/scores.npy")));
  EXPECT_THAT(scores.data<float>(), Pointwise(FloatNear(1e-5F), std::vector<float>(6, 1.0F)));
}

// Its official library would keep a device ID and events there, and send them.
TEST(Run, KeepsOnnxRuntimeFromCollectingTelemetry) {
  const Scene scene;
  const std::string input = scene.tensor("x.npy", {1, 3, 8, 8}, 1);
  ProgramOptions options;
  options.cache_home = scene.path("cache");
  const ProgramResult result =
      run_program("env",
                  {"-u", "CI", "-u", "ORT_DISABLE_TELEMETRY", tarmac_path(), "run", scene.model(), "--target",
                   "onnxruntime", "--input", "image=" + input},
                  options);
  ASSERT_EQ(result.exit_status, 0) << result.err;
  EXPECT_FALSE(fs::exists(scene.path("cache/Microsoft")));
}

TEST(Run, ReplacesSlashesInOutputNames) {
  const Scene scene;
  Model model = expect_ok(load_model(scene.model()));
  model.graph->rename(*model.graph->find("scores"), "head/scores");
  expect_ok(save_model(model, scene.path("renamed.onnx")));
  const std::string input = scene.tensor("x.npy", {1, 3, 8, 8}, 1);
  ASSERT_EQ(
      run_tarmac({"run", scene.path("renamed.onnx"), "--input", input, "--output-dir", scene.path("out")})
          .exit_status,
      0);
  EXPECT_TRUE(fs::exists(scene.path("out/head_scores.npy")));
}

TEST(Run, ReadsEveryTensorFormat) {
  const Scene scene;
  const std::string npz = scene.samples("x.npz", 3, false);
  EXPECT_EQ(run_tarmac({"run", scene.model(), "--input", "image=" + npz}).exit_status, 0);
}

TEST(Run, WarnsOfNanWithItsNumber) {
  const Scene scene;
  const std::string input = scene.tensor("x.npy", {1, 3, 8, 8}, std::nanf(""));
  const ProgramResult result = run_tarmac({"run", scene.model(), "--input", "image=" + input});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_THAT(result.err, AllOf(HasSubstr("warning"), HasSubstr("input 'image'"), HasSubstr("192 NaN")));
}

struct BadInput {
  std::vector<std::string> arguments;
  int exit_status;
  std::string message;
};

TEST(Run, SaysWhatDoesNotFitAndWhatWould) {
  const Scene scene;
  const std::string good = scene.tensor("x.npy", {1, 3, 8, 8}, 1);
  const std::string wrong_shape = scene.tensor("wrong.npy", {1, 4, 8, 8}, 1);
  const std::string wrong_rank = scene.tensor("flat.npy", {192}, 1);
  const std::string picture = scene.picture("p.ppm", 1, 2, 3);
  const std::string cut = scene.folder().write("cut.npy", "\x93NUMPY").string();
  expect_ok(write_npz(scene.path("two.npz"), {{"a", Tensor::from<float>({1}, std::vector<float>{1})},
                                              {"b", Tensor::from<float>({1}, std::vector<float>{1})}}));
  const std::vector<BadInput> cases = {
      {{}, 2, "input 'image' (float32[batch, 3, 8, 8]) has no value; add --input image=FILE"},
      {{"--input", "imagee=" + good},
       4,
       "the model has no input 'imagee'; its inputs are image; did you mean 'image'?"},
      {{"--input", "image=" + scene.path("none.npy")}, 4, "there is no file or folder of this name"},
      {{"--input", "image=" + wrong_shape}, 4, "wrong.npy"},
      {{"--input", "image=" + wrong_rank}, 4, "flat.npy"},
      {{"--input", "image=" + cut}, 4, "cut.npy"},
      {{"--input", "image=" + scene.path("two.npz")}, 4, "two.npz"},
      {{"--input", "image=" + picture}, 2, "give --contract deploy.yaml"},
      {{"--input", "image=" + good, "--output-dir", good}, 4, "cannot make the output folder"},
      {{"--input", "image=" + good, "--contract", scene.path("none.yaml")}, 4, "none.yaml"},
  };
  for (const BadInput& bad : cases) {
    std::vector<std::string> arguments = {"run", scene.model()};
    arguments.insert(arguments.end(), bad.arguments.begin(), bad.arguments.end());
    const ProgramResult result = run_tarmac(arguments);
    EXPECT_EQ(result.exit_status, bad.exit_status) << bad.message << "\n" << result.err;
    EXPECT_THAT(result.err, HasSubstr(bad.message));
    EXPECT_THAT(result.out, IsEmpty());
  }
}

TEST(Run, RefusesShapesOutsideAPlansProfile) {
  const Scene scene;
  const ProgramResult compiled =
      run_tarmac({"compile", scene.model(), "-o", scene.path("m.plan"), "--target", "onnxruntime",
                  "--contract", scene.contract(), "--profile", "image:1x3x8x8,1x3x8x8,2x3x8x8"});
  ASSERT_EQ(compiled.exit_status, 0) << compiled.err;
  const std::string two = scene.tensor("two.npy", {2, 3, 8, 8}, 1);
  const std::string three = scene.tensor("three.npy", {3, 3, 8, 8}, 1);
  EXPECT_EQ(run_tarmac({"run", scene.path("m.plan"), "--input", two}).exit_status, 0);
  const ProgramResult result = run_tarmac({"run", scene.path("m.plan"), "--input", three, "--json"});
  EXPECT_EQ(result.exit_status, 4);
  EXPECT_EQ(result.json()["error"]["code"], "out_of_range");
  // The plan carries the contract: a picture needs no --contract.
  const std::string picture = scene.picture("p.ppm", 0, 255, 0);
  const auto json = run_tarmac({"run", scene.path("m.plan"), "--input", picture, "--json"}).json();
  EXPECT_EQ(json["runs"][0]["outputs"]["scores"]["top1"][0]["label"], "green");
}

}  // namespace
}  // namespace tarmac::test
