#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include "arrays.h"
#include "batcher.h"
#include "interpreter.h"
#include "session.h"
#include "tarmac/batcher.h"

namespace tarmac::python {
namespace {

class PyBatcher {
 public:
  PyBatcher(const PySession& session, std::int64_t max_batch, double max_wait_s, int contexts,
            std::size_t max_queue, PyPool& pool) {
    const auto core = session.core();
    inputs_ = core->session().inputs();
    BatcherOptions options;
    options.max_batch = max_batch;
    options.max_wait = std::chrono::nanoseconds(static_cast<std::int64_t>(max_wait_s * 1e9));
    options.contexts = contexts;
    options.max_queue = max_queue;
    options.results = pool.get();
    batcher_ = own_threaded(std::make_unique<Batcher>(
        value_of(unlocked([&] { return Batcher::create(core->session(), options); }))));
  }

  void submit(nb::handle inputs, const std::optional<double>& deadline_s, nb::object done) const {
    if (batcher_ == nullptr) raise(make_error(ErrorCode::kUsage, "the batcher is closed"));
    NamedTensors tensors = to_tensors(inputs, inputs_);
    const RunOptions options = run_options(deadline_s);
    const std::shared_ptr<Batcher> batcher = batcher_;
    auto function = std::make_shared<std::shared_ptr<void>>(share(std::move(done)));
    unlocked([&] {
      batcher->submit(
          std::move(tensors),
          [function, pending = work_under_way()](Batcher::Result result) {
            const bool nested = on_library_thread;
            on_library_thread = true;
            tell(std::move(*function), result ? nullptr : &result.error(), [&] {
              nb::dict dict;
              for (const auto& [name, tensor] : *result) dict[nb::str(name.c_str())] = to_numpy(tensor, true);
              return nb::object(dict);
            });
            on_library_thread = nested;
          },
          options);
    });
  }

  void close() { batcher_.reset(); }

 private:
  std::vector<TensorSpec> inputs_;
  std::shared_ptr<Batcher> batcher_;
};

}  // namespace

void bind_batcher(nb::module_& module) {
  nb::class_<PyBatcher>(module, "Batcher")
      .def(nb::init<const PySession&, std::int64_t, double, int, std::size_t, PyPool&>())
      .def("submit", &PyBatcher::submit, nb::arg("inputs"), nb::arg("deadline_s").none(), nb::arg("done"))
      .def("close", &PyBatcher::close);
}

}  // namespace tarmac::python
