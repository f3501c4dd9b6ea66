#include "tarmac/tracer.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <string_view>
#include <vector>

#include "base/edge.h"
#include "base/file.h"

namespace tarmac {
namespace {

using Nanoseconds = std::chrono::nanoseconds;

std::int64_t since_start_of_clock(Tracer::Clock::time_point time) {
  return std::chrono::duration_cast<Nanoseconds>(time.time_since_epoch()).count();
}

/// The kernel's number of the calling thread, asked once a thread.
std::int64_t thread_number() {
  static thread_local const std::int64_t number = ::gettid();
  return number;
}

struct CompleteEvent {
  const char* name = nullptr;
  std::int64_t begin_ns = 0;
  std::int64_t duration_ns = 0;
  std::uint64_t id = 0;
  std::int64_t thread = 0;
};

/// What is not printable ASCII becomes a question mark: names are words, and must not break the file.
std::string json_string(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c >= ' ' && c <= '~' ? c : '?';
  }
  return quoted + "\"";
}

/// The name that the system has for a thread of this process; its number where it has ended.
std::string thread_name(std::int64_t thread) {
  std::ifstream file(fmt::format("/proc/self/task/{}/comm", thread));
  std::string name;
  return std::getline(file, name) ? name : fmt::format("thread {}", thread);
}

}  // namespace

/// A sequence lock whose fields are atomics too, since they are read while they may be written: `turn` is odd
/// while they are, and 2 · (number of the span + 1) afterwards.
struct Tracer::Slot {
  std::atomic<std::uint64_t> turn{0};
  std::atomic<const char*> name{nullptr};
  std::atomic<std::int64_t> begin_ns{0};
  std::atomic<std::int64_t> duration_ns{0};
  std::atomic<std::uint64_t> id{0};
  std::atomic<std::int64_t> thread{0};
};

Tracer::Tracer(std::size_t capacity) : slots_(new Slot[capacity]), capacity_(capacity) {}
Tracer::~Tracer() = default;

Result<std::shared_ptr<Tracer>> Tracer::create(std::size_t capacity) {
  return at_edge([&]() -> Result<std::shared_ptr<Tracer>> {
    return std::shared_ptr<Tracer>(new Tracer(std::max<std::size_t>(1, capacity)));
  });
}

void Tracer::add(const char* name, Clock::time_point begin, Clock::time_point end, std::uint64_t id) {
  const std::uint64_t number = next_.fetch_add(1, std::memory_order_relaxed);
  Slot& slot = slots_[number % capacity_];
  const std::uint64_t mine = 2 * number + 1;
  // A thread that slept for a whole round of the ring may meet another in its slot: the later span stays.
  std::uint64_t turn = slot.turn.load(std::memory_order_relaxed);
  do {
    if (turn % 2 == 1 || turn > mine) {
      lost_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
  } while (
      !slot.turn.compare_exchange_weak(turn, mine, std::memory_order_acquire, std::memory_order_relaxed));
  slot.name.store(name, std::memory_order_release);
  slot.begin_ns.store(since_start_of_clock(begin), std::memory_order_release);
  slot.duration_ns.store(
      std::max<std::int64_t>(0, std::chrono::duration_cast<Nanoseconds>(end - begin).count()),
      std::memory_order_release);
  slot.id.store(id, std::memory_order_release);
  slot.thread.store(thread_number(), std::memory_order_release);
  slot.turn.store(mine + 1, std::memory_order_release);
}

std::uint64_t Tracer::dropped() const {
  const std::uint64_t added = next_.load(std::memory_order_relaxed);
  return (added > capacity_ ? added - capacity_ : 0) + lost_.load(std::memory_order_relaxed);
}

std::string Tracer::chrome_trace() const {
  std::vector<CompleteEvent> events;
  events.reserve(std::min<std::uint64_t>(capacity_, next_.load(std::memory_order_relaxed)));
  for (std::size_t i = 0; i < capacity_; ++i) {
    const Slot& slot = slots_[i];
    const std::uint64_t turn = slot.turn.load(std::memory_order_acquire);
    if (turn == 0 || turn % 2 == 1) continue;
    // Acquiring loads keep the second look at `turn` behind them; the writer's stores release, so whoever
    // sees a later span's field sees its odd turn too.
    const CompleteEvent event{
        slot.name.load(std::memory_order_acquire), slot.begin_ns.load(std::memory_order_acquire),
        slot.duration_ns.load(std::memory_order_acquire), slot.id.load(std::memory_order_acquire),
        slot.thread.load(std::memory_order_acquire)};
    if (slot.turn.load(std::memory_order_relaxed) == turn) events.push_back(event);
  }
  std::sort(events.begin(), events.end(),
            [](const CompleteEvent& a, const CompleteEvent& b) { return a.begin_ns < b.begin_ns; });

  const int process = ::getpid();
  std::set<std::int64_t> threads;
  for (const CompleteEvent& event : events) threads.insert(event.thread);
  std::string text = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n";
  const auto out = std::back_inserter(text);
  fmt::format_to(out, R"({{"ph":"M","name":"process_name","pid":{},"args":{{"name":"tarmac"}}}})", process);
  for (const std::int64_t thread : threads) {
    fmt::format_to(out,
                   ",\n"
                   R"({{"ph":"M","name":"thread_name","pid":{},"tid":{},"args":{{"name":{}}}}})",
                   process, thread, json_string(thread_name(thread)));
  }
  for (const CompleteEvent& event : events) {
    fmt::format_to(
        out,
        ",\n"
        R"({{"ph":"X","cat":"tarmac","name":{},"ts":{}.{:03},"dur":{}.{:03},"pid":{},"tid":{},"args":{{"id":{}}}}})",
        json_string(event.name), event.begin_ns / 1000, event.begin_ns % 1000, event.duration_ns / 1000,
        event.duration_ns % 1000, process, event.thread, event.id);
  }
  return text + "\n]}\n";
}

Status Tracer::write_chrome_trace(const std::filesystem::path& path) const {
  return at_edge([&] { return write_file(path, chrome_trace()); });
}

}  // namespace tarmac
