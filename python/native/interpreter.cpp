#include "interpreter.h"

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace tarmac::python {
namespace {

struct Use {
  std::mutex mutex;
  std::condition_variable changed;
  bool ended = false;
  int locks = 0;  ///< InterpreterLocks that are held or waited for
  int under_way = 0;
};

/// Never destroyed: threads may outlive what the process tears down at its end.
Use& use() {
  static Use* const all = new Use;  // NOLINT(cppcoreguidelines-owning-memory)
  return *all;
}

void leave(int& count) {
  const std::lock_guard lock(use().mutex);
  --count;
  use().changed.notify_all();
}

}  // namespace

InterpreterLock::InterpreterLock() {
  {
    const std::lock_guard lock(use().mutex);
    if (use().ended) return;
    ++use().locks;
  }
  lock_.emplace();
}

InterpreterLock::~InterpreterLock() {
  if (!held()) return;
  lock_.reset();
  leave(use().locks);
}

std::shared_ptr<void> work_under_way() {
  {
    const std::lock_guard lock(use().mutex);
    ++use().under_way;
  }
  return {&use(), [](void* /*all*/) { leave(use().under_way); }};
}

void end_interpreter_use() {
  constexpr auto kPatience = std::chrono::seconds(10);
  const nb::gil_scoped_release release;
  std::unique_lock lock(use().mutex);
  use().changed.wait_for(lock, kPatience, [] { return use().under_way == 0; });
  use().ended = true;
  use().changed.wait_for(lock, kPatience, [] { return use().locks == 0; });
}

}  // namespace tarmac::python
