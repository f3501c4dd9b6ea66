#include "runtime/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "metrics/latency.h"
#include "runtime/compile.h"
#include "runtime/example_models.h"
#include "runtime/inputs.h"

namespace tarmac {
namespace {

/// A model on an engine, with contexts bound to made-up inputs.
struct Subject {
  std::unique_ptr<Executable> executable;
  std::vector<std::unique_ptr<Context>> contexts;
  std::vector<std::unique_ptr<ContextWork>> works;

  Subject(const std::string& target, int layers, int workers) {
    Model model = test::matmul_chain(layers);
    CompileOptions options;
    options.cores = 1;
    auto compiled = compile_model(**find_target(target), model, options, no_progress());
    EXPECT_TRUE(compiled.ok()) << compiled.error().str();
    executable = *std::move(compiled);
    for (int i = 0; i < workers; ++i) {
      contexts.push_back(*executable->create_context());
      EXPECT_TRUE(bind_inputs(*contexts.back(), *random_inputs(executable->inputs(), {}, 1)).ok());
      works.push_back(std::make_unique<ContextWork>(*contexts.back()));
    }
  }
  [[nodiscard]] Load load(double rate_hz) const {
    Load load;
    for (const auto& work : works) load.workers.push_back(work.get());
    load.rate_hz = rate_hz;
    return load;
  }
  [[nodiscard]] double median_s() const {
    const auto times =
        measure_latency(*contexts.front(), {.warmup_s = 0.05, .duration_s = 0.2}, no_progress());
    return static_cast<double>(summarize_latency(*times)->p50_ns) / 1e9;
  }
};

LoadTimes measure(const Load& load, const MeasureOptions& options) {
  const auto measured = measure_loads(std::span(&load, 1), options, no_progress());
  EXPECT_TRUE(measured.ok()) << measured.error().str();
  return measured.ok() ? measured->front() : LoadTimes();
}

void expect_each_frame_counted(const LoadTimes& times, std::int64_t frames) {
  EXPECT_EQ(times.due, frames);
  EXPECT_EQ(times.done() + times.dropped, frames);
  EXPECT_LE(times.late, times.done());
  ASSERT_EQ(times.latency_ns.size(), times.run_ns.size());
  ASSERT_EQ(times.start_delay_ns.size(), times.run_ns.size());
  for (std::size_t i = 0; i < times.run_ns.size(); ++i) {
    EXPECT_GE(times.start_delay_ns[i], 0) << "none begins before it is due";
    EXPECT_EQ(times.start_delay_ns[i] + times.run_ns[i], times.latency_ns[i]);
  }
}

TEST(LoadTest, CountsEveryFrameOfATargetWithoutAnEngine) {
  const Subject subject("null", 1, 1);
  const LoadTimes times = measure(subject.load(200), {.warmup_s = 0, .duration_s = 0.5});
  expect_each_frame_counted(times, 100);
  EXPECT_GT(times.done(), 0);
  EXPECT_GT(times.seconds, 0.4);
}

class EngineLoadTest : public testing::TestWithParam<std::string> {};

TEST_P(EngineLoadTest, ASlowRateIsKeptAndAFastOneDropsFrames) {
  const Subject subject(GetParam(), 32, 1);
  const double median_s = subject.median_s();
  const LoadTimes slow = measure(subject.load(0.1 / median_s), {.warmup_s = 0, .iterations = 20});
  expect_each_frame_counted(slow, 20);
  EXPECT_GT(slow.done(), 10);
  const LoadTimes fast = measure(subject.load(5 / median_s), {.warmup_s = 0, .iterations = 100});
  expect_each_frame_counted(fast, 100);
  EXPECT_GT(fast.dropped, 50) << "about one frame in five can be done";
  EXPECT_GT(fast.late, 0);
  // A closed loop would have taken the time of 100 runs.
  EXPECT_LT(fast.seconds, 60 * median_s);
}

TEST_P(EngineLoadTest, ADeadlineDecidesWhatIsLate) {
  const Subject subject(GetParam(), 8, 1);
  const double median_s = subject.median_s();
  Load load = subject.load(0.1 / median_s);
  load.deadline_s = median_s / 100;
  const LoadTimes hopeless = measure(load, {.warmup_s = 0, .iterations = 10});
  expect_each_frame_counted(hopeless, 10);
  EXPECT_EQ(hopeless.missed(), 10);
  load.deadline_s = 3600;
  const LoadTimes easy = measure(load, {.warmup_s = 0, .iterations = 10});
  EXPECT_EQ(easy.late, 0);
}

TEST_P(EngineLoadTest, SeveralModelsRunAtOnceEachInItsWay) {
  const Subject camera(GetParam(), 4, 1);
  const Subject background(GetParam(), 4, 2);
  const Load loads[] = {camera.load(20), background.load(0)};
  const auto measured = measure_loads(loads, {.warmup_s = 0.05, .duration_s = 1}, no_progress());
  ASSERT_TRUE(measured.ok()) << measured.error().str();
  expect_each_frame_counted((*measured)[0], 20);
  const LoadTimes& flat_out = (*measured)[1];
  EXPECT_GT(flat_out.done(), 0);
  EXPECT_EQ(flat_out.due, flat_out.done());
  EXPECT_TRUE(flat_out.latency_ns.empty());
  EXPECT_GE(flat_out.seconds, 0.99);
}

TEST_P(EngineLoadTest, AnErrorInOneLoadEndsAll) {
  const Subject good(GetParam(), 1, 1);
  const auto unbound = *good.executable->create_context();
  ContextWork bad(*unbound);
  Load bad_load;
  bad_load.workers = {&bad};
  const Load loads[] = {good.load(10), bad_load};
  const auto measured = measure_loads(loads, {.duration_s = 60}, no_progress());
  ASSERT_FALSE(measured.ok());
  EXPECT_EQ(measured.error().code, ErrorCode::kInvalidInput);
}

INSTANTIATE_TEST_SUITE_P(Engines, EngineLoadTest, testing::ValuesIn(test::computing_targets()),
                         [](const auto& engine) { return engine.param; });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(EngineLoadTest);

class StopLater : public Progress {
 public:
  [[nodiscard]] bool cancelled() const override {
    return std::chrono::steady_clock::now() - begin_ > std::chrono::milliseconds(200);
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

TEST(LoadTest, StopsBetweenTwoFramesThatLieFarApart) {
  const Subject subject("null", 1, 1);
  const Load load = subject.load(0.01);
  StopLater progress;
  const auto measured = measure_loads(std::span(&load, 1), {.warmup_s = 0, .iterations = 5}, progress);
  ASSERT_FALSE(measured.ok());
  EXPECT_EQ(measured.error().code, ErrorCode::kCancelled);
}

TEST(LoadTest, RefusesWhatHasNoEndOrNoSense) {
  const Subject subject("null", 1, 1);
  const auto code = [&](const Load& load, const MeasureOptions& options) {
    return measure_loads(std::span(&load, 1), options, no_progress()).error().code;
  };
  EXPECT_EQ(code(subject.load(10), {.duration_s = 0}), ErrorCode::kUsage);
  EXPECT_EQ(code(subject.load(-1), {}), ErrorCode::kUsage);
  EXPECT_EQ(code(subject.load(1e9), {}), ErrorCode::kUsage);
  EXPECT_EQ(code(Load(), {}), ErrorCode::kUsage);
  Load late = subject.load(10);
  late.deadline_s = -1;
  EXPECT_EQ(code(late, {}), ErrorCode::kUsage);
  EXPECT_EQ(measure_loads({}, {}, no_progress()).error().code, ErrorCode::kUsage);
}

}  // namespace
}  // namespace tarmac
