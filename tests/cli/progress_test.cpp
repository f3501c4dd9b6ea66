// The progress line, and the small texts of tables.
#include "cli/progress_bar.h"

#include <gmock/gmock.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "cli/child_program.h"
#include "cli/output.h"
#include "cli/scene.h"
#include "cli/suggest.h"

namespace tarmac::test {
namespace {

using ::testing::HasSubstr;

TEST(ProgressLine, ShowsShareElapsedAndRemainingTime) {
  EXPECT_EQ(cli::progress_line("calibrate", 6, 24, 10, 200),
            "calibrate [######                  ] 6/24  10 s, 30 s left, 0.6/s");
  EXPECT_EQ(cli::progress_line("measure", 7, 0, 65, 200), "measure 7  1:05 min, 0.108/s");
  EXPECT_EQ(cli::progress_line("run", 9, 3, 1, 200), "run [########################] 3/3  1 s, 9/s");
}

TEST(ProgressLine, NeverExceedsTheTerminal) {
  for (std::size_t width = 0; width < 60; ++width)
    EXPECT_LE(cli::progress_line("calibrate", 6, 24, 10, width).size(), width);
}

TEST(Progress, IsDrawnOnATerminalOnly) {
  const Scene scene;
  const std::string data = scene.samples("data.npz", 3000, false);
  const std::vector<std::string> arguments = {"quantize", scene.model(), "-o",     scene.path("q.onnx"),
                                              "--mode",   "static",      "--data", data};
  EXPECT_EQ(run_tarmac(arguments).err, "");

  int terminal = 0;
  const pid_t child = ::forkpty(&terminal, nullptr, nullptr, nullptr);
  if (child == 0) {
    const std::string program = tarmac_path();
    std::vector<char*> argv{const_cast<char*>(program.c_str())};
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    ::execv(program.c_str(), argv.data());
    ::_exit(127);
  }
  std::string text;
  std::array<char, 4096> buffer{};
  for (ssize_t count = 0; (count = ::read(terminal, buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(count));
  int status = 0;
  ::waitpid(child, &status, 0);
  ::close(terminal);
  EXPECT_EQ(status, 0) << text;
  EXPECT_THAT(text, HasSubstr("calibrate ["));
  EXPECT_THAT(text, HasSubstr("\r\x1b[2K"));
}

TEST(Text, NumbersReadWell) {
  EXPECT_EQ(cli::format_count(-1234567), "-1,234,567");
  EXPECT_EQ(cli::format_count(123), "123");
  EXPECT_EQ(cli::format_bytes(1023), "1023 bytes");
  EXPECT_EQ(cli::format_bytes(1536), "1.5 KiB");
  EXPECT_EQ(cli::format_time(1.5e6), "1.50 ms");
  EXPECT_EQ(cli::format_si(2.5e9), "2.50 G");
}

TEST(Text, ControlCharactersOfNamesNeverReachTheTerminal) {
  EXPECT_EQ(cli::printable("a\x1b[31mb\rc\x7f"), "a?[31mb?c?");
  EXPECT_EQ(cli::printable("größe"), "größe");
}

TEST(Suggestions, AreNearOrNone) {
  const std::vector<std::string> names = {"inspect", "check", "optimize"};
  EXPECT_EQ(cli::closest("insepct", names), "inspect");
  EXPECT_EQ(cli::closest("opt", names), "optimize");
  EXPECT_EQ(cli::closest("zzzzzz", names), "");
}

}  // namespace
}  // namespace tarmac::test
