#include "runtime/measure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "metrics/latency.h"
#include "runtime/compile.h"
#include "runtime/example_models.h"
#include "runtime/inputs.h"
#include "runtime/memory.h"

namespace tarmac {
namespace {

/// `layers` products of 192 × 192 matrices: work that takes time in proportion.
Model matmul_chain(int layers) {
  std::string body;
  std::string previous = "x";
  for (int i = 0; i < layers; ++i) {
    const std::string next = i + 1 == layers ? "y" : "h" + std::to_string(i);
    body += next + " = MatMul(" + previous + ", x) ";
    previous = next;
  }
  return test::model_of(
      R"(<ir_version: 8, opset_import: ["" : 17]> g (float[192, 192] x) => (float[192, 192] y) {)" + body +
      "}");
}

class MeasureTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto names = test::computing_targets();
    if (names.empty()) GTEST_SKIP() << "no engine was built in";
    target = *find_target(names.front());
  }

  std::unique_ptr<Executable> compile(int layers) {
    Model model = matmul_chain(layers);
    CompileOptions options;
    options.cores = 1;
    auto executable = compile_model(*target, model, options, no_progress());
    EXPECT_TRUE(executable.ok()) << executable.error().str();
    return *std::move(executable);
  }

  static std::unique_ptr<Context> context_of(Executable& executable) {
    auto context = executable.create_context();
    EXPECT_TRUE(context.ok());
    EXPECT_TRUE(bind_inputs(**context, *random_inputs(executable.inputs(), {}, 1)).ok());
    return *std::move(context);
  }

  Target* target = nullptr;
};

class Interrupt : public Progress {
 public:
  [[nodiscard]] bool cancelled() const override { return true; }
};

TEST_F(MeasureTest, TakesAsManyRunsAsAsked) {
  const auto executable = compile(1);
  const auto context = context_of(*executable);
  const auto times = measure_latency(*context, {.warmup_s = 0, .iterations = 37}, no_progress());
  ASSERT_TRUE(times.ok()) << times.error().str();
  EXPECT_EQ(times->size(), 37U);
  EXPECT_THAT(*times, testing::Each(testing::Gt(0)));
}

TEST_F(MeasureTest, TakesAboutAsLongAsAsked) {
  const auto executable = compile(1);
  const auto context = context_of(*executable);
  const auto times = measure_latency(*context, {.warmup_s = 0, .duration_s = 0.1}, no_progress());
  ASSERT_TRUE(times.ok()) << times.error().str();
  std::int64_t total = 0;
  for (const std::int64_t time : *times) total += time;
  EXPECT_GE(total, 100'000'000);
  EXPECT_LT(total - times->back(), 100'000'000);
}

TEST_F(MeasureTest, ContextsThatTakeTurnsKeepTheirRatio) {
  const auto little = compile(1);
  const auto much = compile(16);
  const auto little_context = context_of(*little);
  const auto much_context = context_of(*much);
  Context* const contexts[] = {little_context.get(), much_context.get()};
  const auto times = measure_interleaved(contexts, {.warmup_s = 0, .duration_s = 0.3}, no_progress());
  ASSERT_TRUE(times.ok()) << times.error().str();
  const double ratio = static_cast<double>(summarize_latency((*times)[1])->p50_ns) /
                       static_cast<double>(summarize_latency((*times)[0])->p50_ns);
  EXPECT_GT(ratio, 4) << "16 times the work";
}

TEST_F(MeasureTest, CountsTheRunsOfAllStreams) {
  const auto executable = compile(1);
  const auto first = context_of(*executable);
  const auto second = context_of(*executable);
  Context* const contexts[] = {first.get(), second.get()};
  const auto counted = measure_throughput(contexts, {.warmup_s = 0, .iterations = 25}, no_progress());
  ASSERT_TRUE(counted.ok()) << counted.error().str();
  EXPECT_EQ(counted->runs, 50);
  EXPECT_EQ(counted->latency_ns.size(), 50U);
  const auto timed = measure_throughput(contexts, {.warmup_s = 0, .duration_s = 0.1}, no_progress());
  ASSERT_TRUE(timed.ok()) << timed.error().str();
  EXPECT_GE(timed->seconds, 0.1);
  EXPECT_GT(timed->runs_per_second(), 0);
}

TEST_F(MeasureTest, AnErrorInOneStreamEndsAll) {
  const auto executable = compile(1);
  const auto good = context_of(*executable);
  auto unbound = executable->create_context();
  Context* const contexts[] = {good.get(), unbound->get()};
  const auto measured = measure_throughput(contexts, {.duration_s = 60}, no_progress());
  ASSERT_FALSE(measured.ok());
  EXPECT_EQ(measured.error().code, ErrorCode::kInvalidInput);
  const auto interleaved = measure_interleaved(contexts, {.duration_s = 60}, no_progress());
  EXPECT_EQ(interleaved.error().code, ErrorCode::kInvalidInput);
}

TEST_F(MeasureTest, StopsWhenInterrupted) {
  const auto executable = compile(1);
  const auto context = context_of(*executable);
  Context* const contexts[] = {context.get()};
  Interrupt interrupt;
  EXPECT_EQ(measure_latency(*context, {.duration_s = 60}, interrupt).error().code, ErrorCode::kCancelled);
  EXPECT_EQ(measure_throughput(contexts, {.duration_s = 60}, interrupt).error().code, ErrorCode::kCancelled);
}

TEST_F(MeasureTest, NeedsAnEndAndSomethingToMeasure) {
  const auto executable = compile(1);
  const auto context = context_of(*executable);
  EXPECT_EQ(measure_latency(*context, {.duration_s = 0}, no_progress()).error().code, ErrorCode::kUsage);
  EXPECT_EQ(measure_throughput({}, {}, no_progress()).error().code, ErrorCode::kUsage);
}

TEST(MemoryTest, PeakFollowsALargeBlockAndCanBeginAnew) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers keep freed memory for a while";
#endif
  constexpr std::size_t kBlockBytes = std::size_t{64} << 20U;
  const auto before = memory_use();
  if (!before) GTEST_SKIP() << before.error().str();
  {
    auto block = Tensor::allocate(DType::kUint8, {kBlockBytes});
    std::memset(block->mutable_bytes().data(), 1, kBlockBytes);
    EXPECT_GE(memory_use()->resident_bytes, before->resident_bytes + kBlockBytes * 9 / 10);
  }
  const auto after = memory_use();
  EXPECT_GE(after->peak_resident_bytes, before->resident_bytes + kBlockBytes * 9 / 10);
  EXPECT_LT(after->resident_bytes, after->peak_resident_bytes - kBlockBytes / 2);
  if (!reset_peak_memory()) GTEST_SKIP() << "this system does not let a process reset its peak";
  EXPECT_LT(memory_use()->peak_resident_bytes, after->peak_resident_bytes - kBlockBytes / 2);
}

}  // namespace
}  // namespace tarmac
