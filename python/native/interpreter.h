// The interpreter's lock on threads that Python did not make, and the end of the interpreter.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <optional>

namespace tarmac::python {

namespace nb = nanobind;

/// The interpreter's lock, taken on any thread. Python ends a thread by force that asks for it once the
/// interpreter ends, in the middle of our code; so from then on it is not taken, held() is false, and nothing
/// of Python may be touched.
class InterpreterLock {
 public:
  InterpreterLock();
  ~InterpreterLock();
  InterpreterLock(const InterpreterLock&) = delete;
  InterpreterLock& operator=(const InterpreterLock&) = delete;

  [[nodiscard]] bool held() const { return lock_.has_value(); }

 private:
  std::optional<nb::gil_scoped_acquire> lock_;
};

/// Something under way that will call back; let go of it after the call.
std::shared_ptr<void> work_under_way();

/// To be registered with Python's atexit. Waits for what is under way, as concurrent.futures does, but ten
/// seconds at most; then no thread of ours takes the interpreter's lock again. The lock must be held.
void end_interpreter_use();

}  // namespace tarmac::python
