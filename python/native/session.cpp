#include "session.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "arrays.h"
#include "interpreter.h"
#include "json.h"
#include "report/model_json.h"

namespace tarmac::python {
namespace {

using StateWords = std::vector<std::tuple<std::string, std::string, std::string>>;

SessionOptions session_options(const nb::dict& options) {
  SessionOptions result;
  result.target = nb::cast<std::string>(options["target"]);
  result.cores = nb::cast<int>(options["cores"]);
  result.streams = nb::cast<int>(options["streams"]);
  result.providers = nb::cast<std::vector<std::string>>(options["providers"]);
  result.allow_fallback = nb::cast<bool>(options["allow_fallback"]);
  result.profile = nb::cast<bool>(options["profile"]);
  result.strict = nb::cast<bool>(options["strict"]);
  result.required_signer = nb::cast<std::string>(options["required_signer"]);
  for (const auto& [output, input, first] : nb::cast<StateWords>(options["state"]))
    result.state.push_back({output, input, first});
  if (nb::cast<bool>(options["trace"])) result.tracer = value_of(Tracer::create());
  return result;
}

PySession open_session(const std::string& path, const nb::dict& options, PyPool& pool) {
  const SessionOptions wanted = session_options(options);
  return PySession(interruptible([&](Progress&) -> Result<std::unique_ptr<OutputSession>> {
    TARMAC_TRY(Session session, Session::open(path, wanted));
    return std::make_unique<OutputSession>(std::move(session), pool.get(), wanted.state);
  }));
}

PySession clone(const PySession& from) {
  const auto core = from.core();
  return PySession(value_of(unlocked([&]() -> Result<std::unique_ptr<OutputSession>> {
    TARMAC_TRY(Session session, core->session().clone_context());
    return std::make_unique<OutputSession>(std::move(session), core->pool(), core->state());
  })));
}

using Names = std::optional<std::vector<std::string>>;

nb::dict run(const PySession& session, nb::handle inputs, const Names& outputs,
             const std::optional<double>& deadline_s) {
  const auto core = session.core();
  const NamedTensors tensors = to_tensors(inputs, core->session().inputs());
  const RunOptions options = run_options(deadline_s);
  return to_dict(value_of(
      unlocked([&] { return core->run(tensors, outputs.value_or(std::vector<std::string>()), options); })));
}

void run_async(const PySession& session, nb::handle inputs, const Names& outputs,
               const std::optional<double>& deadline_s, nb::object done) {
  const auto core = session.core();
  const NamedTensors tensors = to_tensors(inputs, core->session().inputs());
  const RunOptions options = run_options(deadline_s);
  const std::shared_ptr<void> function = share(std::move(done));
  check(unlocked([&] {
    return core->run_async(core, tensors, outputs.value_or(std::vector<std::string>()), options,
                           [function, pending = work_under_way()](const Result<std::vector<Taken>>& results) {
                             tell(function, results ? nullptr : &results.error(),
                                  [&] { return nb::object(to_dict(*results)); });
                           });
  }));
}

nb::list run_batch(const PySession& session, const nb::list& items, std::int64_t batch) {
  const auto core = session.core();
  std::vector<NamedTensors> tensors;
  for (const nb::handle item : items) tensors.push_back(to_tensors(item, core->session().inputs()));
  const auto results = value_of(unlocked([&] { return core->run_batch(tensors, batch); }));
  nb::list list;
  for (const NamedTensors& result : results) {
    nb::dict dict;
    for (const auto& [name, tensor] : result) dict[nb::str(name.c_str())] = to_numpy(tensor, true);
    list.append(dict);
  }
  return list;
}

/// Pixels of 8 bits in memory, whose rows may be further apart than they are long.
struct Pixels {
  nb::ndarray<const std::uint8_t, nb::device::cpu> array;
  CameraFrame frame;
};

Pixels to_frame(nb::handle picture, const std::string& format) {
  Pixels pixels;
  const auto wrong = [](const std::string& what) { raise(make_error(ErrorCode::kInvalidInput, what)); };
  if (!nb::try_cast(picture, pixels.array, false))
    wrong("expected a picture's file name, or pixels as an array of uint8 in the processor's memory");
  const auto& array = pixels.array;
  const bool is_nv12 = format == "nv12";
  const bool is_yuyv = format == "yuyv";
  if (!is_nv12 && !is_yuyv && format != "rgb" && format != "bgr") {
    raise(make_error(ErrorCode::kUsage, "format: expected bgr, rgb, nv12 or yuyv, found '" + format + "'"));
  }
  const std::size_t rank = is_nv12 ? 2 : 3;
  const std::int64_t channels = is_nv12 ? 1 : is_yuyv ? 2 : 3;
  if (array.ndim() != rank ||
      (rank == 3 && (array.shape(2) != static_cast<std::size_t>(channels) || array.stride(2) != 1)) ||
      array.stride(1) != channels || array.stride(0) < static_cast<std::int64_t>(array.shape(1)) * channels) {
    wrong("pixels of '" + format + "' are an array of uint8 with the shape " +
          (is_nv12   ? "[height * 3 / 2, width]"
           : is_yuyv ? "[height, width, 2]"
                     : "[height, width, 3]") +
          " whose rows are dense; this one has another shape or strides");
  }
  if (is_nv12 && array.shape(0) % 3 != 0) wrong("nv12 has three rows for each two rows of the picture");
  CameraFrame& frame = pixels.frame;
  frame.format = is_nv12           ? PixelFormat::kNv12
                 : is_yuyv         ? PixelFormat::kYuyv
                 : format == "rgb" ? PixelFormat::kRgb
                                   : PixelFormat::kBgr;
  frame.height = static_cast<int>(is_nv12 ? array.shape(0) / 3 * 2 : array.shape(0));
  frame.width = static_cast<int>(array.shape(1));
  frame.data = array.data();
  frame.row_bytes = static_cast<std::size_t>(array.stride(0));
  if (is_nv12) {
    frame.chroma = frame.data + frame.row_bytes * static_cast<std::size_t>(frame.height);
    frame.chroma_row_bytes = frame.row_bytes;
  }
  return pixels;
}

nb::dict metrics(const Metrics& counts) {
  nb::dict dict;
  dict["runs"] = counts.runs.load();
  dict["failures"] = counts.failures.load();
  dict["deadlines_missed"] = counts.deadlines_missed.load();
  dict["cold_shapes"] = counts.cold_shapes.load();
  dict["scenes"] = counts.scenes.load();
  dict["batches"] = counts.batches.load();
  dict["batched_items"] = counts.batched_items.load();
  dict["rejected"] = counts.rejected.load();
  dict["queued"] = counts.queued.load();
  dict["contexts"] = counts.contexts.load();
  return dict;
}

std::string node_times(const PySession& session) {
  const auto core = session.core();
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const NodeTime& time : value_of(unlocked([&] { return core->profile(); }))) {
    list.push_back({{"node", time.node},
                    {"op_type", time.op_type},
                    {"kernel", time.kernel},
                    {"time_ns", time.time_ns},
                    {"reorder", time.reorder}});
  }
  return dump(list);
}

nb::dict pool_counts(PyPool& pool) {
  const MemoryPoolCounts counts = pool.get().counts();
  nb::dict dict;
  dict["held_bytes"] = counts.held_bytes;
  dict["in_use_bytes"] = counts.in_use_bytes;
  dict["peak_in_use_bytes"] = counts.peak_in_use_bytes;
  dict["acquired"] = counts.acquired;
  dict["reused"] = counts.reused;
  dict["refused"] = counts.refused;
  return dict;
}

}  // namespace

PyPool::PyPool(std::uint64_t limit_bytes) : pool_(value_of(MemoryPool::create({limit_bytes}))) {}

std::shared_ptr<OutputSession> PySession::core() const {
  if (core_ == nullptr) raise(make_error(ErrorCode::kUsage, "the session is closed"));
  return core_;
}

NamedTensors to_tensors(nb::handle mapping, const std::vector<TensorSpec>& specs) {
  NamedTensors tensors;
  nb::dict inputs;
  if (PyDict_Update(inputs.ptr(), mapping.ptr()) != 0) throw nb::python_error();
  for (const auto [key, value] : inputs) {
    const auto name = nb::cast<std::string>(key);
    DType wanted = DType::kUndefined;
    for (const TensorSpec& spec : specs) {
      if (spec.name == name) wanted = spec.dtype;
    }
    tensors.emplace(name, to_tensor(value, wanted));
  }
  return tensors;
}

RunOptions run_options(const std::optional<double>& deadline_s) {
  RunOptions options;
  if (deadline_s) {
    options.deadline = std::chrono::steady_clock::now() +
                       std::chrono::nanoseconds(static_cast<std::int64_t>(*deadline_s * 1e9));
  }
  return options;
}

nb::dict to_dict(const std::vector<Taken>& taken) {
  nb::dict dict;
  for (const Taken& result : taken) {
    const nb::str name(result.name.c_str());
    if (result.array != nullptr) {
      dict[name] = nb::borrow(static_cast<PyObject*>(result.array.get()));
    } else {
      dict[name] = to_numpy(result.tensor, result.owner, true);
    }
  }
  return dict;
}

void tell(std::shared_ptr<void> function, const Error* error, const std::function<nb::object()>& results) {
  const InterpreterLock lock;
  if (!lock.held()) return;
  const nb::handle done(static_cast<PyObject*>(function.get()));
  try {
    if (error != nullptr) {
      done(nb::none(), error_tuple(*error));
    } else {
      done(results(), nb::none());
    }
  } catch (nb::python_error& raised) {
    raised.discard_as_unraisable("tarmac: what is called at the end of a run");
  }
  function.reset();
}

void bind_session(nb::module_& module) {
  nb::class_<PyPool>(module, "MemoryPool")
      .def(nb::init<std::uint64_t>())
      .def("empty",
           [](PyPool& pool, std::vector<std::int64_t> shape, const std::string& dtype) {
             const DType type = parse_dtype(dtype);
             return to_numpy(value_of(pool.get().acquire(type, std::move(shape))), true);
           })
      .def("counts", &pool_counts)
      .def("trim", [](PyPool& pool) { pool.get().trim(); });

  nb::class_<PySession>(module, "Session")
      .def_static("open", &open_session)
      .def("clone", &clone)
      .def("close", &PySession::close)
      .def("inputs",
           [](const PySession& session) { return dump(to_json(session.core()->session().inputs())); })
      .def("outputs",
           [](const PySession& session) { return dump(to_json(session.core()->session().outputs())); })
      .def_prop_ro("target", [](const PySession& session) { return session.core()->session().target(); })
      .def_prop_ro("engine_version",
                   [](const PySession& session) { return session.core()->session().engine_version(); })
      .def_prop_ro("notes", [](const PySession& session) { return session.core()->session().notes(); })
      .def("plan",
           [](const PySession& session) {
             const auto core = session.core();
             const PlanInfo* const plan = core->session().plan();
             return plan == nullptr ? std::string() : dump(to_json(*plan));
           })
      .def("run", &run, nb::arg("inputs"), nb::arg("outputs").none(), nb::arg("deadline_s").none())
      .def("run_async", &run_async, nb::arg("inputs"), nb::arg("outputs").none(),
           nb::arg("deadline_s").none(), nb::arg("done"))
      .def("run_batch", &run_batch)
      .def("set_input",
           [](const PySession& session, const std::string& name, nb::handle value) {
             const auto core = session.core();
             nb::dict inputs;
             inputs[nb::str(name.c_str())] = value;
             const NamedTensors tensors = to_tensors(inputs, core->session().inputs());
             check(unlocked([&] { return core->set_input(name, tensors.at(name)); }));
           })
      .def("set_output",
           [](const PySession& session, const std::string& name, nb::object array) {
             const auto core = session.core();
             const Tensor tensor = to_writable_tensor(array);
             const auto shared = share(std::move(array));
             check(unlocked([&] { return core->set_output(name, tensor, shared); }));
           })
      .def("reset_scene", [](const PySession& session) { session.core()->session().reset_scene(); })
      .def_prop_ro("carries_state",
                   [](const PySession& session) { return session.core()->session().carries_state(); })
      .def("preprocess_file",
           [](const PySession& session, const std::string& name, const std::string& path) {
             const auto core = session.core();
             return to_numpy(value_of(unlocked([&] {
                               return core->session().preprocess(name, std::filesystem::path(path));
                             })),
                             true);
           })
      .def("preprocess_frame",
           [](const PySession& session, const std::string& name, nb::handle picture,
              const std::string& format) {
             const auto core = session.core();
             const Pixels pixels = to_frame(picture, format);
             return to_numpy(
                 value_of(unlocked([&] { return core->session().preprocess(name, pixels.frame); })), true);
           })
      .def("preprocess_into",
           [](const PySession& session, const std::string& name, nb::handle picture,
              const std::string& format, nb::handle out, std::int64_t index) {
             const auto core = session.core();
             const Pixels pixels = to_frame(picture, format);
             Tensor tensor = to_writable_tensor(out);
             check(unlocked(
                 [&] { return core->session().preprocess_into(name, pixels.frame, tensor, index); }));
           })
      .def("node_times", &node_times)
      .def("metrics", [](const PySession& session) { return metrics(session.core()->session().metrics()); })
      .def("prometheus",
           [](const PySession& session, const std::string& model) {
             return session.core()->session().metrics().prometheus(model);
           })
      .def("write_trace", [](const PySession& session, const std::string& path) {
        const auto core = session.core();
        Tracer* const tracer = core->session().tracer();
        if (tracer == nullptr)
          raise(make_error(ErrorCode::kUsage, "nothing was recorded: open the session with trace=True"));
        check(unlocked([&] { return tracer->write_chrome_trace(path); }));
      });
}

}  // namespace tarmac::python
