// tarmac bench: each way of measuring, and what it refuses.
#include <gmock/gmock.h>

#include <fstream>

#include "base/file.h"
#include "cli/child_program.h"
#include "cli/histogram.h"
#include "cli/scene.h"
#include "support/json_schema.h"

namespace tarmac::test {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// The JSON of a run that must succeed and follow the schema.
json bench(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "bench");
  arguments.insert(arguments.end(), {"--json", "--warmup", "0"});
  const ProgramResult result = run_tarmac(arguments);
  EXPECT_EQ(result.exit_status, 0) << result.err << result.out;
  json done = result.json();
  const json schema = json::parse(*read_file(std::string(TARMAC_SOURCE_DIR) + "/docs/bench.schema.json"));
  EXPECT_THAT(schema_violations(schema, done), IsEmpty());
  return done;
}

TEST(BenchSchema, TheCheckerSeesWhatIsWrong) {
  const json schema = json::parse(R"({"type": "object", "required": ["a"], "additionalProperties": false,
    "properties": {"a": {"type": ["integer", "null"]}, "b": {"type": "array", "items": {"enum": [1, 2]}}}})");
  EXPECT_THAT(schema_violations(schema, {{"a", nullptr}, {"b", {1, 2}}}), IsEmpty());
  EXPECT_THAT(schema_violations(schema, {{"a", 1.5}}), testing::SizeIs(1));
  EXPECT_THAT(schema_violations(schema, {{"b", {3}}, {"c", 1}}), testing::SizeIs(3));
}

TEST(BenchHistogram, MarksPercentilesAndFitsTheTerminal) {
  const LogHistogram histogram{{1'000'000, 2'000'000, 4'000'000}, {90, 10}};
  LatencySummary summary;
  summary.p50_ns = 1'500'000;
  summary.p90_ns = 1'900'000;
  summary.p99_ns = 3'000'000;
  summary.p999_ns = 4'000'000;
  for (const std::size_t columns : {60U, 80U, 140U}) {
    const auto lines = cli::histogram_lines(histogram, summary, columns);
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_THAT(lines[0], AllOf(HasSubstr("1.00 ms |#"), HasSubstr("90 p50 p90")));
    EXPECT_THAT(lines[1], HasSubstr("10 p99 p99.9")) << "the last bin holds its upper edge";
    for (const std::string& line : lines) EXPECT_LE(line.size(), columns);
  }
}

TEST(Bench, LatencyTellsPreprocessingApart) {
  const Scene scene;
  (void)scene.picture("frames/a.ppm", 255, 0, 0);
  (void)scene.picture("frames/b.ppm", 0, 255, 0);
  const json with = bench({scene.model(), "--contract", scene.contract(), "--input",
                           "image=" + scene.path("frames"), "--iterations", "30"})["results"][0];
  EXPECT_EQ(with["preprocessed"], true);
  EXPECT_EQ(with["batch"], 1);
  EXPECT_EQ(with["frame_ns"]["samples"], 30);
  EXPECT_GT(with["preprocess_ns"]["p50"], 0);
  EXPECT_LT(with["preprocess_ns"]["min"], with["frame_ns"]["min"]);
  EXPECT_LE(with["latency_ns"]["p50_low"], with["latency_ns"]["p50"]);
  std::int64_t counted = 0;
  for (const json& count : with["histogram"]["counts"]) counted += count.get<std::int64_t>();
  EXPECT_EQ(counted, 30);
  const json without = bench({scene.model(), "--iterations", "30"})["results"][0];
  EXPECT_EQ(without["preprocess_ns"], nullptr);
  EXPECT_EQ(without["input_values"], "made-up values");
  const ProgramResult text = run_tarmac({"bench", scene.model(), "--iterations", "5"});
  EXPECT_THAT(text.out,
              AllOf(HasSubstr("only inference is timed"), HasSubstr("\ntarmac-bench mode=latency ")));
}

TEST(Bench, ABatchIsMadeOfSeveralPictures) {
  const Scene scene;
  for (const char* name : {"frames/a.ppm", "frames/b.ppm", "frames/c.ppm"})
    (void)scene.picture(name, 10, 20, 30);
  const json done =
      bench({scene.model(), "--contract", scene.contract(), "--input", "image=" + scene.path("frames"),
             "--batch", "2", "--iterations", "5"})["results"][0];
  EXPECT_EQ(done["inputs"]["image"], json::array({2, 3, 8, 8}));
  EXPECT_NEAR(done["samples_per_s"].get<double>(), 2 * done["inferences_per_s"].get<double>(), 1e-6);
}

TEST(Bench, SweepsStreamsAndBatchesAndMarksTheBest) {
  const Scene scene;
  const json done = bench({scene.model(), "--streams", "1,2", "--batch", "1,4", "--duration", "0.05"});
  EXPECT_EQ(done["mode"], "throughput");
  ASSERT_EQ(done["results"].size(), 4U);
  int best = 0;
  for (const json& cell : done["results"]) {
    best += cell["best"].get<bool>() ? 1 : 0;
    EXPECT_GT(cell["samples_per_s"], 0);
  }
  EXPECT_EQ(best, 1);
  EXPECT_EQ(done["results"][3]["streams"], 2);
  EXPECT_EQ(done["results"][3]["batch"], 4);
}

TEST(Bench, CountsEveryFrameAtARate) {
  const Scene scene;
  for (const char* target : {"openvino", "onnxruntime", "null"}) {
    const json done = bench({scene.model(), "--target", target, "--rate", "50,100", "--duration", "0.2"});
    ASSERT_EQ(done["results"].size(), 2U);
    for (const json& row : done["results"]) {
      const json& frames = row["frames"];
      EXPECT_EQ(frames["due"].get<double>(), 0.2 * row["rate_hz"].get<double>());
      EXPECT_EQ(frames["due"].get<int>(), frames["done"].get<int>() + frames["dropped"].get<int>());
      EXPECT_EQ(frames["missed"].get<int>(), frames["late"].get<int>() + frames["dropped"].get<int>());
      EXPECT_EQ(row["deadline_ns"].get<double>(), 1e9 / row["rate_hz"].get<double>());
    }
  }
}

TEST(Bench, ComparesModelsAloneAndTogether) {
  const Scene scene;
  const json done = bench({scene.model(), scene.model(), "--rate", "50,max", "--duration", "0.2"});
  EXPECT_EQ(done["mode"], "together");
  ASSERT_EQ(done["results"].size(), 2U);
  EXPECT_EQ(done["results"][0]["alone"]["frames"]["due"], 10);
  EXPECT_EQ(done["results"][1]["rate_hz"], nullptr);
  EXPECT_GT(done["results"][1]["p50_ratio"], 0);
}

TEST(Bench, WritesATraceOfItsRuns) {
  const Scene scene;
  (void)bench({scene.model(), "--iterations", "3", "--trace", scene.path("trace.json")});
  const json trace = json::parse(*read_file(scene.path("trace.json")));
  EXPECT_GE(trace["traceEvents"].size(), 4U);
  const ProgramResult nowhere = run_tarmac({"bench", scene.model(), "--trace", scene.path("no/trace.json")});
  EXPECT_EQ(nowhere.exit_status, 4);
}

TEST(Bench, OursAllocatesNothingInARunOnTheNullTarget) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers bring their own operator new";
#endif
  const Scene scene;
  const json done = bench({scene.model(), "--target", "null", "--iterations", "10"});
  EXPECT_EQ(done["results"][0]["allocations_per_run"]["ours"], 0);
}

TEST(Bench, SaysWhatDoesNotFitTheModel) {
  const Scene scene;
  expect_ok(save_model(model(R"(<ir_version: 8, opset_import: ["" : 17]>
    fixed (float[1, 3] x) => (float[1, 3] y) { y = Relu(x) })"),
                       scene.path("fixed.onnx")));
  struct Mistake {
    std::vector<std::string> arguments;
    int exit_status;
    std::string message;
  };
  const std::vector<Mistake> mistakes = {
      {{scene.path("fixed.onnx"), "--batch", "4"}, 2, "fixed batch size of 1"},
      {{scene.path("fixed.onnx"), "--streams", "2", "--batch", "1,4"}, 2, "fixed batch size of 1"},
      {{scene.model(), "--input", "imag=" + scene.picture("a.ppm", 1, 2, 3)}, 4, "did you mean 'image'?"},
      {{scene.model(), "--input", "image=" + scene.path("none.npy")}, 4, "none.npy"},
      {{scene.model(), "--input", "image=" + scene.path("a.ppm")}, 2, "give --contract deploy.yaml"},
      {{scene.model(), "--shape", "imag:1x3x8x8"}, 4, "imag"},
      {{scene.path("none.onnx")}, 4, "none.onnx"},
      {{scene.model(), scene.path("none.onnx")}, 4, "none.onnx"},
  };
  for (const Mistake& mistake : mistakes) {
    std::vector<std::string> arguments = {"bench"};
    arguments.insert(arguments.end(), mistake.arguments.begin(), mistake.arguments.end());
    const ProgramResult result = run_tarmac(arguments);
    EXPECT_EQ(result.exit_status, mistake.exit_status) << mistake.message << "\n" << result.err;
    EXPECT_THAT(result.err, HasSubstr(mistake.message));
  }
}

TEST(Bench, StopsWhenInterruptedBetweenFrames) {
  const Scene scene;
  ProgramOptions options;
  options.interrupt_after_ms = 1500;
  const ProgramResult result =
      run_tarmac({"bench", scene.model(), "--rate", "0.5", "--duration", "600"}, options);
  EXPECT_EQ(result.exit_status, 130);
  EXPECT_THAT(result.err, HasSubstr("interrupted"));
}

}  // namespace
}  // namespace tarmac::test
