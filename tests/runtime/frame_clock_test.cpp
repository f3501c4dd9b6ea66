#include "runtime/frame_clock.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

namespace tarmac {
namespace {

using std::chrono::milliseconds;

TEST(FrameClock, GivesTheNextFrameToAWorkerThatKeepsUp) {
  FrameClock clock(10, 3, milliseconds(100));
  EXPECT_EQ(clock.take(milliseconds(0)), 0);
  EXPECT_EQ(clock.take(milliseconds(30)), 1) << "not due yet, but the next to come";
  EXPECT_EQ(clock.due(1), milliseconds(100));
  EXPECT_EQ(clock.take(milliseconds(150)), 2);
  EXPECT_EQ(clock.take(milliseconds(250)), std::nullopt);
  EXPECT_EQ(clock.dropped(), 0);
}

TEST(FrameClock, TakesTheNewestAndDropsWhatCameBefore) {
  FrameClock clock(10, 100, milliseconds(100));
  EXPECT_EQ(clock.take(milliseconds(0)), 0);
  EXPECT_EQ(clock.take(milliseconds(550)), 5) << "1 to 4 came while 0 was worked on";
  EXPECT_EQ(clock.dropped(), 4);
}

TEST(FrameClock, DropsAFrameWhoseDeadlineHasPassed) {
  FrameClock clock(10, 100, milliseconds(40));
  EXPECT_EQ(clock.take(milliseconds(0)), 0);
  EXPECT_EQ(clock.take(milliseconds(139)), 1);
  EXPECT_EQ(clock.take(milliseconds(241)), 3) << "2 was due at 200";
  EXPECT_EQ(clock.dropped(), 1);
  EXPECT_FALSE(clock.late(3, milliseconds(340)));
  EXPECT_TRUE(clock.late(3, milliseconds(341)));
}

TEST(FrameClock, CountsWhatIsLeftWhenTheEndHasPassed) {
  FrameClock clock(10, 10, milliseconds(100));
  EXPECT_EQ(clock.take(milliseconds(0)), 0);
  EXPECT_EQ(clock.take(milliseconds(60'000)), std::nullopt);
  EXPECT_EQ(clock.dropped(), 9);
  EXPECT_EQ(clock.take(milliseconds(60'001)), std::nullopt);
  EXPECT_EQ(clock.dropped(), 9);
}

TEST(FrameClock, ALongDeadlineDoesNotMakeAQueue) {
  FrameClock clock(10, 100, milliseconds(1000));
  EXPECT_EQ(clock.take(milliseconds(0)), 0);
  EXPECT_EQ(clock.take(milliseconds(320)), 3);
  EXPECT_EQ(clock.dropped(), 2);
}

TEST(FrameClock, DueTimesDoNotDrift) {
  const FrameClock clock(30, 1'000'000, milliseconds(30));
  EXPECT_EQ(clock.due(3), milliseconds(100));
  EXPECT_EQ(clock.due(900'000), std::chrono::seconds(30'000));
}

TEST(FrameClock, SeveralWorkersTakeEachFrameOnce) {
  constexpr std::int64_t kFrames = 20'000;
  FrameClock clock(1000, kFrames, milliseconds(1));
  std::vector<std::vector<std::int64_t>> taken(4);
  std::vector<std::thread> workers;
  for (auto& mine : taken) {
    workers.emplace_back([&] {
      // Every seventh frame takes two periods.
      for (auto now = milliseconds(0); const auto frame = clock.take(now);) {
        mine.push_back(*frame);
        now = std::chrono::ceil<milliseconds>(std::max<FrameClock::Time>(now, clock.due(*frame))) +
              milliseconds(*frame % 7 == 0 ? 2 : 0);
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  std::set<std::int64_t> all;
  std::size_t count = 0;
  for (const auto& mine : taken) {
    all.insert(mine.begin(), mine.end());
    count += mine.size();
  }
  EXPECT_EQ(all.size(), count);
  EXPECT_EQ(static_cast<std::int64_t>(count) + clock.dropped(), kFrames);
}

}  // namespace
}  // namespace tarmac
