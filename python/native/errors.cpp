#include "errors.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "interpreter.h"

namespace tarmac::python {
namespace {

/// Names in a model need not be UTF-8.
nb::object text(const std::string& bytes) {
  return nb::steal(PyUnicode_DecodeUTF8(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), "replace"));
}

class CancellableProgress final : public Progress {
 public:
  void cancel() { cancelled_ = true; }
  [[nodiscard]] bool cancelled() const override { return cancelled_; }

 private:
  std::atomic<bool> cancelled_{false};
};

}  // namespace

thread_local bool on_library_thread = false;

nb::tuple error_tuple(const Error& error) {
  return nb::make_tuple(to_string(error.code), text(error.message), text(error.node), text(error.context));
}

void raise(const Error& error) {
  const nb::object make = nb::module_::import_("tarmac._errors").attr("make_error");
  const nb::object exception = make(*error_tuple(error));
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception.ptr())), exception.ptr());
  throw nb::python_error();
}

void run_interruptible(const std::function<void(Progress&)>& work) {
  CancellableProgress progress;
  std::optional<nb::python_error> interruption;
  std::optional<std::string> bug;
  {
    const nb::gil_scoped_release release;
    std::mutex mutex;
    std::condition_variable ended;
    bool done = false;
    std::thread worker([&] {
      try {
        work(progress);
      } catch (const std::exception& exception) {
        bug = exception.what();
      }
      const std::lock_guard lock(mutex);
      done = true;
      ended.notify_one();
    });
    std::unique_lock lock(mutex);
    while (!ended.wait_for(lock, std::chrono::milliseconds(50), [&] { return done; })) {
      lock.unlock();
      if (!interruption) {
        const nb::gil_scoped_acquire acquire;
        if (PyErr_CheckSignals() != 0) {
          interruption.emplace();
          progress.cancel();
        }
      }
      lock.lock();
    }
    lock.unlock();
    worker.join();
  }
  if (interruption) throw nb::python_error(*interruption);
  if (bug) raise(make_error(ErrorCode::kInternal, "unexpected: " + *bug + "; please report this"));
}

std::shared_ptr<void> share(nb::object object) {
  return {object.release().ptr(), [](void* held) {
            const InterpreterLock lock;
            if (lock.held()) Py_DECREF(static_cast<PyObject*>(held));
          }};
}

void destroy_unlocked(const std::function<void()>& destroy) {
  if (on_library_thread) {
    std::thread(destroy).detach();
  } else if (Py_IsInitialized() != 0 && PyGILState_Check() != 0) {
    const nb::gil_scoped_release release;
    destroy();
  } else {
    destroy();
  }
}

}  // namespace tarmac::python
