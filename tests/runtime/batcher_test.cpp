#include "tarmac/batcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "plan/plan_file.h"
#include "runtime/example_models.h"
#include "support/allocations.h"
#include "support/expect.h"
#include "support/temporary_folder.h"

namespace tarmac {
namespace {

using std::chrono::milliseconds;
using test::expect_error;
using test::expect_ok;
using testing::ElementsAre;
using testing::HasSubstr;

using Clock = std::chrono::steady_clock;
using Future = std::future<Batcher::Result>;

// Far longer than a test takes: only full batches, deadlines and the end make such a batcher run.
constexpr std::chrono::minutes kNeverAlone{10};

NamedTensors item(const std::vector<float>& values) {
  const Shape shape{1, static_cast<std::int64_t>(values.size())};
  return {{"x", Tensor::from(shape, values)}};
}

/// What affine_model() makes of item(of): {of + 2 · of + 0.5, 1 + 4 · 1 − 0.5}.
NamedTensors numbered(float of) { return item({of, 1, of, 2}); }
std::vector<float> expected(float of) { return {3 * of + 0.5F, 4.5F}; }

std::vector<float> values(const Batcher::Result& result, const char* output = "y") {
  if (!result) {
    ADD_FAILURE() << result.error().str();
    return {};
  }
  const Tensor& tensor = result->at(output);
  EXPECT_EQ(tensor.shape().front(), 1);
  const auto data = tensor.data<float>();
  return {data.begin(), data.end()};
}

Error error_of(Future future) {
  const auto result = future.get();
  EXPECT_FALSE(result.ok());
  return result.ok() ? Error() : result.error();
}

class BatcherTest : public testing::TestWithParam<std::string> {
 protected:
  Session open(const Model& model, const SessionOptions& options = {}) {
    const auto path = folder / "model.onnx";
    expect_ok(save_model(model, path));
    SessionOptions with_target = options;
    with_target.target = GetParam();
    return expect_ok(Session::open(path, with_target));
  }

  test::TemporaryFolder folder;
};

TEST_P(BatcherTest, GivesEachItemWhatItWouldGetAlone) {
  Session session = open(test::affine_model());
  auto batcher = expect_ok(Batcher::create(session, {.max_batch = 4, .max_wait = kNeverAlone}));
  std::vector<Future> results;
  for (int i = 0; i < 8; ++i) results.push_back(batcher.submit(numbered(static_cast<float>(i))));
  for (int i = 0; i < 8; ++i) {
    const auto result = results[static_cast<std::size_t>(i)].get();
    EXPECT_EQ(values(result), expected(static_cast<float>(i)));
    EXPECT_EQ(result->at("y").shape(), (Shape{1, 2}));
  }
  EXPECT_EQ(session.metrics().batches, 2U);
  EXPECT_EQ(session.metrics().batched_items, 8U);
  EXPECT_EQ(session.metrics().queue_time.count(), 8U);
  EXPECT_EQ(session.metrics().queued, 0);
}

TEST_P(BatcherTest, ServesManyThreadsOnSeveralContexts) {
  Session session = open(test::affine_model());
  std::atomic<int> good{0};
  {
    auto batcher = expect_ok(Batcher::create(
        session, {.max_batch = 3, .max_wait = std::chrono::microseconds(300), .contexts = 2}));
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 50; ++i) {
          const auto of = static_cast<float>(100 * t + i);
          if (values(batcher.submit(numbered(of)).get()) == expected(of)) ++good;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(good, 200);
  EXPECT_EQ(session.metrics().batched_items, 200U);
  EXPECT_EQ(session.metrics().runs, session.metrics().batches);
}

TEST_P(BatcherTest, RunsAnItemThatStaysAloneAfterItsPatience) {
  Session session = open(test::affine_model());
  auto batcher = expect_ok(Batcher::create(session, {.max_batch = 64, .max_wait = milliseconds(30)}));
  const auto begin = Clock::now();
  Future first = batcher.submit(numbered(1));
  Future second = batcher.submit(numbered(2));
  EXPECT_EQ(values(first.get()), expected(1));
  EXPECT_GE(Clock::now() - begin, milliseconds(30));
  EXPECT_EQ(values(second.get()), expected(2));
  EXPECT_EQ(session.metrics().batches, 1U);
}

TEST_P(BatcherTest, RunsWhatWaitsBeforeItEnds) {
  Session session = open(test::affine_model());
  std::vector<Future> results;
  {
    auto batcher = expect_ok(Batcher::create(session, {.max_batch = 4, .max_wait = kNeverAlone}));
    for (int i = 0; i < 7; ++i) results.push_back(batcher.submit(numbered(static_cast<float>(i))));
    Batcher moved = std::move(batcher);
    results.push_back(moved.submit(numbered(7)));
    results.push_back(moved.submit(numbered(8)));
  }
  for (std::size_t i = 0; i < results.size(); ++i)
    EXPECT_EQ(values(results[i].get()), expected(static_cast<float>(i)));
}

TEST_P(BatcherTest, PutsItemsOfDifferentShapesIntoDifferentBatches) {
  Session session = open(test::model_of(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    twice (float[batch, n] x) => (float[batch, n] y) { y = Add(x, x) })"));
  std::vector<Future> results;
  {
    auto batcher = expect_ok(Batcher::create(session, {.max_batch = 2, .max_wait = kNeverAlone}));
    results.push_back(batcher.submit(item({1})));
    results.push_back(batcher.submit(item({1, 2})));
    results.push_back(batcher.submit(item({3})));
    results.push_back(batcher.submit(item({3, 4})));
    results.push_back(batcher.submit(item({5, 6, 7})));
    EXPECT_THAT(values(results[0].get()), ElementsAre(2));
    EXPECT_THAT(values(results[1].get()), ElementsAre(2, 4));
    EXPECT_THAT(values(results[2].get()), ElementsAre(6));
    EXPECT_THAT(values(results[3].get()), ElementsAre(6, 8));
    EXPECT_EQ(session.metrics().queued, 1);
  }
  EXPECT_THAT(values(results[4].get()), ElementsAre(10, 12, 14));
  EXPECT_EQ(session.metrics().batches, 3U);
}

TEST_P(BatcherTest, FillsAFixedBatchAndGivesOnlyTheItems) {
  Session session = open(test::model_of(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    twice (float[4, 2] x) => (float[4, 2] y) { y = Add(x, x) })"));
  expect_error(Batcher::create(session, {.max_batch = 8}), ErrorCode::kUsage, "fixed to 4");
  auto batcher = expect_ok(Batcher::create(session, {.max_batch = 3, .max_wait = kNeverAlone}));
  std::vector<Future> results;
  for (int i = 0; i < 3; ++i) results.push_back(batcher.submit(item({static_cast<float>(i), 1})));
  for (int i = 0; i < 3; ++i)
    EXPECT_THAT(values(results[static_cast<std::size_t>(i)].get()),
                ElementsAre(2.0F * static_cast<float>(i), 2));
}

TEST_P(BatcherTest, FillsUpToTheNextBatchThatThePlanMakesReady) {
  const Model model = test::affine_model();
  PlanContent content;
  content.model = &model;
  content.info.target = GetParam();
  content.info.engine_version = (*find_target(GetParam()))->version();
  content.info.profiles = {{.shapes = {{"x", {.min = {1, 4}, .opt = {4, 4}, .max = {8, 4}}}},
                            .buckets = {{{"x", {1, 4}}}, {{"x", {4, 4}}}}}};
  const auto path = folder / "model.plan";
  expect_ok(write_plan(path, content));
  auto session = expect_ok(Session::open(path));
  const std::uint64_t cold = session.metrics().cold_shapes;
  std::vector<Future> results;
  {
    auto batcher = expect_ok(Batcher::create(session, {.max_batch = 3, .max_wait = kNeverAlone}));
    for (int i = 0; i < 4; ++i) results.push_back(batcher.submit(numbered(static_cast<float>(i))));
  }
  for (std::size_t i = 0; i < results.size(); ++i)
    EXPECT_EQ(values(results[i].get()), expected(static_cast<float>(i)));
  EXPECT_EQ(session.metrics().batches, 2U);
  EXPECT_EQ(session.metrics().cold_shapes, cold);
  auto batcher = expect_ok(Batcher::create(session));
  expect_error(batcher.submit(item({1})).get(), ErrorCode::kInvalidInput, "float32[1, 1]");
}

TEST_P(BatcherTest, RefusesItemsOnceTheQueueIsFull) {
  Session session = open(test::affine_model());
  std::vector<Future> results;
  {
    auto batcher =
        expect_ok(Batcher::create(session, {.max_batch = 64, .max_wait = kNeverAlone, .max_queue = 3}));
    for (int i = 0; i < 3; ++i) results.push_back(batcher.submit(numbered(static_cast<float>(i))));
    EXPECT_EQ(session.metrics().queued, 3);
    const Error full = error_of(batcher.submit(numbered(3)));
    EXPECT_EQ(full.code, ErrorCode::kResourceExhausted);
    EXPECT_THAT(full.message, HasSubstr("3 items wait"));
    EXPECT_EQ(session.metrics().rejected, 1U);
  }
  for (std::size_t i = 0; i < results.size(); ++i)
    EXPECT_EQ(values(results[i].get()), expected(static_cast<float>(i)));
}

TEST_P(BatcherTest, DropsWhatIsLateBeforeItsBatchBegins) {
  Session session = open(test::affine_model());
  auto batcher = expect_ok(Batcher::create(session, {.max_batch = 2, .max_wait = kNeverAlone}));
  const RunOptions past{.deadline = Clock::now() - milliseconds(1)};
  EXPECT_EQ(error_of(batcher.submit(numbered(1), past)).code, ErrorCode::kDeadline);
  EXPECT_EQ(session.metrics().deadlines_missed, 1U);
  EXPECT_EQ(session.metrics().runs, 0U);
  EXPECT_EQ(session.metrics().queued, 0);
}

TEST_P(BatcherTest, RunsAnItemWithADeadlineInTimeForIt) {
  Session session = open(test::affine_model());
  auto batcher = expect_ok(Batcher::create(session, {.max_batch = 64, .max_wait = kNeverAlone}));
  const RunOptions soon{.deadline = Clock::now() + std::chrono::seconds(2)};
  EXPECT_EQ(values(batcher.submit(numbered(1), soon).get()), expected(1));
  EXPECT_LT(Clock::now(), *soon.deadline);
  EXPECT_EQ(session.metrics().deadlines_missed, 0U);
}

TEST_P(BatcherTest, TellsOnlyTheSubmitterOfABadItem) {
  Session session = open(test::affine_model());
  auto batcher = expect_ok(Batcher::create(session, {.max_batch = 2, .max_wait = kNeverAlone}));
  Future good = batcher.submit(numbered(1));
  EXPECT_EQ(error_of(batcher.submit(item({1, 2}))).code, ErrorCode::kInvalidInput);
  EXPECT_EQ(error_of(batcher.submit({})).code, ErrorCode::kInvalidInput);
  EXPECT_EQ(error_of(batcher.submit({{"z", numbered(1).at("x")}})).code, ErrorCode::kNotFound);
  Future other = batcher.submit(numbered(2));
  EXPECT_EQ(values(good.get()), expected(1));
  EXPECT_EQ(values(other.get()), expected(2));
}

TEST_P(BatcherTest, CallsBackOnItsOwnThread) {
  Session session = open(test::affine_model());
  std::atomic<int> good{0};
  std::atomic<bool> elsewhere{false};
  {
    auto batcher = expect_ok(Batcher::create(session, {.max_batch = 2}));
    const auto self = std::this_thread::get_id();
    for (int i = 0; i < 5; ++i) {
      batcher.submit(numbered(static_cast<float>(i)), [&, i](const Batcher::Result& result) {
        good += values(result) == expected(static_cast<float>(i)) ? 1 : 0;
        elsewhere = std::this_thread::get_id() != self;
      });
    }
  }
  EXPECT_EQ(good, 5);
  EXPECT_TRUE(elsewhere);
}

TEST_P(BatcherTest, PutsResultsIntoAPoolAndAllocatesNothingElse) {
  Session session = open(test::affine_model());
  auto pool = expect_ok(MemoryPool::create());
  auto batcher =
      expect_ok(Batcher::create(session, {.max_batch = 4, .max_wait = kNeverAlone, .results = pool}));
  constexpr int kItems = 40;
  std::atomic<int> left{0};
  const auto round = [&](std::vector<NamedTensors>& items) {
    left = kItems;
    for (NamedTensors& one : items) {
      batcher.submit(std::move(one), [&left](const Batcher::Result& result) {
        EXPECT_EQ(values(result)[1], 4.5F);
        --left;
      });
    }
    while (left > 0) std::this_thread::yield();
  };
  for (int warm = 0; warm < 2; ++warm) {
    std::vector<NamedTensors> items(kItems, numbered(1));
    round(items);
  }
  std::vector<NamedTensors> items(kItems, numbered(2));
  const test::CountAllocations allocations;
  round(items);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // whose frames hide who asked
  // Each result: a node of its map and the shape; `values` in this test: a vector; and a place in the queue
  // where it was never so full before.
  EXPECT_LE(allocations.counts().ours, 4U * kItems);
#endif
  const MemoryPoolCounts counts = pool.counts();
  EXPECT_EQ(counts.acquired, 3U * kItems);
  EXPECT_GT(counts.reused, 2U * kItems);
  EXPECT_EQ(counts.in_use_bytes, 0U);
}

TEST_P(BatcherTest, ShowsBatchesAndWaitsInATrace) {
  SessionOptions options;
  options.tracer = expect_ok(Tracer::create());
  Session session = open(test::affine_model(), options);
  {
    auto batcher = expect_ok(Batcher::create(session, {.max_batch = 2}));
    (void)batcher.submit(numbered(1)).get();
  }
  const std::string trace = options.tracer->chrome_trace();
  for (const char* name : {"queue", "batch", "gather", "slice"})
    EXPECT_THAT(trace, HasSubstr("\"name\":\"" + std::string(name) + "\""));
}

TEST_P(BatcherTest, RefusesModelsAndOptionsThatItCannotServe) {
  Session session = open(test::affine_model());
  expect_error(Batcher::create(session, {.max_batch = 0}), ErrorCode::kUsage, "max_batch 0");
  expect_error(Batcher::create(session, {.contexts = 0}), ErrorCode::kUsage, "contexts 0");
  expect_error(Batcher::create(session, {.max_queue = 0}), ErrorCode::kUsage, "max_queue 0");
  expect_error(Batcher::create(session, {.max_wait = milliseconds(-1)}), ErrorCode::kUsage, "max_wait");
  Session whole = open(test::model_of(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    sum (float[batch, 2] x) => (float s) { s = ReduceSum<keepdims = 0>(x) })"));
  expect_error(Batcher::create(whole, {}), ErrorCode::kUsage, "output 's'");
  SessionOptions with_state;
  with_state.state = {StateSpec{.output = "y", .input = "h", .first = {}}};
  Session recurrent = open(test::model_of(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    sum (float[1, 2] x, float[1, 2] h) => (float[1, 2] y) { y = Add(x, h) })"),
                           with_state);
  expect_error(Batcher::create(recurrent, {}), ErrorCode::kUsage, "state");
}

std::string name_of(const testing::TestParamInfo<std::string>& target) { return target.param; }
INSTANTIATE_TEST_SUITE_P(Targets, BatcherTest, testing::ValuesIn(test::computing_targets()), name_of);

TEST(BatcherErrorTest, IsReturnedWhicheverAllocationOfTheCreationFails) {
  const test::TemporaryFolder folder;
  expect_ok(save_model(test::affine_model(), folder / "affine.onnx"));
  SessionOptions options;
  options.target = "null";  // engines do with a refusal what they like
  const auto session = expect_ok(Session::open(folder / "affine.onnx", options));
  bool refused = true;
  for (std::uint64_t n = 1; refused; ++n) {
    ASSERT_LT(n, 1000U);
    const test::RefuseAllocation refusal(n);
    const auto batcher = Batcher::create(session);
    refused = test::RefuseAllocation::reached();
    EXPECT_TRUE(batcher.ok() || refused) << n;  // std::stable_sort() does without
    EXPECT_TRUE(batcher.ok() || batcher.error().code == ErrorCode::kResourceExhausted)
        << n << ": " << batcher.error().str();
  }
}

TEST(BatcherErrorTest, AnswersEverySubmissionWhicheverAllocationFails) {
  const test::TemporaryFolder folder;
  expect_ok(save_model(test::affine_model(), folder / "affine.onnx"));
  SessionOptions options;
  options.target = "null";
  const auto session = expect_ok(Session::open(folder / "affine.onnx", options));
  bool refused = true;
  int errors = 0;
  for (std::uint64_t n = 1; refused; ++n) {
    ASSERT_LT(n, 1000U);
    auto batcher = expect_ok(Batcher::create(session, {.max_batch = 1}));
    NamedTensors one = numbered(1);
    std::promise<bool> answered;
    Batcher::Done done = [&answered](const Batcher::Result& result) { answered.set_value(result.ok()); };
    const test::RefuseAllocation refusal(n);
    batcher.submit(std::move(one), std::move(done));
    const bool good = answered.get_future().get();
    refused = test::RefuseAllocation::reached();
    EXPECT_TRUE(good || refused) << n;
    errors += good ? 0 : 1;
  }
  EXPECT_GT(errors, 0);
}

TEST(BatcherErrorTest, ReachesOnlyTheItemThatTheEngineCannotRun) {
  const auto targets = test::computing_targets();
  if (std::find(targets.begin(), targets.end(), "onnxruntime") == targets.end())
    GTEST_SKIP() << "needs an engine that refuses indices out of range";
  const test::TemporaryFolder folder;
  expect_ok(save_model(test::model_of(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    pick (int64[batch] x) => (float[batch] y) <float[4] table = {10, 11, 12, 13}> { y = Gather(table, x) })"),
                       folder / "pick.onnx"));
  SessionOptions options;
  options.target = "onnxruntime";
  auto session = expect_ok(Session::open(folder / "pick.onnx", options));
  auto batcher = expect_ok(Batcher::create(session, {.max_batch = 3, .max_wait = kNeverAlone}));
  std::vector<Future> results;
  for (const std::int64_t index : {2, 99, 3})
    results.push_back(batcher.submit({{"x", Tensor::from(Shape{1}, std::vector<std::int64_t>{index})}}));
  EXPECT_THAT(values(results[0].get()), ElementsAre(12));
  EXPECT_EQ(error_of(std::move(results[1])).code, ErrorCode::kInternal);
  EXPECT_THAT(values(results[2].get()), ElementsAre(13));
}

}  // namespace
}  // namespace tarmac
