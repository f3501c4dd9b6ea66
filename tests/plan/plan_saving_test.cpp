// Saving a plan over another is all or nothing: killed at any system call, or without room on the disk, the
// old plan or the new one is there, whole.
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "base/file.h"
#include "plan/example_plan.h"
#include "support/temporary_folder.h"

namespace tarmac {
namespace {

constexpr int kWeights = 120;  // each is written by system calls of its own

/// y = x + w0 + w1 + …, weights filled with `value`.
Model sum_model(float value) {
  auto model = model_from_text(
      R"(<ir_version: 8, opset_import: ["" : 17]> g (float[1, 512] x) => (float[1, 512] y) { y = Identity(x) })");
  EXPECT_TRUE(model.ok()) << model.error().str();
  Graph& graph = *model->graph;
  Node& last = *graph.nodes().front();
  Value* sum = graph.find("x");
  for (int i = 0; i < kWeights; ++i) {
    Value& weight = graph.add_initializer("w" + std::to_string(i),
                                          Tensor::from<float>({1, 512}, std::vector<float>(512, value)));
    sum = &graph.add_op("Add", {sum, &weight}, "sum", &last);
  }
  last.set_input(0, sum);
  return *std::move(model);
}

class PlanSavingTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(write(old_model).ok());
    old_bytes = *read_file(path);
    ASSERT_TRUE(write(new_model).ok());
    new_bytes = *read_file(path);
    ASSERT_NE(old_bytes, new_bytes);
  }

  [[nodiscard]] Status write(const Model& model) const {
    PlanContent content;
    content.model = &model;
    content.info.target = "null";
    content.info.engine_version = "null 1";
    return write_plan(path, content);
  }

  /// Puts the old plan back and removes what a killed writer left.
  void restore() const {
    std::filesystem::remove_all(folder.path());
    std::filesystem::create_directory(folder.path());
    ASSERT_TRUE(write_file(path, old_bytes).ok());
  }

  /// A child that writes the new plan and exits with 0, or with 1 after an error.
  [[nodiscard]] pid_t spawn(const std::function<void()>& prepare) const {
    const pid_t child = ::fork();
    if (child != 0) return child;
    prepare();
    ::_exit(write(new_model).ok() ? 0 : 1);
  }

  void expect_old_or_new() const {
    const auto bytes = read_file(path);
    ASSERT_TRUE(bytes.ok()) << bytes.error().str();
    ASSERT_TRUE(*bytes == old_bytes || *bytes == new_bytes);
    // What a killed writer left is no plan unless it is all of it.
    for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
      if (PlanFile::open(entry.path()).ok()) {
        ASSERT_TRUE(*read_file(entry.path()) == old_bytes || *read_file(entry.path()) == new_bytes);
      }
    }
  }

  test::OwnMachine machine;
  test::TemporaryFolder folder;
  std::filesystem::path path = folder / "m.plan";
  Model old_model = sum_model(1);
  Model new_model = sum_model(2);
  std::string old_bytes;
  std::string new_bytes;
};

TEST_F(PlanSavingTest, LeavesTheOldOrTheNewPlanWhereverItIsKilled) {
  int kill_points = 0;
  int found_old = 0;
  int found_new = 0;
  for (bool finished = false; !finished; ++kill_points) {
    restore();
    const pid_t child = spawn([] {
      ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
      ::raise(SIGSTOP);
    });
    ASSERT_GT(child, 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    if (!WIFSTOPPED(status)) GTEST_SKIP() << "child processes cannot be traced here";
    // Two stops a system call: before it and after it.
    for (int stop = 0; stop <= kill_points && WIFSTOPPED(status); ++stop) {
      ASSERT_EQ(::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr), 0);
      ASSERT_EQ(::waitpid(child, &status, 0), child);
    }
    finished = WIFEXITED(status);
    if (!finished) {
      ::kill(child, SIGKILL);
      ASSERT_EQ(::waitpid(child, &status, 0), child);
    }
    expect_old_or_new();
    if (HasFatalFailure()) return;
    ++(*read_file(path) == old_bytes ? found_old : found_new);
    // What it left goes with the next save.
    ASSERT_TRUE(write_file(path, old_bytes).ok());
    ASSERT_EQ(folder.entries(), 1U) << "killed at " << kill_points;
  }
  EXPECT_GE(kill_points, 200);
  EXPECT_GT(found_old, 100);
  EXPECT_GT(found_new, 1);
}

TEST_F(PlanSavingTest, LeavesTheOldPlanAndNothingElseWithoutRoom) {
  for (const std::size_t limit :
       {std::size_t{0}, std::size_t{100}, std::size_t{5000}, new_bytes.size() / 2, new_bytes.size() - 1}) {
    restore();
    const pid_t child = spawn([limit] {
      ::signal(SIGXFSZ, SIG_IGN);
      const rlimit room{limit, limit};
      ::setrlimit(RLIMIT_FSIZE, &room);
    });
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 1) << limit;
    EXPECT_EQ(*read_file(path), old_bytes) << limit;
    EXPECT_EQ(folder.entries(), 1U) << limit;
  }
}

}  // namespace
}  // namespace tarmac
