#include "tarmac/tracer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <set>
#include <thread>
#include <vector>

#include "base/file.h"
#include "support/expect.h"
#include "support/temporary_folder.h"

namespace tarmac {
namespace {

using Json = nlohmann::json;
using std::chrono::microseconds;
using std::chrono::nanoseconds;
using test::expect_error;
using test::expect_ok;

Tracer::Clock::time_point at(std::int64_t ns) { return Tracer::Clock::time_point(nanoseconds(ns)); }

/// The events of one phase ("X": spans, "M": names).
std::vector<Json> events_of(const Tracer& tracer, const std::string& phase) {
  std::vector<Json> events;
  const Json trace = Json::parse(tracer.chrome_trace());
  for (const Json& event : trace.at("traceEvents")) {
    if (event.at("ph") == phase) events.push_back(event);
  }
  return events;
}

TEST(TracerTest, WritesSpansInMicrosecondsInTheOrderOfTheirBeginning) {
  const auto tracer = expect_ok(Tracer::create(16));
  tracer->add("later", at(5'000'250), at(7'000'000), 8);
  tracer->add("earlier", at(1'000'007), at(2'500'008), 7);
  const auto spans = events_of(*tracer, "X");
  ASSERT_EQ(spans.size(), 2U);
  EXPECT_EQ(spans[0].at("name"), "earlier");
  EXPECT_DOUBLE_EQ(spans[0].at("ts").get<double>(), 1000.007);
  EXPECT_DOUBLE_EQ(spans[0].at("dur").get<double>(), 1500.001);
  EXPECT_EQ(spans[0].at("pid"), ::getpid());
  EXPECT_EQ(spans[0].at("tid"), ::gettid());
  EXPECT_EQ(spans[0].at("args").at("id"), 7);
  EXPECT_EQ(spans[1].at("name"), "later");
  EXPECT_EQ(tracer->dropped(), 0U);
}

TEST(TracerTest, NamesProcessAndThreads) {
  const auto tracer = expect_ok(Tracer::create(16));
  std::thread worker([&] {
    ::pthread_setname_np(::pthread_self(), "camera \"1\"");
    tracer->add("work", at(1), at(2));
    std::set<std::string> names;
    for (const Json& event : events_of(*tracer, "M")) names.insert(event.at("args").at("name"));
    EXPECT_THAT(names, testing::ElementsAre("camera \"1\"", "tarmac"));
  });
  worker.join();
  EXPECT_THAT(events_of(*tracer, "M").back().at("args").at("name").get<std::string>(),
              testing::StartsWith("thread "));
}

TEST(TracerTest, KeepsTheLatestSpansAndCountsTheOthers) {
  const auto tracer = expect_ok(Tracer::create(4));
  for (std::uint64_t i = 0; i < 11; ++i)
    tracer->add("frame", at(10 * static_cast<std::int64_t>(i)), at(5), i);
  std::set<std::uint64_t> kept;
  for (const Json& span : events_of(*tracer, "X")) kept.insert(span.at("args").at("id").get<std::uint64_t>());
  EXPECT_THAT(kept, testing::ElementsAre(7, 8, 9, 10));
  EXPECT_EQ(tracer->dropped(), 7U);
}

TEST(TracerTest, IsReadWhileManyThreadsAdd) {
  const auto tracer = expect_ok(Tracer::create(8));  // so small that writers meet
  constexpr int kThreads = 4;
  constexpr std::uint64_t kSpans = 20'000;
  static const char* const kNames[kThreads] = {"a", "b", "c", "d"};
  std::vector<std::thread> writers;
  for (int t = 0; t < kThreads; ++t) {
    writers.emplace_back([&, t] {
      // All numbers of a span follow from its id, so a mixture of two would show.
      for (std::uint64_t i = 0; i < kSpans; ++i) {
        const std::uint64_t id = i * kThreads + static_cast<std::uint64_t>(t);
        const auto begin = static_cast<std::int64_t>(1000 * id);
        tracer->add(kNames[t], at(begin), at(3 * begin), id);
      }
    });
  }
  const auto check = [&] {
    const auto spans = events_of(*tracer, "X");
    EXPECT_LE(spans.size(), 8U);
    for (const Json& span : spans) {
      const auto id = span.at("args").at("id").get<std::uint64_t>();
      EXPECT_EQ(span.at("name"), kNames[id % kThreads]);
      EXPECT_EQ(span.at("ts").get<double>(), static_cast<double>(id));
      EXPECT_EQ(span.at("dur").get<double>(), static_cast<double>(2 * id));
    }
    return spans.size();
  };
  for (int i = 0; i < 200; ++i) check();
  for (std::thread& writer : writers) writer.join();
  EXPECT_GE(check(), 1U);
  EXPECT_GE(tracer->dropped(), kThreads * kSpans - 8);
}

TEST(TracerTest, SpansMeasureTheirScopeAndDoNothingWithoutATracer) {
  const auto tracer = expect_ok(Tracer::create());
  {
    const Span outer(tracer.get(), "outer", 3);
    const Span nowhere(nullptr, "nowhere");
    const Span inner(tracer.get(), "inner");
    std::this_thread::sleep_for(microseconds(200));
  }
  const auto spans = events_of(*tracer, "X");
  ASSERT_EQ(spans.size(), 2U);
  EXPECT_EQ(spans[0].at("name"), "outer");
  EXPECT_EQ(spans[0].at("args").at("id"), 3);
  EXPECT_GE(spans[1].at("dur").get<double>(), 200.0);
  const auto end = [](const Json& span) {
    return span.at("ts").get<double>() + span.at("dur").get<double>();
  };
  EXPECT_GE(end(spans[0]), end(spans[1]));
}

TEST(TracerTest, WritesAFileOrSaysWhyNot) {
  const test::TemporaryFolder folder;
  const auto tracer = expect_ok(Tracer::create(4));
  tracer->add("frame", at(1), at(2));
  expect_ok(tracer->write_chrome_trace(folder / "trace.json"));
  EXPECT_EQ(expect_ok(read_file(folder / "trace.json")), tracer->chrome_trace());
  expect_error(tracer->write_chrome_trace(folder / "nowhere" / "trace.json"), ErrorCode::kNotFound,
               "nowhere");
}

TEST(TracerTest, RefusesACapacityThatMemoryDoesNotHold) {
  expect_error(Tracer::create(std::size_t{1} << 60U), ErrorCode::kResourceExhausted);
}

}  // namespace
}  // namespace tarmac
