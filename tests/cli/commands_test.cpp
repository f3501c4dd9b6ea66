// Every command end to end on a small model, read through its JSON.
#include <gmock/gmock.h>

#include <filesystem>
#include <set>

#include "base/file.h"
#include "cli/child_program.h"
#include "cli/scene.h"
#include "graph/model_io.h"

namespace tarmac::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// The command succeeds, prints one JSON object and nothing on stderr.
json run_json(std::vector<std::string> arguments) {
  arguments.emplace_back("--json");
  const ProgramResult result = run_tarmac(arguments);
  EXPECT_EQ(result.exit_status, 0) << result.out << result.err;
  EXPECT_THAT(result.err, IsEmpty());
  const json value = result.json();
  EXPECT_EQ(value.value("command", ""), arguments.front());
  EXPECT_EQ(value.value("status", ""), "ok");
  return value;
}

TEST(Inspect, CountsWhatAModelHolds) {
  const Scene scene;
  const json info = run_json({"inspect", scene.model(), "--size", "batch=4"});
  EXPECT_EQ(info["kind"], "model");
  EXPECT_EQ(info["parameters"], 9);
  EXPECT_EQ(info["operators"]["Conv"], 1);
  EXPECT_EQ(info["inputs"][0]["shape"], json::array({"batch", 3, 8, 8}));
  EXPECT_EQ(info["flops"], 4 * 64 * 9 * 2);  // batch × pixels × weights × 2
}

TEST(Inspect, PrintsAModelForPeople) {
  const Scene scene;
  const ProgramResult result = run_tarmac({"inspect", scene.model()});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_THAT(result.out, HasSubstr("float32[batch, 3, 8, 8]"));
  EXPECT_THAT(result.out, HasSubstr("Parameters: 9 (36 bytes)"));
}

TEST(Check, GivesEveryNodeAVerdictOnEveryTarget) {
  const Scene scene;
  const json checked = run_json({"check", scene.model(), "--target", "openvino,onnxruntime"});
  ASSERT_EQ(checked["targets"].size(), 2U);
  for (const json& target : checked["targets"]) {
    EXPECT_EQ(target["runs"], true);
    EXPECT_EQ(target["nodes"].size(), 5U);
    EXPECT_EQ(target["nodes"][0]["verdict"], "supported");
  }
}

TEST(Check, ExitsWith3WhereATargetRefuses) {
  const Scene scene;
  expect_ok(save_model(
      model(
          R"(<ir_version: 8, opset_import: ["" : 17, "own" : 1]> g (float[3] x) => (float[3] y) { y = own.Secret(x) })"),
      scene.path("own.onnx")));
  const ProgramResult result =
      run_tarmac({"check", scene.path("own.onnx"), "--target", "onnxruntime", "--json"});
  EXPECT_EQ(result.exit_status, 3) << result.err;
  const json checked = result.json();
  EXPECT_EQ(checked["targets"][0]["runs"], false);
  EXPECT_THAT(checked["error"]["message"].get<std::string>(), HasSubstr("own::Secret"));
}

TEST(Optimize, RemovesWhatChangesNothingAndVerifiesIt) {
  const Scene scene;
  const json done = run_json(
      {"optimize", scene.model(), "-o", scene.path("o.onnx"), "--verify", "--trace", scene.path("trace")});
  EXPECT_EQ(done["nodes_before"], 5);
  EXPECT_EQ(done["nodes_after"], 4);
  EXPECT_EQ(done["verify"]["passed"], true);
  ASSERT_FALSE(done["verify"]["corners"].empty());
  for (const json& corner : done["verify"]["corners"]) {
    ASSERT_EQ(corner["outputs"].size(), 1U) << corner;
    EXPECT_LT(corner["outputs"][0]["max_rel"].get<double>(), 1e-6);
  }
  EXPECT_FALSE(fs::is_empty(scene.path("trace")));
  EXPECT_EQ(run_json({"inspect", scene.path("o.onnx")})["nodes"], 4);
}

TEST(Optimize, VerifiesAtTheShapesThatItIsGiven) {
  const Scene scene;
  const json done = run_json({"optimize", scene.model(), "-o", scene.path("o.onnx"), "--verify", "--profile",
                              "image:1x3x8x8,2x3x8x8,6x3x8x8"});
  ASSERT_EQ(done["verify"]["corners"].size(), 3U);
  EXPECT_THAT(done["verify"]["corners"][2]["shapes"].get<std::string>(), HasSubstr("6"));
  const ProgramResult unread =
      run_tarmac({"optimize", scene.model(), "-o", scene.path("p.onnx"), "--profile", "image:1x3x8x8"});
  EXPECT_EQ(unread.exit_status, 2) << unread.err;
  EXPECT_THAT(unread.err, HasSubstr("--verify"));
}

TEST(Optimize, LeavesOutWhatItIsTold) {
  const Scene scene;
  const json skipped = run_json(
      {"optimize", scene.model(), "-o", scene.path("o.onnx"), "--skip", "eliminate_no_ops,fold_constants"});
  EXPECT_EQ(skipped["nodes_after"], 5);
  for (const json& pass : skipped["passes"]) EXPECT_NE(pass["pass"], "eliminate_no_ops");
}

TEST(Optimize, FixesShapes) {
  const Scene scene;
  (void)run_json({"optimize", scene.model(), "-o", scene.path("o.onnx"), "--fix-shape", "image:2x3x8x8"});
  EXPECT_EQ(run_json({"inspect", scene.path("o.onnx")})["inputs"][0]["shape"], json::array({2, 3, 8, 8}));
  const ProgramResult wrong =
      run_tarmac({"optimize", scene.model(), "-o", scene.path("p.onnx"), "--fix-shape", "image:2x4x8x8"});
  EXPECT_EQ(wrong.exit_status, 4) << wrong.err;
  EXPECT_FALSE(fs::exists(scene.path("p.onnx")));
}

TEST(Optimize, FixesSomeSizesAndLeavesTheOthersOpen) {
  const Scene scene;
  (void)run_json({"optimize", scene.model(), "-o", scene.path("o.onnx"), "--fix-shape", "image:?x3x8x8"});
  const json shape = run_json({"inspect", scene.path("o.onnx")})["inputs"][0]["shape"];
  EXPECT_FALSE(shape[0].is_number()) << shape;
  EXPECT_EQ(shape[3], 8);
}

TEST(Optimize, ConvertsToTheOpsetThatItIsTold) {
  const Scene scene;
  for (const int opset : {13, 21}) {
    (void)run_json({"optimize", scene.model(), "-o", scene.path("o.onnx"), "--opset", std::to_string(opset),
                    "--verify"});
    EXPECT_EQ(expect_ok(load_model(scene.path("o.onnx"))).opset(), opset);
  }
  EXPECT_EQ(run_tarmac({"optimize", scene.model(), "-o", scene.path("p.onnx"), "--opset", "99"}).exit_status,
            2);
  EXPECT_EQ(
      run_tarmac({"optimize", scene.model(), "-o", scene.path("p.onnx"), "--target", "abacus"}).exit_status,
      2);
}

TEST(Optimize, TakesTheNumberOfAttentionHeadsAndSaysWhereTheGraphHasAnother) {
  const Scene scene;
  expect_ok(save_model(model(R"(<ir_version: 10, opset_import: ["" : 23]>
g (float[2,4,6,8] q, float[2,4,6,8] k, float[2,4,6,8] v) => (float[2,4,6,8] y) {
  kt = Transpose <perm = [0, 1, 3, 2]> (k)
  raw = MatMul (q, kt)
  p = Softmax <axis = -1> (raw)
  y = MatMul (p, v)
})"),
                       scene.path("a.onnx")));
  const json wrong = run_json(
      {"optimize", scene.path("a.onnx"), "-o", scene.path("o.onnx"), "--heads", "8", "--hidden", "32"});
  EXPECT_THAT(wrong["declined"].dump(), HasSubstr("4 heads here, not 8"));
  const json right = run_json(
      {"optimize", scene.path("a.onnx"), "-o", scene.path("o.onnx"), "--heads", "4", "--hidden", "32"});
  EXPECT_EQ(right["nodes_after"], 1);
}

TEST(Optimize, ListsThePasses) { EXPECT_GE(run_json({"optimize", "--list-passes"})["passes"].size(), 6U); }

TEST(Quantize, StaticOnTensorsStaysNearTheFloatModel) {
  const Scene scene;
  const json done = run_json({"quantize", scene.model(), "-o", scene.path("q.onnx"), "--mode", "static",
                              "--data", scene.samples("data.npz", 30, false), "--samples", "24"});
  EXPECT_EQ(done["calibration"]["samples"], 24);
  EXPECT_LT(done["comparison"]["scores"]["max_rel"].get<double>(), 0.02);
  EXPECT_GT(run_json({"inspect", scene.path("q.onnx")})["operators"].value("QuantizeLinear", 0), 0);
}

TEST(Commands, CalibrationFilesMergeIntoWhatOneRunGivesAndAreReused) {
  const Scene scene;
  const std::string data = scene.samples("samples.npz", 11, false);
  const auto quantize = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments = {"quantize", scene.model(), "--mode", "static",
                                          "--method", "entropy",     "--data", data};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  };
  std::vector<std::string> merge = {"calibration", "merge"};
  for (const char* shard : {"1/3", "2/3", "3/3"}) {
    const std::string cache = scene.path(std::string(1, shard[0]) + ".json");
    run_json(quantize({"--shard", shard, "--cache", cache}));
    merge.insert(merge.begin() + 2, cache);
  }
  merge.insert(merge.end(), {"-o", scene.path("merged.json")});
  EXPECT_EQ(run_json(merge)["samples"], 11);
  EXPECT_FALSE(run_json(
      quantize({"-o", scene.path("one.onnx"), "--cache", scene.path("one.json")}))["calibration"]["reused"]);
  const json again =
      run_json(quantize({"-o", scene.path("again.onnx"), "--cache", scene.path("merged.json")}));
  EXPECT_TRUE(again["calibration"]["reused"]);
  EXPECT_TRUE(expect_ok(read_file(scene.path("one.onnx"))) == expect_ok(read_file(scene.path("again.onnx"))));

  const ProgramResult part =
      run_tarmac(quantize({"-o", scene.path("q.onnx"), "--cache", scene.path("1.json")}));
  EXPECT_EQ(part.exit_status, 4);
  EXPECT_THAT(part.err, HasSubstr("1 of 3 shards"));
  const ProgramResult other = run_tarmac({"quantize", scene.model(), "--mode", "static", "--data",
                                          scene.samples("others.npz", 5, false), "--cache",
                                          scene.path("merged.json"), "-o", scene.path("q.onnx")});
  EXPECT_EQ(other.exit_status, 4);
  EXPECT_THAT(other.err, HasSubstr("it is of other data"));

  run_json({"calibration", "export", scene.path("merged.json"), "--method", "entropy", "-o",
            scene.path("trt.cache")});
  run_json({"calibration", "import", scene.path("trt.cache"), "--model", scene.model(), "-o",
            scene.path("imported.json")});
  run_json({"quantize", scene.model(), "--mode", "static", "--cache", scene.path("imported.json"), "-o",
            scene.path("q.onnx")});
}

TEST(Quantize, StaticOnPicturesNeedsTheContract) {
  const Scene scene;
  for (int i = 0; i < 6; ++i)
    (void)scene.picture("frames/" + std::to_string(i) + ".ppm", 40 * i, 200 - 40 * i, 90);
  const std::vector<std::string> start = {"quantize", scene.model(), "-o",     scene.path("q.onnx"),
                                          "--mode",   "static",      "--data", scene.path("frames")};
  EXPECT_EQ(run_tarmac(start).exit_status, 2);
  std::vector<std::string> whole = start;
  whole.insert(whole.end(), {"--contract", scene.contract()});
  EXPECT_EQ(run_json(whole)["calibration"]["samples"], 6);
}

TEST(Quantize, WeightsAloneNeedNoData) {
  const Scene scene;
  const json done =
      run_json({"quantize", scene.model(), "-o", scene.path("q.onnx"), "--mode", "weight-only"});
  EXPECT_GT(done["float_weight_bytes"].get<int>(), done["stored_weight_bytes"].get<int>());
}

TEST(Compile, AutoMeasuresBothEnginesAndTakesTheFaster) {
  const Scene scene;
  const json done = run_json({"compile", scene.model(), "-o", scene.path("m.plan"), "--target", "auto",
                              "--contract", scene.contract()});
  std::set<std::string> targets;
  double chosen = 0;
  for (const json& one : done["candidates"]) {
    targets.insert(one["target"].get<std::string>());
    if (one["chosen"]) chosen = one["p50_ns"].get<double>();
  }
  EXPECT_EQ(targets, (std::set<std::string>{"onnxruntime", "openvino"}));
  for (const json& one : done["candidates"]) {
    if (one.value("finalist", false)) {
      EXPECT_LE(chosen, one["p50_ns"].get<double>());
    }
    EXPECT_TRUE(one["chosen"].get<bool>() || !one["reason"].get<std::string>().empty());
  }
  const json info = run_json({"inspect", scene.path("m.plan")});
  EXPECT_EQ(info["kind"], "plan");
  EXPECT_EQ(info["target"], done["target"]);
  EXPECT_EQ(info["labels"], json::array({"red", "green", "blue"}));
}

TEST(Bench, ReportsLatencyThroughputMemoryAndNodes) {
  const Scene scene;
  const json done = run_json({"bench", scene.model(), "--target", "openvino,onnxruntime", "--batch", "4",
                              "-q", "--duration", "0.1", "--profile"});
  ASSERT_EQ(done["results"].size(), 2U);
  for (const json& result : done["results"]) {
    const json& latency = result["latency_ns"];
    EXPECT_LE(latency["min"], latency["p50"]);
    EXPECT_LE(latency["p50"], latency["p99.9"]);
    EXPECT_EQ(result["inputs"]["image"], json::array({4, 3, 8, 8}));
    EXPECT_NEAR(result["samples_per_s"].get<double>(), 4 * result["inferences_per_s"].get<double>(), 1e-6);
    EXPECT_FALSE(result["nodes"].empty());
  }
  EXPECT_GT(done["memory"]["peak_resident_bytes"], 1 << 20);
}

TEST(Bench, RunsSeveralStreams) {
  const Scene scene;
  const json done =
      run_json({"bench", scene.model(), "--streams", "2", "--cores", "1", "--duration", "0.1", "-q"});
  EXPECT_GT(done["results"][0]["inferences_per_s"], 0);
}

TEST(Bench, PrintsAHistogramForPeople) {
  const Scene scene;
  const ProgramResult result = run_tarmac({"bench", scene.model(), "--duration", "0.1"});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("p99.9"));
  EXPECT_THAT(result.out, HasSubstr("|#"));
}

TEST(Verify, AgreesWithAnOptimisedModelAndNotWithAnother) {
  const Scene scene;
  (void)run_json({"optimize", scene.model(), "-o", scene.path("o.onnx")});
  EXPECT_EQ(run_json({"verify", scene.path("o.onnx"), "--reference", scene.model()})["passed"], true);

  Model other = expect_ok(load_model(scene.model()));
  other.graph->set_initializer(
      *other.graph->find("w"),
      Tensor::from<float>({3, 3, 1, 1}, std::vector<float>{2, 0, 0, 0, 2, 0, 0, 0, 1}));
  expect_ok(save_model(other, scene.path("other.onnx")));
  const ProgramResult result = run_tarmac({"verify", scene.path("other.onnx"), "--reference", scene.model(),
                                           "--data", scene.samples("data.npz", 9, false), "--json"});
  EXPECT_EQ(result.exit_status, 5) << result.err;
  EXPECT_EQ(result.json()["passed"], false);
  EXPECT_EQ(result.json()["error"]["code"], "acceptance");
  EXPECT_EQ(result.json()["error"]["node"], "scores");
}

/// The contract without pictures: samples from two files that share nothing.
std::string tensor_contract(const Scene& scene, const std::string& acceptance) {
  (void)scene.samples("calibration.npz", 24, true);
  (void)scene.samples("evaluation.npz", 30, true);
  return scene.folder()
      .write("tensors.yaml", R"(version: 1
name: colour
model: model.onnx
inputs:
  image: {shape: [batch, 3, 8, 8], dtype: float32}
labels: [red, green, blue]
data:
  evaluation: {npz: evaluation.npz, labels: from_file}
evaluation: {metric: top1, output: scores}
targets: [openvino, onnxruntime]
precision: {mode: fp32}
acceptance:
)" + acceptance)
      .string();
}

TEST(Deploy, WritesPlansAndReportAndMeetsTheContract) {
  const Scene scene;
  const json done =
      run_json({"deploy", tensor_contract(scene, "  fp32_drop: 1%\n"), "-o", scene.path("out")});
  EXPECT_EQ(done["passed"], true);
  EXPECT_EQ(done["plans"].size(), 2U);
  EXPECT_TRUE(fs::exists(done["report_html"].get<std::string>()));
  EXPECT_TRUE(fs::exists(scene.path("out/report.json")));
}

TEST(Deploy, ExitsWith5WhereTheContractIsNotMetAndStillReports) {
  const Scene scene;
  const ProgramResult result =
      run_tarmac({"deploy", tensor_contract(scene, "  memory: 1 MiB\n"), "-o", scene.path("out")});
  EXPECT_EQ(result.exit_status, 5) << result.err;
  EXPECT_THAT(result.out, HasSubstr("FAIL"));
  EXPECT_THAT(result.err, HasSubstr("acceptance not met"));
  EXPECT_TRUE(fs::exists(scene.path("out/report.html")));
}

TEST(Deploy, NamesTheLineOfAMistakeInTheContract) {
  const Scene scene;
  const std::string contract =
      scene.folder().write("bad.yaml", "version: 1\nname: x\nmodle: model.onnx\n").string();
  const ProgramResult result = run_tarmac({"deploy", contract, "-o", scene.path("out")});
  EXPECT_EQ(result.exit_status, 4);
  EXPECT_THAT(result.err, HasSubstr("bad.yaml:3"));
}

}  // namespace
}  // namespace tarmac::test
