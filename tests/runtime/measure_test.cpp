#include "runtime/measure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstring>

#include "metrics/latency.h"
#include "runtime/compile.h"
#include "runtime/example_models.h"
#include "runtime/inputs.h"
#include "runtime/memory.h"

namespace tarmac {
namespace {

class MeasureTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto names = test::computing_targets();
    if (names.empty()) GTEST_SKIP() << "no engine was built in";
    target = *find_target(names.front());
  }

  std::unique_ptr<Executable> compile(int layers) {
    Model model = test::matmul_chain(layers);
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
  EXPECT_EQ(measure_throughput(std::span<Work* const>(), {}, no_progress()).error().code, ErrorCode::kUsage);
}

TEST_F(MeasureTest, WarmsUpUntilTimesSettleButNotForEver) {
  const auto executable = compile(4);
  const auto context = context_of(*executable);
  ContextWork work(*context);
  const auto never = [] { return false; };
  const auto settled = warm_up(work, {.settle_s = 60}, never);
  ASSERT_TRUE(settled.ok()) << settled.error().str();
  EXPECT_TRUE(settled->settled);
  EXPECT_GE(settled->runs, 7) << "the first, and two windows of three at least";
  EXPECT_LT(settled->seconds, 60);
  EXPECT_GT(settled->first_run_ns, 0);
  const auto bounded = warm_up(work, {.settle_s = 0.05}, never);
  EXPECT_FALSE(bounded->settled);
  EXPECT_GE(bounded->seconds, 0.05);
  EXPECT_EQ(warm_up(work, {.settle_s = 60}, [] { return true; }).error().code, ErrorCode::kCancelled);
}

/// Makes its input anew before each run.
class FrameWork final : public Work {
 public:
  FrameWork(Context& context, Tensor frame) : context_(context), frame_(std::move(frame)) {}
  Status run() override {
    const auto begin = std::chrono::steady_clock::now();
    TARMAC_TRY(Tensor input, frame_.clone());
    preprocess_ns_ = (std::chrono::steady_clock::now() - begin).count();
    TARMAC_CHECK_OK(context_.set_input("x", input));
    return context_.run();
  }
  [[nodiscard]] std::int64_t preprocess_ns() const override { return preprocess_ns_; }

 private:
  Context& context_;
  Tensor frame_;
  std::int64_t preprocess_ns_ = 0;
};

TEST_F(MeasureTest, TellsPreprocessingApart) {
  const auto executable = compile(1);
  const auto framed = context_of(*executable);
  const auto plain = context_of(*executable);
  const auto inputs = random_inputs(executable->inputs(), {}, 1);
  FrameWork frame_work(*framed, inputs->at("x"));
  ContextWork plain_work(*plain);
  Work* const works[] = {&frame_work, &plain_work};
  const auto times = measure_interleaved(works, {.warmup_s = 0, .iterations = 20}, no_progress());
  ASSERT_TRUE(times.ok()) << times.error().str();
  ASSERT_EQ((*times)[0].preprocess_ns.size(), 20U);
  for (std::size_t i = 0; i < 20; ++i) EXPECT_LT((*times)[0].preprocess_ns[i], (*times)[0].total_ns[i]);
  EXPECT_TRUE((*times)[1].preprocess_ns.empty());
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
