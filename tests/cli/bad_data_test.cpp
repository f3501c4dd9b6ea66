// quantize on data that is not as it should be: what is wrong is said, and nothing is lost.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "cli/child_program.h"
#include "cli/scene.h"
#include "tensor/io.h"

namespace tarmac::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// The scene's contract with these sections behind it.
std::string contract(const Scene& scene, const std::string& more) {
  std::ifstream file(scene.contract());
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return scene.folder().write("with_data.yaml", text + more).string();
}

ProgramResult quantize(const Scene& scene, std::vector<std::string> more,
                       const ProgramOptions& options = {}) {
  more.insert(more.begin(), {"quantize", scene.model(), "-o", scene.path("q.onnx"), "--mode", "static"});
  return run_tarmac(more, options);
}

/// `each` pictures of every class below DIR/red, DIR/green, DIR/blue.
void pictures(const Scene& scene, const std::string& folder, int each, int shade) {
  for (int i = 0; i < each; ++i) {
    const std::string name = "/" + std::to_string(i) + ".ppm";
    (void)scene.picture(folder + "/red" + name, shade, i, 3);
    (void)scene.picture(folder + "/green" + name, i, shade, 3);
    (void)scene.picture(folder + "/blue" + name, 3, i, shade);
  }
}

TEST(BadData, AnEmptyFolderIsRefused) {
  const Scene scene;
  fs::create_directories(scene.path("nothing"));
  const ProgramResult result =
      quantize(scene, {"--contract", scene.contract(), "--data", scene.path("nothing")});
  EXPECT_EQ(result.exit_status, 4);
  EXPECT_THAT(result.err, HasSubstr("found no pictures (and 0 other files)"));
  EXPECT_FALSE(fs::exists(scene.path("q.onnx")));
}

TEST(BadData, UnreadablePicturesAreLeftOutAndCountedUpToAShare) {
  const Scene scene;
  pictures(scene, "frames", 10, 200);
  (void)scene.folder().write("frames/red/3.ppm", "P6\n16 12\n255\nshort");
  const std::vector<std::string> data = {"--contract", scene.contract(), "--data", scene.path("frames"),
                                         "--json"};
  const ProgramResult one = quantize(scene, data);
  ASSERT_EQ(one.exit_status, 0) << one.err;
  const json found = one.json()["calibration"];
  EXPECT_EQ(found["samples"], 29);
  EXPECT_THAT(found["unreadable"], ElementsAre(scene.path("frames/red/3.ppm")));
  EXPECT_THAT(one.err, HasSubstr("left out"));
  for (const char* name : {"1", "2", "5"})
    (void)scene.folder().write("frames/blue/" + std::string(name) + ".ppm", "P6\n16 12\n255\nshort");
  const ProgramResult many = quantize(scene, data);
  EXPECT_EQ(many.exit_status, 4);
  EXPECT_THAT(many.out + many.err, HasSubstr("of 30 samples cannot be read, more than the allowed 1"))
      << many.out;
}

TEST(BadData, AnotherNumberOfChannelsIsNamedOnBothSides) {
  const Scene scene;
  expect_ok(write_npz(scene.path("gray.npz"),
                      {{"image", Tensor::from<float>({2, 1, 8, 8}, std::vector<float>(128, 0.5F))}}));
  const ProgramResult result = quantize(scene, {"--data", scene.path("gray.npz")});
  EXPECT_EQ(result.exit_status, 4);
  EXPECT_THAT(result.err, HasSubstr("the array for input 'image' is float32 [2, 1, 8, 8]; expected float32 "
                                    "[batch, 3, 8, 8]"));
}

TEST(BadData, NotANumberIsRefusedWithTheValueAndTheRemedy) {
  const Scene scene;
  std::vector<float> values(2 * 192, 0.5F);
  values[200] = std::numeric_limits<float>::quiet_NaN();
  expect_ok(write_npz(scene.path("nan.npz"), {{"image", Tensor::from<float>({2, 3, 8, 8}, values)}}));
  const ProgramResult result = quantize(scene, {"--data", scene.path("nan.npz")});
  EXPECT_EQ(result.exit_status, 4);
  EXPECT_THAT(result.err, HasSubstr("'image'"));
  EXPECT_THAT(result.err, HasSubstr("it is NaN or infinite for some sample; check that the preprocessing"));
  EXPECT_FALSE(fs::exists(scene.path("q.onnx")));
}

TEST(BadData, ConstantValuesAreNamedAndQuantisedSafely) {
  const Scene scene;
  expect_ok(write_npz(scene.path("black.npz"),
                      {{"image", Tensor::from<float>({2, 3, 8, 8}, std::vector<float>(384, 0.0F))}}));
  const ProgramResult result = quantize(scene, {"--data", scene.path("black.npz"), "--json"});
  ASSERT_EQ(result.exit_status, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("'image' was the same number in all samples"));
  EXPECT_THAT(result.json()["calibration"]["constant_values"], testing::Contains("image"));
  EXPECT_EQ(result.json()["comparison"]["scores"]["nan_mismatches"], 0);
}

TEST(BadData, AMissingClassIsNamed) {
  const Scene scene;
  pictures(scene, "frames", 3, 200);
  fs::remove_all(scene.path("frames/green"));
  const std::string file = contract(scene, "data:\n  calibration: {folder: frames, labels: from_folder}\n");
  const ProgramResult result = quantize(scene, {"--contract", file, "--json"});
  ASSERT_EQ(result.exit_status, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("has no sample of the class 'green'"));
  EXPECT_THAT(result.json()["calibration"]["missing_classes"], ElementsAre("green"));
}

TEST(BadData, FewerSamplesThanAskedForAreTakenWithAWarning) {
  const Scene scene;
  const std::string data = scene.samples("data.npz", 6, false);
  const ProgramResult asked = quantize(scene, {"--data", data, "--samples", "20", "--json"});
  ASSERT_EQ(asked.exit_status, 0) << asked.err;
  EXPECT_THAT(asked.err, HasSubstr("20 samples were asked for, there are 6"));
  EXPECT_EQ(asked.json()["calibration"]["samples"], 6);
  const ProgramResult silent = quantize(scene, {"--data", data, "--json"});
  EXPECT_THAT(silent.err, IsEmpty());
  EXPECT_EQ(silent.json()["calibration"]["samples"], 6);
}

TEST(BadData, FiveHundredSamplesAreTakenUnlessMoreAreAskedFor) {
  const Scene scene;
  const std::string data = scene.samples("data.npz", 520, false);
  const auto ranges = [&](std::vector<std::string> more) {
    more.insert(more.end(), {"--data", data, "--json"});
    const ProgramResult result = quantize(scene, more);
    EXPECT_EQ(result.exit_status, 0) << result.err;
    return result.json()["calibration"];
  };
  const json few = ranges({});
  EXPECT_EQ(few["samples"], 500);
  EXPECT_EQ(ranges({"--samples", "520"})["samples"], 520);
  EXPECT_EQ(ranges({"--batch", "7"})["ranges"], few["ranges"]);
  EXPECT_NE(ranges({"--samples", "9", "--seed", "1"})["ranges"], ranges({"--samples", "9"})["ranges"]);
}

TEST(BadData, EvaluationPicturesAmongCalibrationPicturesAreRefused) {
  const Scene scene;
  pictures(scene, "train", 2, 200);
  pictures(scene, "test", 2, 150);
  const std::string file = contract(scene,
                                    "data:\n  calibration: {folder: train, labels: from_folder}\n"
                                    "  evaluation: {folder: test, labels: from_folder}\n");
  EXPECT_EQ(quantize(scene, {"--contract", file}).exit_status, 0);
  fs::copy_file(scene.path("train/red/1.ppm"), scene.path("test/red/renamed.ppm"));
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{"--contract", file}, {"--contract", file, "--data", scene.path("train")}}) {
    const ProgramResult result = quantize(scene, more);
    EXPECT_EQ(result.exit_status, 4);
    EXPECT_THAT(result.err,
                HasSubstr("calibration and evaluation share 1 of 7 evaluation samples by content"));
  }
}

TEST(BadData, AFullDiskLeavesTheOldFileAsItWas) {
  const Scene scene;
  const std::string data = scene.samples("data.npz", 6, false);
  const auto shard = [&](const ProgramOptions& options) {
    return run_tarmac({"quantize", scene.model(), "--mode", "static", "--data", data, "--cache",
                       scene.path("seen.json"), "--shard", "1/2"},
                      options);
  };
  ASSERT_EQ(shard({}).exit_status, 0);
  const auto bytes_of = [&] {
    std::ifstream file(scene.path("seen.json"), std::ios::binary);
    return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  };
  const std::string before = bytes_of();
  const std::size_t entries = scene.folder().entries();
  ProgramOptions full;
  full.max_file_bytes = 100;
  full.stdout_file = "/dev/null";
  const ProgramResult result = shard(full);
  EXPECT_EQ(result.exit_status, 4) << result.err;
  EXPECT_THAT(result.err, HasSubstr("seen.json"));
  EXPECT_EQ(bytes_of(), before);
  EXPECT_EQ(scene.folder().entries(), entries);
}

}  // namespace
}  // namespace tarmac::test
