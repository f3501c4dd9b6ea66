// Folders of frames and videos through `tarmac run`, with boxes that can be worked out by hand.
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "cli/frames_scene.h"
#include "cli/run/frame_sources.h"
#include "contract/picture.h"
#include "contract/video.h"
#include "support/expect.h"
#include "support/graph_checks.h"

namespace tarmac::test {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Json = nlohmann::json;

std::vector<std::string> names_of(const std::vector<Json>& lines) {
  std::vector<std::string> names;
  for (const Json& line : lines) names.push_back(line["frame"]);
  return names;
}

TEST(NaturalOrder, ComparesNumbersAsNumbers) {
  const std::vector<std::string> ordered = {"a",        "frame2", "frame10", "frame010",
                                            "frame10a", "frameb", "left/1",  "left/12"};
  for (std::size_t i = 0; i < ordered.size(); ++i) {
    for (std::size_t j = 0; j < ordered.size(); ++j) {
      if (ordered[i] == "frame10" && ordered[j] == "frame010") continue;
      if (ordered[i] == "frame010" && ordered[j] == "frame10") continue;
      EXPECT_EQ(cli::natural_less(ordered[i], ordered[j]), i < j) << ordered[i] << " " << ordered[j];
    }
  }
  EXPECT_NE(cli::natural_less("frame10", "frame010"), cli::natural_less("frame010", "frame10"));
}

TEST(RunFrames, WritesBoxesInThePixelsOfEachFrame) {
  const FramesScene scene;
  scene.frame("frames/f10.ppm", "....");
  scene.frame("frames/f9.ppm", ".l.t");
  const ProgramResult result = scene.run(scene.path("frames"), {"--draw"});
  ASSERT_EQ(result.exit_status, 0) << result.err << result.out;
  const auto lines = scene.lines();
  ASSERT_THAT(names_of(lines), ElementsAre("f9.ppm", "f10.ppm"));
  const Json& found = lines[0]["detections"];
  ASSERT_EQ(found.size(), 2U) << found;
  EXPECT_EQ(found[0]["label"], "lake");
  EXPECT_EQ(found[0]["class"], 1);
  EXPECT_EQ(found[0]["score"], 1.0);
  EXPECT_EQ(found[0]["box"], Json({8, 0, 16, 6}));
  EXPECT_EQ(found[1]["label"], "tree");
  EXPECT_EQ(found[1]["box"], Json({8, 6, 16, 12}));
  EXPECT_TRUE(lines[1]["detections"].empty());
  EXPECT_GT(lines[1]["inference_ms"].get<double>(), 0);
  EXPECT_GT(lines[1]["preprocess_ms"].get<double>(), 0);
  EXPECT_EQ(lines[1]["width"], 16);
  const Json summary = result.json();
  EXPECT_EQ(summary["frames"], 2);
  EXPECT_EQ(summary["scenes"], 1);
  EXPECT_EQ(summary["found"], Json({{"lake", 1}, {"tree", 1}}));
  EXPECT_EQ(summary["pictures"], 2);
  for (const char* name : {"out/f9.jpg", "out/f10.jpg"}) {
    const Picture drawn = expect_ok(read_picture(scene.path(name)));
    EXPECT_EQ(drawn.view.width, 16) << "drawn at its own size";
  }
}

TEST(RunFrames, LeavesOutWeakDetections) {
  const FramesScene scene;
  scene.frame("frames/a.ppm", "ttw.");
  const auto trees = [&](const std::vector<std::string>& more) {
    return scene.run(scene.path("frames"), more).json()["found"]["tree"];
  };
  EXPECT_EQ(trees({"--draw"}), 3);
  EXPECT_EQ(trees({"--draw", "--min-score", "0.9"}), 2);
  EXPECT_EQ(scene.run(scene.path("frames"), {"--draw", "--min-score", "2"}).exit_status, 2);
}

TEST(RunFrames, KeepsFoldersApartAsScenes) {
  const FramesScene scene;
  for (const char* name : {"drives/b/2.ppm", "drives/b/11.ppm", "drives/a/1.ppm", "other/1.ppm"})
    scene.frame(name, "l...");
  const ProgramResult result =
      scene.run(scene.path("drives"), {"--draw", "--input", "image=" + scene.path("other")});
  ASSERT_EQ(result.exit_status, 0) << result.err << result.out;
  const auto lines = scene.lines();
  EXPECT_THAT(names_of(lines),
              ElementsAre("drives/a/1.ppm", "drives/b/2.ppm", "drives/b/11.ppm", "other/1.ppm"));
  EXPECT_EQ(lines[0]["scene"], 0);
  EXPECT_EQ(lines[2]["scene"], 1);
  EXPECT_EQ(lines[3]["scene"], 2);
  EXPECT_TRUE(fs::exists(scene.path("out/drives/b/11.jpg")));
  EXPECT_TRUE(fs::exists(scene.path("out/other/1.jpg")));
}

TEST(RunFrames, PassOverAFrameThatCannotBeRead) {
  const FramesScene scene;
  for (int i = 0; i < 30; ++i) scene.frame("frames/" + std::to_string(i) + ".ppm", "t...");
  (void)scene.folder().write("frames/12.ppm", "P6\n16 12\n255\ncut short");
  const ProgramResult result = scene.run(scene.path("frames"), {"--draw"});
  ASSERT_EQ(result.exit_status, 0) << result.err << result.out;
  EXPECT_THAT(result.err, HasSubstr("frame 12.ppm is passed over"));
  const auto lines = scene.lines();
  ASSERT_EQ(lines.size(), 30U);
  EXPECT_TRUE(lines[12].contains("error")) << lines[12];
  EXPECT_EQ(lines[11]["scene"], 0);
  EXPECT_EQ(lines[13]["scene"], 1) << "what a model remembers of before the gap is stale";
  EXPECT_EQ(result.json()["unreadable"], 1);
}

TEST(RunFrames, AreRefusedWhereMostCannotBeRead) {
  const FramesScene scene;
  scene.frame("frames/1.ppm", "t...");
  (void)scene.folder().write("frames/2.ppm", "nothing");
  const ProgramResult result = scene.run(scene.path("frames"), {"--draw"});
  EXPECT_EQ(result.exit_status, 4);
  EXPECT_THAT(result.json()["error"]["message"], HasSubstr("1 of 2 frames cannot be read"));
  EXPECT_EQ(scene.lines().size(), 2U);
}

TEST(RunVideo, DrawsAVideo) {
  const FramesScene scene;
  const std::string video = scene.video("drive.mp4", {"t...", ".t..", "..l.", "...."});
  const ProgramResult result = scene.run(video, {"--draw"});
  ASSERT_EQ(result.exit_status, 0) << result.err << result.out;
  const auto lines = scene.lines();
  ASSERT_THAT(names_of(lines), ElementsAre("drive.mp4#0", "drive.mp4#1", "drive.mp4#2", "drive.mp4#3"));
  EXPECT_NEAR(lines[2]["time_s"], 0.2, 1e-3);
  EXPECT_EQ(lines[1]["detections"][0]["label"], "tree");
  EXPECT_EQ(lines[1]["detections"][0]["box"], Json({128, 0, 256, 96}));
  EXPECT_EQ(lines[2]["detections"][0]["label"], "lake");
  EXPECT_TRUE(lines[3]["detections"].empty());
  EXPECT_EQ(result.json()["videos"][0], scene.path("out/drive.mp4"));
  EXPECT_EQ(expect_ok(VideoFrames(1).count(scene.path("out/drive.mp4"))), 4);
}

TEST(RunVideo, NeedsNoDrawing) {
  const FramesScene scene;
  const ProgramResult result = scene.run(scene.video("drive.mp4", {"t...", ".t.."}));
  ASSERT_EQ(result.exit_status, 0) << result.err << result.out;
  EXPECT_EQ(scene.lines().size(), 2U);
  EXPECT_FALSE(fs::exists(scene.path("out/drive.mp4")));
}

TEST(RunVideo, SaysWhereADamagedOneEnds) {
  const FramesScene scene;
  const std::string whole = scene.video("drive.avi.mp4", std::vector<std::string>(40, "t..."));
  const auto bytes = fs::file_size(whole);
  // The index of an MP4 is at its end: without it nothing can be read.
  fs::resize_file(whole, bytes / 2);
  const ProgramResult result = scene.run(whole, {"--draw"});
  EXPECT_EQ(result.exit_status, 4);
  EXPECT_THAT(result.json()["error"]["message"], HasSubstr("no video that FFmpeg reads"));
  (void)scene.folder().write("text.mp4", "no video");
  EXPECT_EQ(scene.run(scene.path("text.mp4")).exit_status, 4);
  EXPECT_EQ(scene.run(scene.path("nowhere.mp4")).exit_status, 4);
}

TEST(RunFrames, WriteNothingOverWhatTheyRead) {
  const FramesScene scene;
  scene.frame("out/a.ppm", "t...");
  const ProgramResult result = scene.run(scene.path("out"), {"--draw"});
  EXPECT_EQ(result.exit_status, 2);
  EXPECT_THAT(result.json()["error"]["message"], HasSubstr("written over the frames"));
}

TEST(RunFrames, SayWhatIsMissing) {
  const FramesScene scene;
  scene.frame("frames/a.ppm", "t...");
  const ProgramResult nowhere =
      run_tarmac({"run", scene.path("detector.onnx"), "--contract", scene.path("deploy.yaml"), "--input",
                  scene.path("frames"), "--draw"});
  EXPECT_EQ(nowhere.exit_status, 2);
  EXPECT_THAT(nowhere.err, HasSubstr("add --output-dir DIR"));
  const ProgramResult meaningless =
      run_tarmac({"run", scene.path("detector.onnx"), "--input", scene.path("frames"), "--draw",
                  "--output-dir", scene.path("out")});
  EXPECT_EQ(meaningless.exit_status, 2);
  EXPECT_THAT(meaningless.err, HasSubstr("a contract with one picture input"));
  EXPECT_EQ(scene.run(scene.path("nowhere"), {"--draw"}).exit_status, 4);
  EXPECT_EQ(scene.run(scene.path("deploy.yaml"), {"--draw"}).exit_status, 4);
}

TEST(RunFrames, RefuseAFolderThatCannotBeWritten) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  const FramesScene scene;
  const std::string frames = scene.frame("frames/a.ppm", "t...");
  fs::create_directories(scene.path("out"));
  fs::permissions(scene.path("out"), fs::perms::owner_read | fs::perms::owner_exec);
  const ProgramResult result = scene.run(frames, {"--draw"});
  EXPECT_EQ(result.exit_status, 4);
  EXPECT_THAT(result.json()["error"]["message"], HasSubstr("cannot write into this folder"));
}

TEST(RunFrames, ADiskThatIsFullIsAnError) {
  const FramesScene scene;
  const std::string frames = scene.frame("frames/a.ppm", "t...");
  ProgramOptions full;
  full.max_file_bytes = 300;  // the message goes to a file as well
  full.stdout_file = "/dev/null";
  const ProgramResult result =
      run_tarmac({"run", scene.path("detector.onnx"), "--contract", scene.path("deploy.yaml"), "--input",
                  frames, "--output-dir", scene.path("out"), "--draw"},
                 full);
  EXPECT_EQ(result.exit_status, 4) << result.err;
  EXPECT_THAT(result.err, HasSubstr("a.jpg"));
  EXPECT_FALSE(fs::exists(scene.path("out/a.jpg")));
}

TEST(RunFrames, KeepWhatWasDoneWhenInterrupted) {
  const FramesScene scene;
  const std::string frame = scene.frame("frames/0.ppm", "tltl");
  for (int i = 1; i < 30'000; ++i)
    fs::create_hard_link(frame, scene.path("frames/" + std::to_string(i) + ".ppm"));
  ProgramOptions options;
  options.interrupt_after_ms = 2500;
  const ProgramResult result = scene.run(scene.path("frames"), {"--draw"}, options);
  EXPECT_EQ(result.exit_status, 130) << result.err;
  const auto lines = scene.lines();
  EXPECT_LT(lines.size(), 30'000U);
  for (const Json& line : lines) EXPECT_EQ(line["detections"].size(), 4U);
  std::size_t pictures = 0;
  for (const auto& entry : fs::directory_iterator(scene.path("out")))
    pictures += entry.path().extension() == ".jpg" ? 1 : 0;
  EXPECT_EQ(pictures, lines.size());
}

TEST(RunFrames, WritesATraceAndMetrics) {
  const FramesScene scene;
  scene.frame("frames/1.ppm", "t...");
  scene.frame("frames/2.ppm", "t...");
  const ProgramResult result = scene.run(scene.path("frames"), {"--draw", "--trace", scene.path("trace.json"),
                                                                "--metrics", scene.path("metrics.txt")});
  ASSERT_EQ(result.exit_status, 0) << result.err << result.out;
  std::ifstream trace(scene.path("trace.json"));
  const Json events = Json::parse(trace);
  std::set<std::string> names;
  for (const Json& event : events["traceEvents"]) names.insert(event["name"]);
  EXPECT_TRUE(names.contains("decode") && names.contains("preprocess") && names.contains("result"));
  std::ifstream metrics(scene.path("metrics.txt"));
  const std::string text(std::istreambuf_iterator<char>(metrics), {});
  EXPECT_THAT(text, HasSubstr("tarmac_runs_total{model=\"detector\"} 2"));
}

TEST(RunFrames, PutsTheBestLabelOnThePicture) {
  const FramesScene scene;
  scene.frame("frames/1.ppm", "tttt");
  (void)scene.folder().write("classes.yaml", R"(version: 1
name: classes
model: classes.onnx
inputs:
  image:
    shape: [1, 3, 8, 8]
    layout: NCHW
    dtype: float32
    preprocess:
      - decode: {color: RGB}
      - resize: {size: [8, 8], interpolation: nearest}
      - normalize: {scale: 1/255, mean: [0, 0, 0], std: [1, 1, 1]}
labels: [red, green, blue]
)");
  const Model classes = test::model(R"(<ir_version: 8, opset_import: ["" : 17]>
classes (float[1, 3, 8, 8] image) => (float[1, 3] scores)
<float[3] weights = {1, 20, 0}> {
  pooled = GlobalAveragePool(image)
  flat = Flatten(pooled)
  scores = Mul(flat, weights)
})");
  expect_ok(save_model(classes, scene.path("classes.onnx")));
  const ProgramResult result =
      run_tarmac({"run", scene.path("classes.onnx"), "--contract", scene.path("classes.yaml"), "--input",
                  scene.path("frames"), "--output-dir", scene.path("out"), "--draw", "--json"});
  ASSERT_EQ(result.exit_status, 0) << result.err << result.out;
  EXPECT_EQ(scene.lines("out/frames.jsonl")[0]["top1"]["label"], "green");
  EXPECT_EQ(result.json()["found"]["green"], 1);
  const Picture drawn = expect_ok(read_picture(scene.path("out/1.jpg")));
  EXPECT_NE(drawn.view.data[0], 0) << "the plate with the label";
}

}  // namespace
}  // namespace tarmac::test
