// The process that builds a plan may be killed, run out of memory or be interrupted: nothing goes with it.
#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "cli/child_program.h"
#include "cli/scene.h"

namespace tarmac::test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;

/// Processes whose command line holds both words, as "--worker" and the test's own folder.
std::vector<pid_t> processes_with(const std::string& first, const std::string& second) {
  std::vector<pid_t> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream file(entry.path() / "cmdline", std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();  // which stands a process that ends meanwhile, as an iterator does not
    const std::string words = text.str();
    if (words.find(first) != std::string::npos && words.find(second) != std::string::npos)
      found.push_back(std::stoi(name));
  }
  return found;
}

class CompileIsolation : public ::testing::Test {
 protected:
  [[nodiscard]] std::vector<std::string> words(const std::vector<std::string>& more) const {
    std::vector<std::string> list = {"compile",     scene_.model(),       "-o",    scene_.path("m.plan"),
                                     "--cache-dir", scene_.path("cache"), "--json"};
    list.insert(list.end(), more.begin(), more.end());
    return list;
  }
  void expect_no_rubbish() const {
    EXPECT_FALSE(fs::exists(scene_.path("m.plan")));
    EXPECT_TRUE(fs::is_empty(scene_.path("cache")));
    EXPECT_TRUE(processes_with("--worker", scene_.path("cache")).empty());
  }
  Scene scene_;
};

TEST_F(CompileIsolation, AMemoryLimitThatIsTooSmallIsNamed) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers reserve more memory than any limit leaves";
#endif
  const ProgramResult result = run_tarmac(words({"--target", "openvino", "--memory-limit", "24MiB"}));
  EXPECT_THAT(result.exit_status, AnyOf(3, 4)) << result.err << result.out;
  EXPECT_THAT(result.out + result.err, AllOf(HasSubstr("24.0 MiB"), HasSubstr("--memory-limit")));
  expect_no_rubbish();
}

TEST_F(CompileIsolation, AKilledChildIsReportedWithItsSignal) {
  for (const auto& [signal, name] : {std::pair(SIGKILL, "SIGKILL"), std::pair(SIGSEGV, "SIGSEGV")}) {
    // Each child that is started dies, until there is none left to try.
    std::atomic<bool> done{false};
    std::thread killer([&, signal = signal] {
      while (!done) {
        for (const pid_t child : processes_with("--worker", scene_.path("cache"))) ::kill(child, signal);
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
      }
    });
    const ProgramResult result = run_tarmac(words({"--target", "auto"}));
    done = true;
    killer.join();
    EXPECT_THAT(result.exit_status, AnyOf(1, 3)) << result.err << result.out;
    EXPECT_THAT(result.out, HasSubstr(std::string("crashed (") + name + ")"));
    expect_no_rubbish();
  }
}

TEST_F(CompileIsolation, AutoGoesOnWithoutTheEngineThatCrashed) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers turn the signal into an exit";
#endif
  // Killed once, while an engine is at work; the next child leaves that engine out, or it was too early to
  // blame one.
  std::atomic<bool> done{false};
  std::thread killer([&] {
    while (!done) {
      const auto children = processes_with("--worker", scene_.path("cache"));
      if (children.empty()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        continue;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(900));
      ::kill(children.front(), SIGSEGV);
      return;
    }
  });
  const ProgramResult result =
      run_tarmac(words({"--target", "auto", "--objective", "throughput", "--batch", "1,2,4,8"}));
  done = true;
  killer.join();
  if (result.exit_status != 0) {
    EXPECT_THAT(result.out, HasSubstr("crashed (SIGSEGV)"));
    return;
  }
  EXPECT_THAT(result.out, HasSubstr("crashed (SIGSEGV)"));
  EXPECT_TRUE(fs::exists(scene_.path("m.plan")));
}

TEST_F(CompileIsolation, AnInterruptEndsBothAndLeavesNothing) {
  ProgramOptions options;
  options.interrupt_after_ms = 1200;
  const ProgramResult result = run_tarmac(
      words({"--target", "auto", "--objective", "throughput", "--batch", "1,2,4,8,16,32,64"}), options);
  EXPECT_EQ(result.exit_status, 130) << result.err << result.out;
  EXPECT_EQ(result.json()["error"]["code"], "cancelled");
  expect_no_rubbish();
}

TEST_F(CompileIsolation, TheChildDiesWithItsParentAndTheNextCleansUp) {
  ProgramOptions options;
  options.interrupt_after_ms = 1200;
  options.interrupts = 2;  // the second ends the parent at once
  (void)run_tarmac(words({"--target", "auto", "--objective", "throughput", "--batch", "1,2,4,8,16,32,64"}),
                   options);
  for (int i = 0; i < 50 && !processes_with("--worker", scene_.path("cache")).empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_TRUE(processes_with("--worker", scene_.path("cache")).empty());
  EXPECT_EQ(run_tarmac(words({"--target", "openvino"})).exit_status, 0);
  for (const auto& entry : fs::directory_iterator(scene_.path("cache")))
    EXPECT_EQ(entry.path().extension(), ".plan") << entry.path();
}

}  // namespace
}  // namespace tarmac::test
