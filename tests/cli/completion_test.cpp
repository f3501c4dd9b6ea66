// The completion scripts, in the shells themselves.
#include <gmock/gmock.h>

#include "cli/child_program.h"
#include "support/temporary_folder.h"

namespace tarmac::test {
namespace {

using ::testing::HasSubstr;

class Completion : public ::testing::Test {
 protected:
  std::string write_script(const std::string& shell) {
    const ProgramResult result = run_tarmac({"completion", shell});
    EXPECT_EQ(result.exit_status, 0) << result.err;
    return folder_.write("tarmac." + shell, result.out).string();
  }
  /// What bash offers for these words, the last of them being completed.
  std::string bash_offers(const std::string& script, const std::string& words) {
    const ProgramResult result =
        run_program("bash", {"--norc", "-c",
                             "source '" + script + "'; COMP_WORDS=(" + words +
                                 "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _tarmac; "
                                 "printf '%s\\n' \"${COMPREPLY[@]}\""});
    EXPECT_EQ(result.exit_status, 0) << result.err;
    return "\n" + result.out;
  }
  TemporaryFolder folder_;
};

TEST_F(Completion, IsWhatEachShellAccepts) {
  for (const std::string shell : {"bash", "zsh", "fish"}) {
    const ProgramResult result = run_program(shell, {"-n", write_script(shell)});
    if (result.exit_status == 127) continue;  // not installed
    EXPECT_EQ(result.exit_status, 0) << shell << ": " << result.err;
  }
}

TEST_F(Completion, OffersCommandsOptionsAndValuesInBash) {
  const std::string script = write_script("bash");
  EXPECT_THAT(bash_offers(script, "tarmac ''"), HasSubstr("\ninspect\n"));
  EXPECT_EQ(bash_offers(script, "tarmac ins"), "\ninspect\n");
  EXPECT_EQ(bash_offers(script, "tarmac optimize m.onnx --list"), "\n--list-passes\n");
  EXPECT_EQ(bash_offers(script, "tarmac run m.onnx --target openv"), "\nopenvino\n");
  EXPECT_EQ(bash_offers(script, "tarmac compile m.onnx --target au"), "\nauto\n");
  EXPECT_EQ(bash_offers(script, "tarmac quantize m.onnx --mode ''"), "\nstatic\ndynamic\nweight-only\n");
  EXPECT_EQ(bash_offers(script, "tarmac optimize --skip fold_c"), "\nfold_constants\n");
  EXPECT_EQ(bash_offers(script, "tarmac completion f"), "\nfish\n");
}

TEST_F(Completion, OffersFilesWhereAFileBelongs) {
  const std::string script = write_script("bash");
  const std::string stem = (folder_ / "mod").string();
  const std::string file = folder_.write("model one.onnx", "").string();
  EXPECT_EQ(bash_offers(script, "tarmac inspect '" + stem + "'"), "\n" + file + "\n");
  EXPECT_EQ(bash_offers(script, "tarmac run m.onnx --input image = '" + stem + "'"), "\n" + file + "\n");
}

TEST_F(Completion, OffersCommandsInFish) {
  const std::string script = write_script("fish");
  const ProgramResult result =
      run_program("fish", {"--no-config", "-c", "source '" + script + "'; complete -C 'tarmac ins'"});
  if (result.exit_status == 127) GTEST_SKIP() << "fish is not installed";
  EXPECT_THAT(result.out, HasSubstr("inspect\t"));
}

}  // namespace
}  // namespace tarmac::test
