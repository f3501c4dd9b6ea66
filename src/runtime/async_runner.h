// Runs on a thread of a session's own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <optional>
#include <thread>

#include "runtime/session_context.h"

namespace tarmac {

/// Whom to tell the end of a run: a callback or a promise. Told at most once.
class RunEnd {
 public:
  RunEnd() = default;
  explicit RunEnd(std::function<void(Status)> done) : done_(std::move(done)) {}
  explicit RunEnd(std::promise<Status> promise) : promise_(std::move(promise)) {}
  void tell(Status status);
  [[nodiscard]] bool is_promise() const { return promise_.has_value(); }

 private:
  std::function<void(Status)> done_;
  std::optional<std::promise<Status>> promise_;
};

/// What is said of a session that is asked for something while it runs.
Error run_under_way();

/// One run at a time, begun by one thread at a time or by the end of the run before. The thread starts with
/// the first run. Handing over takes one lock for a few instructions and allocates nothing.
class AsyncRunner {
 public:
  /// `context` must outlive it.
  explicit AsyncRunner(SessionContext& context) : context_(context) {}
  /// Stops a run under way, tells its end, and waits for the thread. A run that this end begins is told
  /// kCancelled, what begins after that is dropped: so it comes to an end.
  ~AsyncRunner();
  AsyncRunner(const AsyncRunner&) = delete;
  AsyncRunner& operator=(const AsyncRunner&) = delete;

  /// Takes `end` over where it gives OK. Errors, with `end` left as it was: kUsage while another run is under
  /// way, kResourceExhausted where no thread starts, kCancelled for what is to be dropped.
  Status begin(RunEnd& end, const RunOptions& options);
  [[nodiscard]] bool busy() const { return busy_; }

 private:
  struct Work {
    RunEnd end;
    RunOptions options;
  };
  Status start();
  void loop() noexcept;
  void end_run();

  SessionContext& context_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::optional<Work> next_;
  Work work_;  ///< under way
  bool stopping_ = false;
  bool dropping_ = false;
  std::atomic<bool> busy_{false};
  std::thread thread_;
};

}  // namespace tarmac
