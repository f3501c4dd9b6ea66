// The core budget of a compiled model: one core means one core, and idle threads sleep.
#include <sys/resource.h>

#include <chrono>
#include <thread>

#include "graph/model_io.h"
#include "support/expect.h"
#include "targets/target.h"

namespace tarmac {
namespace {

using test::expect_ok;
using Seconds = std::chrono::duration<double>;

double process_cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class CoresTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    target_ = expect_ok(find_target(GetParam()));
    if (auto status = target_->available(); !status) GTEST_SKIP() << status.error().str();
  }

  std::unique_ptr<Context> context(int cores) {
    const Model model = expect_ok(model_from_text(R"(<ir_version: 8, opset_import: ["" : 17]>
        g (float[512, 512] x, float[512, 512] w) => (float[512, 512] y) { h = MatMul(x, w) y = MatMul(h, w) })"));
    CompileOptions options;
    options.cores = cores;
    executable_ = expect_ok(target_->compile(model, options, no_progress()));
    auto made = expect_ok(executable_->create_context());
    for (const char* name : {"x", "w"}) {
      expect_ok(
          made->set_input(name, Tensor::from<float>({512, 512}, std::vector<float>(512 * 512, 0.001F))));
    }
    expect_ok(made->run());  // first runs allocate
    return made;
  }

  Target* target_ = nullptr;
  std::unique_ptr<Executable> executable_;
};
INSTANTIATE_TEST_SUITE_P(Engines, CoresTest, ::testing::Values("openvino", "onnxruntime"),
                         [](const auto& instance) { return std::string(instance.param); });

TEST_P(CoresTest, OneCoreUsesNoMoreThanOneCore) {
  const auto run = context(1);
  const double cpu = process_cpu_seconds();
  const auto begin = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - begin < Seconds(0.5)) expect_ok(run->run());
  const double wall = Seconds(std::chrono::steady_clock::now() - begin).count();
  EXPECT_LE(process_cpu_seconds() - cpu, 1.1 * wall);
}

TEST_P(CoresTest, IdleThreadsSleep) {
  const auto run = context(0);
  expect_ok(run->run());
  std::this_thread::sleep_for(
      std::chrono::milliseconds(50));  // a short spin after a run is the engine's business
  const double cpu = process_cpu_seconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  EXPECT_LE(process_cpu_seconds() - cpu, 0.05);
}

TEST_P(CoresTest, MoreCoresThanThereAreIsNoted) {
  const Model model = expect_ok(model_from_text(
      R"(<ir_version: 8, opset_import: ["" : 17]> g (float[3] x) => (float[3] y) { y = Relu(x) })"));
  CompileOptions options;
  options.cores = 100000;
  const auto executable = expect_ok(target_->compile(model, options, no_progress()));
  EXPECT_THAT(executable->notes(), ::testing::Contains(::testing::HasSubstr("100000 cores")));
  options.cores = -1;
  test::expect_error(target_->compile(model, options, no_progress()), ErrorCode::kUsage, "cores is -1");
}

}  // namespace
}  // namespace tarmac
