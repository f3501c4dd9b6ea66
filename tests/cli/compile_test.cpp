// tarmac compile: profiles, buckets, batches, workspace, precision, signing, and the mistakes of a new user.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "cli/child_program.h"
#include "cli/scene.h"
#include "plan/plan_file.h"

namespace tarmac::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using json = nlohmann::json;

std::vector<std::string> compile(const Scene& scene, const std::vector<std::string>& more) {
  std::vector<std::string> words = {"compile", scene.model(), "-o", scene.path("m.plan")};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

json run_json(std::vector<std::string> words) {
  words.emplace_back("--json");
  const ProgramResult result = run_tarmac(words);
  EXPECT_EQ(result.exit_status, 0) << result.err << result.out;
  return result.json();
}

TEST(Compile, GivesEachBucketToTheProfileThatAdmitsIt) {
  const Scene scene;
  run_json(compile(
      scene, {"--target", "onnxruntime", "--profile", "image:1x3x8x8,2x3x8x8,3x3x8x8", "--profile",
              "image:4x3x8x8,6x3x8x8,8x3x8x8", "--bucket", "image:3x3x8x8", "--bucket", "image:8x3x8x8"}));
  const PlanInfo info = expect_ok(inspect_plan(scene.path("m.plan")));
  ASSERT_EQ(info.profiles.size(), 2U);
  const std::vector<InputShapes> first = {{{"image", {2, 3, 8, 8}}}, {{"image", {3, 3, 8, 8}}}};
  const std::vector<InputShapes> second = {{{"image", {6, 3, 8, 8}}}, {{"image", {8, 3, 8, 8}}}};
  EXPECT_EQ(info.profiles[0].buckets, first);
  EXPECT_EQ(info.profiles[1].buckets, second);
}

TEST(Compile, BatchFixesAnOpenFirstAxis) {
  const Scene scene;
  run_json(compile(scene, {"--target", "openvino", "--batch", "4"}));
  const PlanInfo info = expect_ok(inspect_plan(scene.path("m.plan")));
  ASSERT_EQ(info.inputs.size(), 1U);
  EXPECT_EQ(info.inputs[0].type, "float32[4, 3, 8, 8]");
  ASSERT_EQ(info.profiles.size(), 1U);
  EXPECT_EQ(info.profiles[0].shapes.at("image").max, (Shape{4, 3, 8, 8}));
}

TEST(Compile, ThroughputTakesTheBestOfTheBatchesAndKeepsTheTable) {
  const Scene scene;
  const json done =
      run_json(compile(scene, {"--target", "auto", "--objective", "throughput", "--batch", "1,16"}));
  const PlanInfo info = expect_ok(inspect_plan(scene.path("m.plan")));
  const json tried = json::parse(info.tried_json);
  EXPECT_EQ(tried, done["tried"]);
  EXPECT_EQ(tried["objective"], "throughput");
  EXPECT_FALSE(tried["cpu"].get<std::string>().empty());
  double best = 0;
  double chosen = 0;
  for (const json& one : tried["candidates"]) {
    if (one.value("finalist", false)) best = std::max(best, one["samples_per_s"].get<double>());
    if (!one["chosen"]) continue;
    chosen = one["samples_per_s"].get<double>();
    EXPECT_EQ(one["batch"], info.profiles.at(0).shapes.at("image").opt.front());
    EXPECT_EQ(one["streams"], info.streams);
  }
  EXPECT_EQ(chosen, best);
  EXPECT_GT(tried["forecast_s"].get<double>(), 0);
}

TEST(Compile, RefusesWhatNeedsMoreWorkspaceThanAllowedWithBothNumbers) {
  const Scene scene;
  const ProgramResult result = run_tarmac(compile(scene, {"--target", "onnxruntime", "--workspace", "1K",
                                                          "--profile", "image:1x3x8x8,1x3x8x8,4096x3x8x8"}));
  EXPECT_EQ(result.exit_status, 4) << result.err;
  EXPECT_THAT(result.err, HasSubstr("the workspace limit is 0.0 MiB"));
  EXPECT_THAT(result.err, HasSubstr("a context takes"));
  EXPECT_FALSE(fs::exists(scene.path("m.plan")));
  run_json(compile(scene, {"--target", "onnxruntime", "--workspace", "1GiB"}));
  EXPECT_EQ(expect_ok(inspect_plan(scene.path("m.plan"))).workspace_bytes, std::uint64_t{1} << 30U);
}

TEST(Compile, QuantisesUnderTheGateAndNamesThePrecisionOfEachNode) {
  const Scene scene;
  const json done = run_json(compile(scene, {"--target", "openvino", "--precision", "fp32,int8", "--data",
                                             scene.samples("data.npz", 40, false)}));
  json int8;
  for (const json& one : done["candidates"]) {
    if (one["precision"] == "int8") int8 = one;
  }
  ASSERT_FALSE(int8.is_null()) << done["candidates"];
  const PlanInfo info = expect_ok(inspect_plan(scene.path("m.plan")));
  const json nodes = json::parse(info.precision_json)["nodes"];
  EXPECT_EQ(info.precision == "int8", nodes.dump().find("int8") != std::string::npos);
  EXPECT_FALSE(info.data_digest.empty());
  if (info.precision == "int8") {
    EXPECT_EQ(done["accuracy"]["passed"], true);
  }
}

TEST(Compile, RefusesInt8ThatCostsTooMuch) {
  const Scene scene;
  // Agreement with the float model is never complete: nothing may be lost here.
  const ProgramResult result =
      run_tarmac(compile(scene, {"--target", "openvino", "--precision", "int8", "--max-drop", "0", "--data",
                                 scene.samples("data.npz", 40, false)}));
  EXPECT_NE(result.exit_status, 0);
  EXPECT_FALSE(fs::exists(scene.path("m.plan")));
}

TEST(Compile, WritesTheEnginesOwnFile) {
  const Scene scene;
  const json done =
      run_json(compile(scene, {"--target", "openvino", "--export-engine", scene.path("m.blob")}));
  EXPECT_EQ(done["has_engine"], true);
  EXPECT_GT(fs::file_size(scene.path("m.blob")), 0U);
  const json without = run_json(compile(scene, {"--target", "openvino", "--no-engine"}));
  EXPECT_EQ(without["has_engine"], false);
  EXPECT_LT(without["plan_bytes"], done["plan_bytes"]);
}

TEST(Compile, SignsThePlanFreshAndFromTheCache) {
  const Scene scene;
  if (run_program("openssl", {"genpkey", "-algorithm", "ed25519", "-out", scene.path("key.pem")})
          .exit_status != 0)
    GTEST_SKIP() << "openssl is not installed";
  ASSERT_EQ(
      run_program("openssl", {"pkey", "-in", scene.path("key.pem"), "-pubout", "-out", scene.path("pub.pem")})
          .exit_status,
      0);
  const auto words = compile(
      scene, {"--target", "openvino", "--sign", scene.path("key.pem"), "--cache-dir", scene.path("cache")});
  for (const bool hit : {false, true}) {
    EXPECT_EQ(run_json(words)["cache"]["hit"], hit);
    EXPECT_FALSE(expect_ok(inspect_plan(scene.path("m.plan"), scene.path("pub.pem"))).signed_by.empty());
  }
}

TEST(Compile, SaysWhatIsWrongAndLeavesNothing) {
  const Scene scene;
  (void)scene.folder().write("rsa.pem", "-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n");
  (void)scene.folder().write("a_file", "");
  const struct {
    std::vector<std::string> more;
    int exit_status;
    std::string message;
  } mistakes[] = {
      {{"--target", "openvino", "--bucket", "imaeg:1x3x8x8"},
       4,
       "the bucket names input 'imaeg'; the model's inputs are image"},
      {{"--target", "openvino", "--bucket", "image:1x3x9x9"}, 4, "does not fit its type"},
      {{"--target", "openvino", "--profile", "image:1x3x8x8,2x3x8x8,4x3x8x8", "--bucket", "image:5x3x8x8"},
       4,
       "no profile admits the bucket: shape [5, 3, 8, 8]"},
      {{"--target", "openvino", "--profile", "imaeg:1x3x8x8"}, 4, "the model's inputs are image"},
      {{"--target", "openvino", "--batch", "2", "--profile", "image:1x3x8x8"}, 2, "write the batch into it"},
      {{"--target", "openvino", "--batch", "2,4"}, 2, "--objective throughput"},
      {{"--target", "openvino", "--workspace", "lots"}, 2, "expected a size such as 4GiB"},
      {{"--target", "openvino", "--precision", "int8"}, 2, "--precision int8 calibrates on real data"},
      {{"--target", "openvino", "--precision", "fp64"}, 2, "expected fp32 or int8, found 'fp64'"},
      {{"--target", "openvino", "--objective", "troughput"}, 2, "did you mean 'throughput'?"},
      {{"--target", "openvino", "--max-drop", "1%"}, 2, "add --precision int8"},
      {{"--target", "openvino", "--sign", scene.path("none.pem")}, 4, "no key file of this name"},
      {{"--target", "openvino", "--sign", scene.path("rsa.pem")}, 4, "rsa.pem"},
      {{"--target", "openvino", "--cache-dir", scene.path("a_file")}, 4, "--no-cache"},
      {{"--target", "openvino", "--export-engine", scene.path("no/such/m.blob")}, 4, "folder does not exist"},
      {{"--target", "openvno"}, 2, "did you mean 'openvino'?"},
  };
  const std::size_t entries = scene.folder().entries();
  for (const auto& mistake : mistakes) {
    const ProgramResult result = run_tarmac(compile(scene, mistake.more));
    EXPECT_EQ(result.exit_status, mistake.exit_status) << mistake.message << "\n" << result.err;
    EXPECT_THAT(result.err, HasSubstr(mistake.message));
    EXPECT_EQ(scene.folder().entries(), entries) << mistake.message;
  }
}

}  // namespace
}  // namespace tarmac::test
