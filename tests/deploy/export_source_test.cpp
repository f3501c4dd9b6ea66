// The exporter as a child process: what it is told, what becomes of its answers, and when it is spared. A
// script stands in for the exporters, so that each way to fail can be had; the frontends' tests run the real
// ones.
#include "deploy/export_source.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <fstream>
#include <sstream>

#include "deploy/export_command.h"
#include "graph/model_io.h"
#include "support/expect.h"
#include "support/graph_checks.h"
#include "support/temporary_folder.h"

namespace tarmac::test {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Does what the variable MODE says, and notes in the file RUNS that it was called, and how.
constexpr const char* kStandIn = R"(
import json, os, shutil, signal, sys, time
with open(os.environ["RUNS"], "a") as runs:
    runs.write("\t".join([os.getcwd(), os.environ.get("TARMAC_PROGRAM", "-")] + sys.argv[1:]) + "\n")
mode, out = os.environ["MODE"], sys.argv[sys.argv.index("-o") + 1]
report = {"command": "export", "status": "ok", "output": out, "framework": "torch 2.5.1", "exporter": "torchscript",
          "opset": 17, "nodes_before": 9, "nodes_after": 3, "max_error": 0.01, "data": "2 made-up samples",
          "errors": [{"output": "y", "dtype": "float32", "max_rel": 1e-6, "mean_rel": 1e-7, "samples": 2},
                     {"output": "z", "dtype": "float32", "max_rel": "inf", "mean_rel": 0.5, "samples": 2}],
          "notes": ["a note"]}
if mode == "ok":
    shutil.copy(os.environ["ONNX"], out)
    print("progress", file=sys.stderr)
    print(json.dumps(report, indent=1))
elif mode == "bad model":
    open(out, "wb").write(b"no model")
    print(json.dumps(report))
elif mode == "no file":
    print(json.dumps(report))
elif mode.isdigit():
    error = {"code": int(mode), "message": "this is why", "remedy": "do that"}
    print(json.dumps({"status": "error", "error": error}))
    sys.exit(int(mode))
elif mode == "last words":
    print("some line\nModuleNotFoundError: No module named 'x'", file=sys.stderr)
    sys.exit(4)
elif mode == "garbage":
    print("Downloading 12% {")
elif mode == "deep":
    print("[" * 100000 + "]" * 100000)
elif mode == "silent":
    pass
elif mode == "signal":
    print("before the end", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGSEGV)
elif mode == "hang":
    time.sleep(100)
elif mode == "flood":
    while True:
        print("x" * 100000)
)";

class ExportSource : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_ / "packages/tarmac/export");
    fs::create_directories(folder_ / "out");
    write("packages/tarmac/__init__.py", "");
    write("packages/tarmac/export/__init__.py", "");
    write("packages/tarmac/export/__main__.py", kStandIn);
    write("models.py", "import layers\n");
    write("layers.py", "");
    const Model relu =
        model("<ir_version: 8, opset_import: [\"\" : 17]> g (float[N] x) => (float[N] y) { y = Relu(x) }");
    expect_ok(save_model(relu, folder_ / "made.onnx"));
    set("PYTHONPATH", folder_ / "packages");
    set("TARMAC_PYTHON", "python3");
    set("TARMAC_CACHE", folder_ / "cache");
    set("RUNS", folder_ / "runs.txt");
    set("ONNX", folder_ / "made.onnx");
    set("MODE", "ok");
    ::unsetenv("TARMAC_PROGRAM");
  }
  void TearDown() override {
    for (const auto& [name, value] : before_) {
      if (value) {
        ::setenv(name.c_str(), value->c_str(), 1);
      } else {
        ::unsetenv(name.c_str());
      }
    }
  }
  void set(const std::string& name, const std::string& value) {
    const char* old = ::getenv(name.c_str());
    before_.emplace(name, old == nullptr ? std::nullopt : std::optional<std::string>(old));
    ::setenv(name.c_str(), value.c_str(), 1);
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
  }

  Contract contract(const std::string& model = "{torch: 'models.py:make'}") const {
    write("deploy.yaml",
          "version: 1\nname: bev\nmodel: " + model + "\ninputs:\n  x: {shape: [N], dtype: float32}\n");
    return expect_ok(load_contract(folder_ / "deploy.yaml"));
  }
  Result<ExportedModel> run(const Contract& contract, const fs::path& program = {}) const {
    return export_source(contract, folder_ / "out", program, no_progress());
  }
  /// The words of each call: the folder, the program, the arguments.
  [[nodiscard]] std::vector<std::vector<std::string>> runs() const {
    std::vector<std::vector<std::string>> list;
    std::ifstream file(folder_ / "runs.txt");
    for (std::string line; std::getline(file, line);) {
      std::istringstream words(line);
      for (list.emplace_back(); std::getline(words, line, '\t');) list.back().push_back(line);
    }
    return list;
  }

  TemporaryFolder folder_;
  std::map<std::string, std::optional<std::string>> before_;
};

TEST_F(ExportSource, GivesTheFileAndWhatTheExporterSaid) {
  const ExportedModel made = expect_ok(run(contract()));
  EXPECT_EQ(made.path, folder_ / "out/bev.onnx");
  EXPECT_EQ(made.model_digest, expect_ok(model_digest(expect_ok(load_model(folder_ / "made.onnx")))));
  EXPECT_EQ(made.facts.format, "torch");
  EXPECT_EQ(made.facts.source, "models.py:make");
  EXPECT_EQ(made.facts.source_sha256.size(), 64U);
  EXPECT_EQ(made.facts.framework, "torch 2.5.1");
  EXPECT_EQ(made.facts.exporter, "torchscript");
  EXPECT_EQ(made.facts.opset, 17);
  EXPECT_EQ(made.facts.nodes_before, 9);
  EXPECT_EQ(made.facts.nodes_after, 3);
  EXPECT_FALSE(made.facts.reused);
  ASSERT_EQ(made.facts.outputs.size(), 2U);
  EXPECT_DOUBLE_EQ(made.facts.outputs[0].max_rel.value_or(0), 1e-6);
  EXPECT_FALSE(made.facts.outputs[1].max_rel.has_value());
  EXPECT_THAT(made.facts.notes, ElementsAre("a note"));
  // Nothing but the model and its record stays.
  EXPECT_TRUE(fs::exists(folder_ / "out/bev.export.json"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "out"), fs::directory_iterator()), 2);
}

TEST_F(ExportSource, TellsTheExporterWhatTheContractSays) {
  write("w.pth", "");
  (void)expect_ok(run(contract("{torch: 'models.py:make', weights: w.pth, outputs: [y, z], exporter: dynamo, "
                               "opset: 18, max_error: 0.5%, simplify: false, sizes: {N: [4, 6]}}"),
                      "/the/tarmac"));
  const auto calls = runs();
  ASSERT_EQ(calls.size(), 1U);
  const std::string models = (folder_ / "models.py").string();
  const std::string out = (folder_ / "out/bev.onnx").string();
  const std::vector<std::string> told(calls[0].begin() + 1, calls[0].end());
  EXPECT_THAT(told, ElementsAre("/the/tarmac", "torch", models + ":make", "--json", "--input=x:float32:N",
                                "--output-name=y", "--output-name=z", "--sizes=N=4,6",
                                "--weights=" + (folder_ / "w.pth").string(), "--exporter=dynamo",
                                "--opset=18", "--max-error=0.005", "--no-simplify", "-o", out));
  // Files beside the model are not what Python imports.
  EXPECT_THAT(calls[0][0], HasSubstr("out/tarmac-work-"));
}

TEST_F(ExportSource, AModuleToImportIsLookedForBesideTheContract) {
  (void)expect_ok(run(contract("{torch: 'models:make'}")));
  EXPECT_EQ(runs()[0][0], fs::canonical(folder_.path()).string());
  EXPECT_EQ(runs()[0][3], "models:make");
}

TEST_F(ExportSource, RunsNothingWhileNothingHasChanged) {
  (void)expect_ok(run(contract()));
  EXPECT_TRUE(expect_ok(run(contract())).facts.reused);
  EXPECT_EQ(expect_ok(run(contract())).facts.outputs.size(), 2U);
  EXPECT_EQ(runs().size(), 1U);

  write("layers.py", "x = 1\n");  // what the module may import
  EXPECT_FALSE(expect_ok(run(contract())).facts.reused);
  EXPECT_FALSE(expect_ok(run(contract("{torch: 'models.py:make', opset: 16}"))).facts.reused);
  EXPECT_TRUE(expect_ok(run(contract("{torch: 'models.py:make', opset: 16}"))).facts.reused);
  write("packages/tarmac/export/more.py", "");  // another exporter
  EXPECT_FALSE(expect_ok(run(contract("{torch: 'models.py:make', opset: 16}"))).facts.reused);
  EXPECT_EQ(runs().size(), 4U);
}

TEST_F(ExportSource, AFileThatSomebodyChangedIsMadeAnew) {
  (void)expect_ok(run(contract()));
  write("out/bev.onnx", "no model");
  EXPECT_FALSE(expect_ok(run(contract())).facts.reused);
  write("out/bev.export.json", "{\"key\": 1}");
  EXPECT_FALSE(expect_ok(run(contract())).facts.reused);
  EXPECT_TRUE(expect_ok(run(contract())).facts.reused);
  EXPECT_EQ(runs().size(), 3U);
}

TEST_F(ExportSource, WhatAModuleIsMadeFromIsNotAlwaysKnown) {
  const std::string elsewhere = "{torch: 'installed.models:make'}";
  EXPECT_EQ(expect_ok(run(contract(elsewhere))).facts.source_sha256, "");
  EXPECT_FALSE(expect_ok(run(contract(elsewhere))).facts.reused);
  write("installed.txt", "1.0");
  const std::string named = "{torch: 'installed.models:make', depends: [installed.txt]}";
  EXPECT_FALSE(expect_ok(run(contract(named))).facts.reused);
  EXPECT_TRUE(expect_ok(run(contract(named))).facts.reused);
}

TEST_F(ExportSource, ItsExitCodesBecomeErrorsWithItsWords) {
  const std::pair<const char*, ErrorCode> codes[] = {{"1", ErrorCode::kInternal},
                                                     {"2", ErrorCode::kUsage},
                                                     {"3", ErrorCode::kUnsupported},
                                                     {"4", ErrorCode::kInvalidInput},
                                                     {"5", ErrorCode::kAcceptance}};
  for (const auto& [mode, code] : codes) {
    set("MODE", mode);
    const auto failed = run(contract());
    expect_error(failed, code, "deploy.yaml: model.torch: this is why; do that");
    EXPECT_EQ(std::to_string(exit_code(code)), mode);
  }
  set("MODE", "last words");
  expect_error(run(contract()), ErrorCode::kInvalidInput, "ModuleNotFoundError: No module named 'x'");
  EXPECT_FALSE(fs::exists(folder_ / "out/bev.export.json"));
}

TEST_F(ExportSource, AnAnswerThatIsNoReportIsRefused) {
  set("MODE", "garbage");
  expect_error(run(contract()), ErrorCode::kInternal, "but with: Downloading 12% {");
  set("MODE", "deep");
  expect_error(run(contract()), ErrorCode::kInternal, "but with: [[[[");
  set("MODE", "silent");
  expect_error(run(contract()), ErrorCode::kInternal, "but with: nothing");
  set("MODE", "flood");
  expect_error(run(contract()), ErrorCode::kInternal, "wrote too much");
}

TEST_F(ExportSource, ItsFileIsNotTrusted) {
  set("MODE", "bad model");
  expect_error(run(contract()), ErrorCode::kInvalidModel, "bev.onnx");
  fs::remove(folder_ / "out/bev.onnx");
  set("MODE", "no file");
  expect_error(run(contract()), ErrorCode::kNotFound, "bev.onnx");
}

TEST_F(ExportSource, ACrashIsNamedWithItsSignalAndLastWords) {
  set("MODE", "signal");
  expect_error(run(contract()), ErrorCode::kInternal, "crashed (SIGSEGV); its last words: before the end");
}

TEST_F(ExportSource, OneThatTakesTooLongIsEnded) {
  set("MODE", "hang");
  expect_error(run(contract("{torch: 'models.py:make', time_limit: 1 s}")), ErrorCode::kResourceExhausted,
               "longer than 1 s and was ended; give it more with model.time_limit");
}

TEST_F(ExportSource, APythonThatIsNoneOrHasNoExportersIsNamed) {
  set("TARMAC_PYTHON", "no-such-python");
  expect_error(run(contract()), ErrorCode::kUnavailable, "no-such-python");
  expect_error(run(contract("{tflite: layers.py, python: /bin/false}")), ErrorCode::kUnavailable,
               "ended with status 1 when asked for its version");
  set("TARMAC_PYTHON", "python3");
  set("PYTHONPATH", folder_ / "nothing");
  expect_error(run(contract()), ErrorCode::kUnavailable, "has no tarmac.export");
}

TEST_F(ExportSource, TheKeyInTheContractAndTheFrontendComeBeforeTheSystemsPython) {
  fs::create_directories(folder_ / "cache/frontend-torch/bin");
  fs::create_symlink(folder_ / "nowhere", folder_ / "cache/frontend-torch/bin/python");
  ::unsetenv("TARMAC_PYTHON");
  // A broken link is passed over, for python3; what is there is used.
  (void)expect_ok(run(contract()));
  fs::remove(folder_ / "cache/frontend-torch/bin/python");
  fs::create_symlink("/bin/false", folder_ / "cache/frontend-torch/bin/python");
  expect_error(run(contract()), ErrorCode::kUnavailable, "frontend-torch/bin/python");
  (void)expect_ok(run(contract("{torch: 'models.py:make', python: python3}")));
}

TEST_F(ExportSource, TheCheckoutsExportersSayWhatIsMissing) {
  if (std::system("python3 -c 'import torch' 2>/dev/null") == 0) GTEST_SKIP() << "this python3 has PyTorch";
  set("PYTHONPATH", "");
  const auto failed = run(contract("{torch: 'models.py:make', python: python3}"),
                          fs::path(TARMAC_SOURCE_DIR) / "build/release/bin/tarmac");
  expect_error(failed, ErrorCode::kUnsupported, "./dev frontend torch");
  EXPECT_THAT(failed.error().message, HasSubstr("torch"));
}

TEST(ExportArguments, ForTensorFlowLayoutAndNames) {
  ModelSource source;
  source.format = ModelFormat::kFrozenGraph;
  source.path = "/m/graph.pb";
  source.inputs = {{"image_tensor:0", DType::kUint8, {{1, {}}, {0, "height"}, {0, "width"}, {3, {}}}},
                   {"flag:0", DType::kUndefined, {}}};
  source.outputs = {"boxes:0", "scores:0"};
  source.layout = Layout::kNCHW;
  source.data = "/m/data.npz";
  source.sizes["height"] = {1, 2};
  EXPECT_THAT(
      export_arguments(source),
      ElementsAre("frozen_graph", "/m/graph.pb", "--json", "--input=image_tensor:0:uint8:1,height,width,3",
                  "--input=flag:0:", "--inputs=image_tensor:0,flag:0", "--outputs=boxes:0,scores:0",
                  "--data=/m/data.npz", "--layout=nchw"));
}

}  // namespace
}  // namespace tarmac::test
