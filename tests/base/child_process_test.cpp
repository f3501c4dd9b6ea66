// A child may crash, hang, flood its output, leave others running or not exist: the parent learns which.
#include "base/child_process.h"

#include <gmock/gmock.h>
#include <signal.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "support/expect.h"
#include "support/temporary_folder.h"

namespace tarmac::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Clock = std::chrono::steady_clock;

struct Heard {
  std::vector<std::string> lines;
  std::vector<std::string> errors;
  Result<ChildEnd> end = make_error(ErrorCode::kInternal, "not run");
  double seconds = 0;
};

ChildJob shell(const std::string& script) {
  ChildJob job;
  job.program = "sh";
  job.arguments = {"-c", script};
  job.lines_from = 1;
  return job;
}

Heard run(ChildJob job, const Progress& progress = no_progress()) {
  Heard heard;
  job.on_line = [&](std::string_view line) { heard.lines.emplace_back(line); };
  job.on_error_line = [&](std::string_view line) { heard.errors.emplace_back(line); };
  const auto begin = Clock::now();
  heard.end = run_child(job, progress);
  heard.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  return heard;
}

/// One that has ended may wait for whoever inherited it.
bool alive(const std::string& process) {
  std::ifstream file("/proc/" + process + "/stat");
  std::string number;
  std::string name;
  std::string state;
  return file >> number >> name >> state && state != "Z";
}

/// What was killed ends when the kernel comes to it.
bool ends(const std::string& process) {
  for (int i = 0; i < 100 && alive(process); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  return !alive(process);
}

TEST(ChildProcess, LinesAreHeardApartAndTheLastOneNeedsNoEnd) {
  const Heard heard = run(shell("echo one; echo two >&2; printf three; exit 5"));
  ASSERT_TRUE(heard.end.ok()) << heard.end.error().str();
  EXPECT_THAT(heard.lines, ElementsAre("one", "three"));
  EXPECT_THAT(heard.errors, ElementsAre("two"));
  EXPECT_EQ(heard.end->exit_status, 5);
  EXPECT_EQ(heard.end->last_words, "two");
  EXPECT_EQ(heard.end->str(), "ended with status 5");
}

TEST(ChildProcess, TheParentsDescriptorIsHeardInsteadOfStandardOutput) {
  ChildJob job = shell("echo dropped; echo heard >&3");
  job.lines_from = kParentDescriptor;
  EXPECT_THAT(run(job).lines, ElementsAre("heard"));
}

TEST(ChildProcess, ArgumentsReachItAsTheyAreAndNoShellSeesThem) {
  ChildJob job;
  job.program = "printf";
  job.arguments = {"%s\n", "$HOME `id` ; 'x'", "--flag=a b"};
  job.lines_from = 1;
  EXPECT_THAT(run(job).lines, ElementsAre("$HOME `id` ; 'x'", "--flag=a b"));
}

TEST(ChildProcess, FolderAndEnvironmentAreSetAndTheRestIsKept) {
  const TemporaryFolder folder;
  ChildJob job = shell("pwd; echo $TARMAC_CHILD_TEST; echo ${PATH:+kept}; cat");
  job.folder = std::filesystem::canonical(folder.path());
  job.environment = {{"TARMAC_CHILD_TEST", "set"}};
  EXPECT_THAT(run(job).lines, ElementsAre(job.folder.string(), "set", "kept"));
}

TEST(ChildProcess, ASignalIsNamed) {
  const Heard heard = run(shell("kill -SEGV $$"));
  ASSERT_TRUE(heard.end.ok());
  EXPECT_EQ(heard.end->signal, SIGSEGV);
  EXPECT_EQ(heard.end->str(), "crashed (SIGSEGV)");
}

TEST(ChildProcess, OneThatHangsIsEndedWithAllItStarted) {
  ChildJob job = shell("sleep 100 & echo $!; wait");
  job.limit_s = 0.5;
  const Heard heard = run(job);
  ASSERT_TRUE(heard.end.ok());
  EXPECT_EQ(heard.end->killed, ChildEnd::Killed::kTooLong);
  EXPECT_THAT(heard.end->str(), HasSubstr("took too long"));
  EXPECT_LT(heard.seconds, 10);
  ASSERT_EQ(heard.lines.size(), 1U);
  EXPECT_TRUE(ends(heard.lines[0]));
}

TEST(ChildProcess, SilenceIsTakenForAStall) {
  ChildJob job = shell("echo begun; sleep 100");
  job.stall_s = 0.5;
  const Heard heard = run(job);
  ASSERT_TRUE(heard.end.ok());
  EXPECT_EQ(heard.end->killed, ChildEnd::Killed::kStalled);
}

TEST(ChildProcess, AFloodIsStopped) {
  ChildJob job;
  job.program = "yes";
  job.lines_from = 1;
  job.output_limit_bytes = 1U << 20U;
  const Heard heard = run(job);
  ASSERT_TRUE(heard.end.ok());
  EXPECT_EQ(heard.end->killed, ChildEnd::Killed::kTooMuch);
  EXPECT_LT(heard.lines.size(), std::size_t{2} << 20U);
}

TEST(ChildProcess, AFloodOfErrorsWithoutALineEndIsCut) {
  const Heard heard = run(shell("head -c 1000000 /dev/zero >&2"));
  ASSERT_TRUE(heard.end.ok());
  EXPECT_EQ(heard.end->exit_status, 0);
  EXPECT_GT(heard.errors.size(), 1U);
}

TEST(ChildProcess, WhatItLeavesRunningDoesNotHoldTheParent) {
  const Heard heard = run(shell("sleep 100 & echo $!"));
  ASSERT_TRUE(heard.end.ok());
  EXPECT_LT(heard.seconds, 10);
  ASSERT_EQ(heard.lines.size(), 1U);
  EXPECT_TRUE(ends(heard.lines[0]));
}

TEST(ChildProcess, OneThatIsNotThereIsNamed) {
  ChildJob job;
  job.program = "tarmac-no-such-program";
  expect_error(run(job).end, ErrorCode::kNotFound, "No such file");
  job.program = "/etc/passwd";
  expect_error(run(job).end, ErrorCode::kIo, "Permission denied");
  job = shell("true");
  job.folder = "/no/such/folder";
  expect_error(run(job).end, ErrorCode::kNotFound, "/no/such/folder");
}

class CancelledSoon final : public Progress {
 public:
  [[nodiscard]] bool cancelled() const override {
    return Clock::now() - begin_ > std::chrono::milliseconds(300);
  }

 private:
  Clock::time_point begin_ = Clock::now();
};

TEST(ChildProcess, IsAskedToStopWhenTheUserDoesAndThenKilled) {
  const Heard polite =
      run(shell("trap 'echo stopped; exit 0' INT; while :; do sleep 0.1; done"), CancelledSoon());
  expect_error(polite.end, ErrorCode::kCancelled, "interrupted");
  EXPECT_THAT(polite.lines, ElementsAre("stopped"));
  const Heard deaf = run(shell("trap '' INT; while :; do sleep 0.1; done"), CancelledSoon());
  expect_error(deaf.end, ErrorCode::kCancelled, "interrupted");
  EXPECT_LT(deaf.seconds, 10);
}

}  // namespace
}  // namespace tarmac::test
