// Help, versions, and what a user reads after a typing mistake.
#include <gmock/gmock.h>

#include "cli/child_program.h"
#include "cli/scene.h"
#include "tarmac/version.h"

namespace tarmac::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::vector<std::string> kCommands = {"inspect",     "check",   "optimize",  "quantize",
                                            "calibration", "compile", "run",       "bench",
                                            "verify",      "deploy",  "completion"};

TEST(Help, ExistsForEveryCommandWithExamples) {
  for (const std::string& command : kCommands) {
    const ProgramResult result = run_tarmac({command, "--help"});
    EXPECT_EQ(result.exit_status, 0) << command;
    EXPECT_THAT(result.out, HasSubstr("Examples:\n  ")) << command;
    EXPECT_THAT(result.out, HasSubstr("tarmac " + command)) << command;
    EXPECT_THAT(result.out, HasSubstr("--json")) << command;
    EXPECT_THAT(result.err, IsEmpty()) << command;
  }
}

TEST(Help, OfTheProgramListsEveryCommandAndTheExitCodes) {
  const ProgramResult result = run_tarmac({"--help"});
  EXPECT_EQ(result.exit_status, 0);
  for (const std::string& command : kCommands) EXPECT_THAT(result.out, HasSubstr("\n  " + command));
  EXPECT_THAT(result.out, HasSubstr("Exit codes"));
}

TEST(Version, IsTheLibrarys) {
  const ProgramResult result = run_tarmac({"--version"});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_EQ(result.out, std::string("tarmac ") + version() + "\n");
}

struct Mistake {
  std::vector<std::string> arguments;
  std::string message;
};

TEST(Usage, MistakesExitWith2AndSayWhatWouldHaveBeenRight) {
  const std::vector<Mistake> mistakes = {
      {{}, "expected a command"},
      {{"insepct", "m.onnx"}, "there is no command 'insepct'; did you mean 'inspect'?"},
      {{"inspect"}, "model is required"},
      {{"inspect", "m.onnx", "--jsno"}, "there is no option '--jsno'; did you mean '--json'?"},
      {{"--verison"}, "did you mean '--version'?"},
      {{"check", "m.onnx"}, "--target is required"},
      {{"check", "m.onnx", "--target", "openvin"}, "there is no target 'openvin'"},
      {{"check", "m.onnx", "--target", "openvin"}, "did you mean 'openvino'?"},
      {{"run", "m.onnx", "--target", "onnxruntim"}, "did you mean 'onnxruntime'?"},
      {{"quantize", "m.onnx", "--mode", "static"}, "--output is required"},
      {{"quantize", "m.onnx", "-o", "q.onnx", "--mode", "statik"},
       "expected static, dynamic or weight-only, found 'statik'"},
      {{"quantize", "m.onnx", "-o", "q.onnx", "--mode", "static"}, "add --data"},
      {{"quantize", "m.onnx", "-o", "q.onnx", "--mode", "static", "--bits", "4"}, "--bits 4 is for"},
      {{"quantize", "m.onnx", "-o", "q.onnx", "--mode", "weight-only", "--bits", "3"}, "expected 8, 7 or 4"},
      {{"quantize", "m.onnx", "-o", "q.onnx", "--mode", "weight-only", "--block", "32"}, "with --bits 4"},
      {{"quantize", "m.onnx", "-o", "q.onnx", "--mode", "weight-only", "--bits", "4", "--block", "48"},
       "power of two"},
      {{"quantize", "m.onnx", "-o", "q.onnx", "--mode", "weight-only", "--bits", "4", "--weight-method",
        "activation-aware"},
       "looks at real data"},
      {{"quantize", "m.onnx", "-o", "q.onnx", "--mode", "static", "--format", "qoperator"},
       "add --target onnxruntime"},
      {{"quantize", "m.onnx", "--mode", "static", "--shard", "1/2"}, "needs --mode static and --cache"},
      {{"quantize", "m.onnx", "-o", "q.onnx", "--mode", "static", "--method", "entropie"},
       "expected minmax, "},
      {{"calibration", "join", "a.json", "-o", "b.json"}, "expected merge, export or import, found 'join'"},
      {{"optimize", "m.onnx"}, "-o is missing"},
      {{"optimize", "m.onnx", "-o", "o.onnx", "--skip", "fold_constant"}, "did you mean 'fold_constants'?"},
      {{"optimize", "m.onnx", "-o", "o.onnx", "--heads", "0"}, "--heads"},
      {{"compile", "m.onnx", "-o", "m.plan", "--target", "openvino", "--profile", "image:1x3,2x3"},
       "a profile has one shape, or three"},
      {{"compile", "m.onnx", "-o", "m.plan", "--target", "openvino", "--profile", "image:4,2,8"},
       "MIN <= OPT <= MAX"},
      {{"bench", "m.onnx", "--streams", "0"}, "--streams"},
      {{"bench", "m.onnx", "--rate", "0"}, "frames a second above 0"},
      {{"bench", "m.onnx", "--rate", "10,fast"}, "found 'fast'"},
      {{"bench", "m.onnx", "--rate", "max"}, "is for several models"},
      {{"bench", "m.onnx", "--rate", "10", "--streams", "1,2"}, "takes one number with --rate"},
      {{"bench", "m.onnx", "--deadline", "5"}, "needs --rate"},
      {{"bench", "a.onnx", "b.onnx", "--rate", "1,2,3"}, "found 3 rates for 2 models"},
      {{"bench", "a.onnx", "b.onnx", "--input", "x=y.npy"}, "is for one model"},
      {{"completion", "csh"}, "expected bash, zsh or fish, found 'csh'"},
  };
  for (const Mistake& mistake : mistakes) {
    const ProgramResult result = run_tarmac(mistake.arguments);
    EXPECT_EQ(result.exit_status, 2) << mistake.message << "\n" << result.err;
    EXPECT_THAT(result.err, HasSubstr(mistake.message));
    EXPECT_THAT(result.err, HasSubstr("tarmac: error: "));
    EXPECT_THAT(result.out, IsEmpty());
  }
}

TEST(Usage, AMistakeIsJsonWhereJsonWasAskedFor) {
  const ProgramResult result = run_tarmac({"inspect", "--json"});
  EXPECT_EQ(result.exit_status, 2);
  EXPECT_EQ(result.json()["error"]["code"], "usage");
  EXPECT_THAT(result.err, IsEmpty());
}

TEST(Usage, QuantizeRefusesWhatATargetDoesNotRunFast) {
  const Scene scene;
  const auto with = [&](std::vector<std::string> more) {
    const std::vector<std::string> start = {"quantize",           scene.model(), "-o",
                                            scene.path("q.onnx"), "--target",    "openvino"};
    more.insert(more.begin(), start.begin(), start.end());
    return run_tarmac(more);
  };
  const ProgramResult dynamic = with({"--mode", "dynamic"});
  EXPECT_EQ(dynamic.exit_status, 3) << dynamic.err;
  EXPECT_THAT(dynamic.err, HasSubstr("slower than the float model"));
  const ProgramResult format =
      with({"--mode", "static", "--data", scene.samples("d.npz", 2, false), "--format", "qoperator"});
  EXPECT_EQ(format.exit_status, 3) << format.err;
  EXPECT_THAT(format.err, HasSubstr("leave out --format qoperator"));
}

}  // namespace
}  // namespace tarmac::test
