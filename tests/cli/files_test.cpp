// Files that are not what a user meant, and places that cannot be written.
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>

#include "cli/child_program.h"
#include "cli/scene.h"

namespace tarmac::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(Files, AMissingModelIsNamed) {
  for (const std::string command : {"inspect", "bench"}) {
    const ProgramResult result = run_tarmac({command, "nowhere/m.onnx"});
    EXPECT_EQ(result.exit_status, 4);
    EXPECT_THAT(result.err, AllOf(HasSubstr("nowhere/m.onnx"), HasSubstr("No such file")));
  }
}

TEST(Files, AFolderIsNoModel) {
  const Scene scene;
  const ProgramResult result = run_tarmac({"inspect", scene.folder().path().string()});
  EXPECT_EQ(result.exit_status, 4);
  EXPECT_THAT(result.err, HasSubstr("expected a regular file, found a folder"));
}

TEST(Files, GarbageIsNoModelAndNoPlan) {
  const Scene scene;
  for (const char* name : {"garbage.onnx", "garbage.plan"}) {
    const std::string garbage = scene.folder().write(name, "this is neither").string();
    const ProgramResult result = run_tarmac({"inspect", garbage, "--json"});
    EXPECT_EQ(result.exit_status, 4) << result.out;
    EXPECT_EQ(result.json()["error"]["code"], "invalid_model");
    EXPECT_EQ(result.json()["status"], "error");
  }
}

TEST(Files, APlanIsNoModelToOptimize) {
  const Scene scene;
  ASSERT_EQ(
      run_tarmac({"compile", scene.model(), "-o", scene.path("m.plan"), "--target", "openvino"}).exit_status,
      0);
  const ProgramResult result = run_tarmac({"optimize", scene.path("m.plan"), "-o", scene.path("o.onnx")});
  EXPECT_EQ(result.exit_status, 4);
  EXPECT_THAT(result.err, HasSubstr("expected an ONNX model, found a plan"));
}

TEST(Files, OutputsAreRefusedBeforeTheWorkBegins) {
  const Scene scene;
  const struct {
    std::string output;
    std::string message;
  } cases[] = {
      {scene.path("no/such/folder/o.onnx"), "the output's folder does not exist"},
      {scene.folder().path().string(), "found a folder"},
      {"/dev/null", "found a special file"},
      {"/dev/full", "found a special file"},
  };
  for (const auto& bad : cases) {
    const ProgramResult result = run_tarmac({"optimize", scene.model(), "-o", bad.output});
    EXPECT_EQ(result.exit_status, 4) << bad.output;
    EXPECT_THAT(result.err, HasSubstr(bad.message));
  }
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST(Files, AFolderWithoutWritePermissionIsRefused) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  const Scene scene;
  const std::filesystem::path locked = scene.path("locked");
  std::filesystem::create_directory(locked);
  std::filesystem::permissions(locked,
                               std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  const ProgramResult result = run_tarmac({"optimize", scene.model(), "-o", (locked / "o.onnx").string()});
  EXPECT_EQ(result.exit_status, 4);
  EXPECT_THAT(result.err, HasSubstr("cannot write into this folder"));
}

TEST(Files, ADiskThatIsFullLeavesNothingBehind) {
  const Scene scene;
  const std::size_t before = scene.folder().entries();
  ProgramOptions full;
  full.max_file_bytes = 100;
  full.stdout_file = "/dev/null";
  const ProgramResult result = run_tarmac({"optimize", scene.model(), "-o", scene.path("o.onnx")}, full);
  EXPECT_EQ(result.exit_status, 4) << result.err;
  EXPECT_THAT(result.err, HasSubstr("o.onnx"));
  EXPECT_EQ(scene.folder().entries(), before);
}

TEST(Files, AStandardOutputThatIsFullIsAnError) {
  const Scene scene;
  ProgramOptions full;
  full.stdout_file = "/dev/full";
  for (const std::string option : {"--json", "--quiet"}) {
    const ProgramResult result = run_tarmac({"inspect", scene.model(), option}, full);
    EXPECT_EQ(result.exit_status, 4);
    EXPECT_THAT(result.err, HasSubstr("cannot write to standard output"));
  }
}

}  // namespace
}  // namespace tarmac::test
