// tarmac._native: what the Python files of the package stand on. Reports cross as JSON text, tensors as numpy
// arrays over the same memory. The types and the words for users are in those files.
#include <nanobind/nanobind.h>

#include "base/log.h"
#include "batcher.h"
#include "errors.h"
#include "interpreter.h"
#include "model.h"
#include "session.h"
#include "tarmac/version.h"
#include "work.h"

namespace tarmac::python {
namespace {

int python_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return 10;
    case LogLevel::kInfo:
      return 20;
    case LogLevel::kWarning:
      return 30;
    case LogLevel::kError:
      return 40;
  }
  return 40;
}

/// The library's lines go to the logger "tarmac", until the interpreter ends.
void connect_log() {
  const std::shared_ptr<void> shared =
      share(nb::module_::import_("logging").attr("getLogger")("tarmac").attr("log"));
  set_log_sink([shared](LogLevel level, const std::string& message) {
    const InterpreterLock lock;
    if (!lock.held()) return;
    try {
      const nb::object text =
          nb::steal(PyUnicode_DecodeUTF8(message.data(), static_cast<Py_ssize_t>(message.size()), "replace"));
      nb::handle(static_cast<PyObject*>(shared.get()))(python_level(level), text);
    } catch (nb::python_error& raised) {
      raised.discard_as_unraisable("tarmac: logging");
    }
  });
  nb::module_::import_("atexit").attr("register")(nb::cpp_function([] {
    end_interpreter_use();
    set_log_sink({});
  }));
}

}  // namespace
}  // namespace tarmac::python

NB_MODULE(_native, module) {
  using namespace tarmac::python;  // NOLINT(google-build-using-namespace)
  module.doc() = "Tarmac's library; use the package tarmac";
  module.def("version", &tarmac::version);
  nb::set_leak_warnings(false);  // a session of a notebook lives to the end
  connect_log();
  bind_model(module);
  bind_work(module);
  bind_session(module);
  bind_batcher(module);
}
