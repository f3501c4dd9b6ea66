// Runs on a session's own thread, deadlines, and what is counted of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <semaphore>

#include "runtime/example_models.h"
#include "support/temporary_folder.h"
#include "tarmac/tarmac.h"

namespace tarmac {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

class SessionAsyncTest : public testing::TestWithParam<std::string> {
 protected:
  Session open(const Model& model = test::affine_model()) {
    const auto path = folder / "model.onnx";
    EXPECT_TRUE(save_model(model, path).ok());
    SessionOptions options;
    options.target = GetParam();
    options.tracer = tracer;
    auto session = Session::open(path, options);
    EXPECT_TRUE(session.ok()) << session.error().str();
    return *std::move(session);
  }
  Session open_bound() {
    Session session = open();
    EXPECT_TRUE(session.set_input("x", input).ok());
    return session;
  }

  test::TemporaryFolder folder;
  std::shared_ptr<Tracer> tracer = *Tracer::create(64);
  const Tensor input = Tensor::from(Shape{2, 4}, std::vector<float>(8, 1));
};

TEST_P(SessionAsyncTest, GivesTheResultThroughAFuture) {
  Session session = open_bound();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(session.run_async().get().ok());
  EXPECT_TRUE(session.output("y").ok());
  EXPECT_EQ(session.metrics().runs, 20U);
  EXPECT_EQ(session.metrics().run_time.count(), 20U);
  EXPECT_NE(tracer->chrome_trace().find("\"run\""), std::string::npos);
}

TEST_P(SessionAsyncTest, BeginsTheNextRunFromACallback) {
  Session session = open_bound();
  std::binary_semaphore done{0};
  int runs = 0;
  std::function<void(Status)> next = [&](const Status& status) {
    EXPECT_TRUE(status.ok()) << status.error().str();
    EXPECT_TRUE(session.output("y").ok());
    if (++runs < 10) {
      session.run_async(next);
    } else {
      done.release();
    }
  };
  session.run_async(next);
  done.acquire();
  EXPECT_EQ(runs, 10);
}

TEST_P(SessionAsyncTest, RefusesWhatIsAskedDuringARun) {
  Session session = open_bound();
  std::binary_semaphore inside{0};
  std::binary_semaphore go_on{0};
  session.run_async([&](const Status&) {
    EXPECT_TRUE(session.set_input("x", input).ok());
    session.run_async([&](const Status& status) {
      EXPECT_TRUE(status.ok());
      inside.release();
      go_on.acquire();
    });
  });
  inside.acquire();
  EXPECT_TRUE(session.set_input("x", input).ok());  // the run has ended; only its callback goes on
  std::future<Status> waits = session.run_async();
  EXPECT_EQ(session.run().error().code, ErrorCode::kUsage);
  EXPECT_EQ(session.run_async().get().error().code, ErrorCode::kUsage);
  go_on.release();
  EXPECT_TRUE(waits.get().ok());
  EXPECT_TRUE(session.run().ok());
}

TEST_P(SessionAsyncTest, EndsWhileRunsAreUnderWay) {
  std::atomic<int> told{0};
  for (int i = 0; i < 50; ++i) {
    Session session = open_bound();
    session.run_async([&](const Status&) { ++told; });
  }
  EXPECT_EQ(told, 50);
  std::future<Status> outlives;
  {
    Session session = open_bound();
    outlives = session.run_async();
  }
  const Status status = outlives.get();
  EXPECT_TRUE(status.ok() || status.error().code == ErrorCode::kCancelled) << status.error().str();
}

TEST_P(SessionAsyncTest, EndsThoughEachCallbackBeginsAnotherRun) {
  std::atomic<int> told{0};
  std::function<void(Status)> next;
  {
    Session session = open_bound();
    next = [&](const Status&) {
      ++told;
      session.run_async(next);
    };
    session.run_async(next);
    while (told < 5) std::this_thread::yield();
  }
  EXPECT_GE(told, 5);
}

TEST_P(SessionAsyncTest, MovesWithARunUnderWay) {
  Session session = open_bound();
  std::future<Status> future = session.run_async();
  Session moved = std::move(session);
  EXPECT_TRUE(future.get().ok());
  EXPECT_TRUE(moved.run().ok());
}

TEST_P(SessionAsyncTest, DoesNotBeginWhatIsLateAlready) {
  Session session = open_bound();
  const Status late = session.run({.deadline = steady_clock::now() - milliseconds(1)});
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().code, ErrorCode::kDeadline);
  EXPECT_EQ(session.metrics().deadlines_missed, 1U);
  EXPECT_EQ(session.metrics().failures, 0U);
  EXPECT_EQ(session.metrics().runs, 0U);
  EXPECT_EQ(session.output("y").error().code, ErrorCode::kUsage);
  EXPECT_TRUE(session.run({.deadline = steady_clock::now() + std::chrono::hours(1)}).ok());
}

std::vector<std::string> available_targets() {
  auto names = test::computing_targets();
  names.emplace_back("null");
  return names;
}

INSTANTIATE_TEST_SUITE_P(Targets, SessionAsyncTest, testing::ValuesIn(available_targets()),
                         [](const auto& test) { return test.param; });

using SlowRunTest = SessionAsyncTest;

/// Some hundred convolutions: long, of many nodes, so that an engine can stop between two.
Model slow_model() {
  std::string body;
  for (int i = 0; i < 60; ++i) {
    const std::string from = i == 0 ? "x" : "h" + std::to_string(i - 1);
    body += "h" + std::to_string(i) + " = Conv <pads = [1, 1, 1, 1]> (" + from + ", w)\n";
  }
  return test::model_of(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[1, 32, 128, 128] x, float[32, 32, 3, 3] w) => (float[1, 32, 128, 128] y) {)" +
                        body + "y = Relu(h59) }");
}

TEST_P(SlowRunTest, StopsARunAtItsDeadlineAndRunsAgain) {
  Session session = open(slow_model());
  const Tensor x = *Tensor::allocate(DType::kFloat32, {1, 32, 128, 128});
  std::fill_n(const_cast<float*>(x.data<float>().data()), x.count(), 0.0F);
  const Tensor w = Tensor::from(Shape{32, 32, 3, 3}, std::vector<float>(32 * 32 * 9));
  ASSERT_TRUE(session.set_input("x", x).ok());
  ASSERT_TRUE(session.set_input("w", w).ok());
  auto begin = steady_clock::now();
  ASSERT_TRUE(session.run().ok());
  const auto whole = steady_clock::now() - begin;
  begin = steady_clock::now();
  const Status late = session.run({.deadline = begin + whole / 10});
  const auto stopped = steady_clock::now() - begin;
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().code, ErrorCode::kDeadline) << late.error().str();
  EXPECT_LT(stopped, whole * 3 / 4);
  EXPECT_EQ(session.metrics().deadlines_missed, 1U);
  const Status again = session.run();
  EXPECT_TRUE(again.ok()) << again.error().str();
}

INSTANTIATE_TEST_SUITE_P(Engines, SlowRunTest, testing::ValuesIn(test::computing_targets()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace tarmac
