#include "runtime/together.h"

#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace tarmac {
namespace {

constexpr std::chrono::milliseconds kPollInterval{20};

}  // namespace

Together::Together(std::size_t threads) : start_(static_cast<std::ptrdiff_t>(threads), NoteTime{&begin_}) {}

Together::Clock::time_point Together::wait() {
  start_.arrive_and_wait();
  return Clock::time_point(Clock::duration(begin_.load()));
}

std::uint64_t Together::milliseconds() const {
  const Clock::rep begin = begin_;
  if (begin == 0) return 0;
  const auto passed = Clock::now() - Clock::time_point(Clock::duration(begin));
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(passed).count());
}

Status run_together(std::size_t threads, const std::function<void(std::size_t, Together&)>& body,
                    Progress& progress) {
  Together together(threads);
  std::atomic<std::size_t> running{0};
  std::vector<std::thread> started;
  Status status;
  for (std::size_t i = 0; i < threads; ++i) {
    ++running;
    try {
      started.emplace_back([&, i] {
        body(i, together);
        --running;
      });
    } catch (const std::system_error& failure) {
      --running;
      together.stop();
      // So that the threads there are do not wait for those that never come.
      for (std::size_t missing = i; missing < threads; ++missing) together.start_.arrive_and_drop();
      status = make_error(ErrorCode::kResourceExhausted, "cannot start thread " + std::to_string(i + 1) +
                                                             " of " + std::to_string(threads) + ": " +
                                                             failure.what() + "; ask for fewer at once");
      break;
    }
  }
  std::uint64_t shown_ms = 0;
  while (running > 0) {
    if (progress.cancelled()) together.stop();
    std::this_thread::sleep_for(kPollInterval);
    const std::uint64_t now_ms = together.milliseconds();
    if (now_ms > shown_ms) progress.advance(now_ms - shown_ms);
    shown_ms = now_ms;
  }
  for (std::thread& thread : started) thread.join();
  if (status.ok() && progress.cancelled())
    return make_error(ErrorCode::kCancelled, "the measurement was interrupted");
  return status;
}

}  // namespace tarmac
