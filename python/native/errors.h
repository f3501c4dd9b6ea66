// Errors as exceptions, and long work that Ctrl-C stops.
#pragma once

#include <nanobind/nanobind.h>

#include <functional>
#include <memory>
#include <optional>

#include "base/progress.h"
#include "tarmac/result.h"

namespace tarmac::python {

namespace nb = nanobind;

/// Raises the exception of tarmac._errors for this code. The interpreter's lock must be held, here and below.
[[noreturn]] void raise(const Error& error);
/// (code, message, node, context), as make_error() of tarmac._errors takes them.
nb::tuple error_tuple(const Error& error);

inline void check(const Status& status) {
  if (!status) raise(status.error());
}
template <typename T>
T value_of(Result<T> result) {
  if (!result) raise(result.error());
  return *std::move(result);
}

/// Runs `work` on a thread of its own without the interpreter's lock. Signals are handled meanwhile: where a
/// handler raises, as that of Ctrl-C does, the work is cancelled, and its exception comes out once the work
/// has ended.
void run_interruptible(const std::function<void(Progress&)>& work);

/// The same for work that gives a result.
template <typename Work>
auto interruptible(Work&& work) {
  std::optional<std::invoke_result_t<Work, Progress&>> result;
  run_interruptible([&](Progress& progress) { result.emplace(work(progress)); });
  if constexpr (std::is_same_v<std::invoke_result_t<Work, Progress&>, Status>) {
    check(*result);
  } else {
    return value_of(*std::move(result));
  }
}

/// Calls `body` without the interpreter's lock.
template <typename Body>
auto unlocked(Body&& body) {
  const nb::gil_scoped_release release;
  return body();
}

/// A Python object that may be let go of on any thread, with or without the interpreter's lock.
std::shared_ptr<void> share(nb::object object);

/// Set while this thread belongs to an object of the library whose destructor would wait for it.
extern thread_local bool on_library_thread;

/// An owner of something whose destructor waits for threads that may want the interpreter's lock: it is
/// destroyed without it, and elsewhere where the last owner is let go of on such a thread itself.
template <typename T>
std::shared_ptr<T> own_threaded(std::unique_ptr<T> object);

void destroy_unlocked(const std::function<void()>& destroy);

template <typename T>
std::shared_ptr<T> own_threaded(std::unique_ptr<T> object) {
  return std::shared_ptr<T>(object.release(), [](T* held) { destroy_unlocked([held] { delete held; }); });
}

}  // namespace tarmac::python
