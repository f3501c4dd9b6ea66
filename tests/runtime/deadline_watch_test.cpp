#include "runtime/deadline_watch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <vector>

#include "support/expect.h"

namespace tarmac {
namespace {

using Clock = DeadlineWatch::Clock;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using test::expect_error;
using test::expect_ok;

/// Runs until it is cancelled, or for a given time. It stands for no engine: what is tested here is who calls
/// cancel(), and when.
class WaitingContext final : public Context {
 public:
  Status set_input(const std::string& /*name*/, const Tensor& /*tensor*/) override { return {}; }
  Status set_output(const std::string& /*name*/, const Tensor& /*tensor*/) override { return {}; }
  void unbind_inputs() override {}
  Status read_output(const std::string& /*name*/, Tensor& /*result*/) override { return {}; }
  Result<Tensor> output(const std::string& /*name*/) override { return Tensor(); }
  Result<std::vector<NodeTime>> profile() override { return std::vector<NodeTime>(); }

  Status run() override {
    running = true;
    const auto until = Clock::now() + longest;
    while (Clock::now() < until && !cancelled) std::this_thread::sleep_for(microseconds(50));
    running = false;
    if (cancelled.exchange(false)) return make_error(ErrorCode::kCancelled, "cancelled");
    return {};
  }

  void cancel() override {
    ++calls;
    if (running) cancelled = true;
  }

  milliseconds longest{10'000};
  std::atomic<bool> running{false};
  std::atomic<bool> cancelled{false};
  std::atomic<int> calls{0};
};

TEST(DeadlineWatchTest, CancelsARunThatIsLate) {
  const auto watch = expect_ok(DeadlineWatch::shared());
  WaitingContext context;
  DeadlineTimer timer(watch, context);
  const auto begin = Clock::now();
  expect_ok(timer.arm(begin + milliseconds(20)));
  expect_error(context.run(), ErrorCode::kCancelled);
  EXPECT_TRUE(timer.disarm());
  EXPECT_GE(Clock::now() - begin, milliseconds(20));
  EXPECT_LT(Clock::now() - begin, milliseconds(5'000));
}

TEST(DeadlineWatchTest, LeavesARunAloneThatIsInTime) {
  const auto watch = expect_ok(DeadlineWatch::shared());
  WaitingContext context;
  context.longest = milliseconds(2);
  DeadlineTimer timer(watch, context);
  for (int i = 0; i < 20; ++i) {
    expect_ok(timer.arm(Clock::now() + milliseconds(10'000)));
    expect_ok(context.run());
    EXPECT_FALSE(timer.disarm());
  }
  EXPECT_EQ(context.calls, 0);
}

TEST(DeadlineWatchTest, CancelsAgainWhereTheEngineHadNotBegun) {
  const auto watch = expect_ok(DeadlineWatch::shared());
  WaitingContext context;
  DeadlineTimer timer(watch, context);
  expect_ok(timer.arm(Clock::now() - milliseconds(1)));
  while (context.calls == 0) std::this_thread::sleep_for(microseconds(50));
  expect_error(context.run(), ErrorCode::kCancelled);
  EXPECT_TRUE(timer.disarm());
}

TEST(DeadlineWatchTest, SaysThatARunWasLateThatCouldNotBeCancelled) {
  const auto watch = expect_ok(DeadlineWatch::shared());
  WaitingContext context;
  DeadlineTimer timer(watch, context);
  expect_ok(timer.arm(Clock::now() + milliseconds(1)));
  std::this_thread::sleep_for(milliseconds(30));
  EXPECT_TRUE(timer.disarm());
  const int calls = context.calls;
  EXPECT_GE(calls, 2);
  EXPECT_LE(calls, 8) << "the intervals between calls should grow";
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(context.calls, calls) << "cancel() was called after disarm()";
}

TEST(DeadlineWatchTest, WakesForADeadlineThatComesBeforeThoseThatWait) {
  const auto watch = expect_ok(DeadlineWatch::shared());
  WaitingContext patient;
  WaitingContext hasty;
  DeadlineTimer long_timer(watch, patient);
  DeadlineTimer short_timer(watch, hasty);
  expect_ok(long_timer.arm(Clock::now() + milliseconds(60'000)));
  expect_ok(short_timer.arm(Clock::now() + milliseconds(5)));
  expect_error(hasty.run(), ErrorCode::kCancelled);
  EXPECT_TRUE(short_timer.disarm());
  EXPECT_FALSE(long_timer.disarm());
  EXPECT_EQ(patient.calls, 0);
}

TEST(DeadlineWatchTest, DisarmingTwiceOrUnarmedDoesNothing) {
  const auto watch = expect_ok(DeadlineWatch::shared());
  WaitingContext context;
  DeadlineTimer timer(watch, context);
  EXPECT_FALSE(timer.disarm());
  expect_ok(timer.arm(Clock::now() + milliseconds(60'000)));
  EXPECT_FALSE(timer.disarm());
  EXPECT_FALSE(timer.disarm());
}

TEST(DeadlineWatchTest, IsOneForTheProcessAndEndsWithItsLastOwner) {
  auto first = expect_ok(DeadlineWatch::shared());
  EXPECT_EQ(first, expect_ok(DeadlineWatch::shared()));
  {
    WaitingContext context;
    DeadlineTimer timer(first, context);
    expect_ok(timer.arm(Clock::now() + milliseconds(60'000)));
  }
  const std::weak_ptr<DeadlineWatch> gone = first;
  first.reset();
  EXPECT_TRUE(gone.expired());
}

TEST(DeadlineWatchTest, ServesManyThreadsWithDeadlinesInAnyOrder) {
  const auto watch = expect_ok(DeadlineWatch::shared());
  std::vector<std::thread> threads;
  std::atomic<int> late{0};
  for (unsigned seed = 0; seed < 4; ++seed) {
    threads.emplace_back([&, seed] {
      std::mt19937 random(seed);
      WaitingContext context;
      DeadlineTimer timer(watch, context);
      for (int i = 0; i < 200; ++i) {
        const auto deadline = Clock::now() + microseconds(random() % 3000);
        context.longest = milliseconds(random() % 3);
        const bool armed = timer.arm(deadline).ok();
        EXPECT_TRUE(armed);
        const Status status = context.run();
        const bool missed = timer.disarm();
        EXPECT_TRUE(!missed || Clock::now() >= deadline);
        EXPECT_TRUE(status.ok() || missed) << "cancelled before its deadline";
        context.cancelled = false;
        late += missed ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(late, 0);
  EXPECT_LT(late, 800);
}

}  // namespace
}  // namespace tarmac
