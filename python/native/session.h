// Sessions with Python's arrays as their inputs and outputs.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "errors.h"
#include "tarmac/memory_pool.h"
#include "tarmac/session.h"

namespace tarmac::python {

class PyPool {
 public:
  explicit PyPool(std::uint64_t limit_bytes);
  [[nodiscard]] MemoryPool& get() { return pool_; }

 private:
  MemoryPool pool_;
};

/// An output's memory. Python's arrays share it; while one of them lives it is not written again.
struct Lease {
  Tensor tensor;
};

/// A result, and who keeps its bytes.
struct Taken {
  std::string name;
  Tensor tensor;
  std::shared_ptr<const void> owner;
  std::shared_ptr<void> array;  ///< the caller's own array, where that is the memory
};

/// A session with the memory of its outputs. Every function takes the lock of its own, so none must be called
/// with the interpreter's.
class OutputSession {
 public:
  OutputSession(Session session, MemoryPool pool, const std::vector<StateSpec>& state);

  /// Empty `outputs`: all of them.
  Result<std::vector<Taken>> run(const NamedTensors& inputs, const std::vector<std::string>& outputs,
                                 const RunOptions& options);
  using Done = std::function<void(Result<std::vector<Taken>>)>;
  Status run_async(const std::shared_ptr<OutputSession>& self, const NamedTensors& inputs,
                   std::vector<std::string> outputs, const RunOptions& options, Done done);
  Result<std::vector<NamedTensors>> run_batch(const std::vector<NamedTensors>& items, std::int64_t batch);
  Status set_input(const std::string& name, const Tensor& tensor);
  Status set_output(const std::string& name, const Tensor& tensor, std::shared_ptr<void> array);
  Result<std::vector<NodeTime>> profile();

  /// What may be called at any time.
  [[nodiscard]] Session& session() { return session_; }
  [[nodiscard]] const std::vector<StateSpec>& state() const { return state_; }
  [[nodiscard]] MemoryPool& pool() { return pool_; }

 private:
  struct Slot {
    TensorSpec spec;
    bool follows = false;  ///< its shape is that of the inputs' symbols, so its memory can be bound before
    std::shared_ptr<Lease> lease;
    std::shared_ptr<void> array;  ///< bound by the caller for good
    Tensor bound;
  };

  Status check_idle() const;
  Status bind(const NamedTensors& inputs);
  /// Gives each output whose shape is known memory that no array of an earlier run shows.
  Status lend();
  [[nodiscard]] Shape shape_of(const Slot& slot) const;
  Result<Taken> take(Slot& slot);
  Result<std::vector<Taken>> take_all(const std::vector<std::string>& names);

  std::mutex mutex_;
  bool under_way_ = false;
  MemoryPool pool_;
  std::vector<StateSpec> state_;
  std::vector<Slot> slots_;
  std::map<std::string, Shape> shapes_;          ///< of the inputs
  std::map<std::string, std::int64_t> symbols_;  ///< what the inputs' shapes make of them
  std::optional<Session> batches_;               ///< for run_batch(), which wants no outputs bound
  Session session_;                              ///< goes first: its thread may be in here
};

nb::dict to_dict(const std::vector<Taken>& taken);
void bind_session(nb::module_& module);

/// By name; each as to_tensor() wants it.
NamedTensors to_tensors(nb::handle mapping, const std::vector<TensorSpec>& specs);
RunOptions run_options(const std::optional<double>& deadline_s);
/// Calls a Python function with a dictionary of results or an error, from any thread; what it raises is
/// shown, never thrown.
void tell(std::shared_ptr<void> function, const Error* error, const std::function<nb::object()>& results);

class PySession {
 public:
  explicit PySession(std::unique_ptr<OutputSession> session) : core_(own_threaded(std::move(session))) {}
  /// Raises UsageError after close().
  [[nodiscard]] std::shared_ptr<OutputSession> core() const;
  void close() { core_.reset(); }

 private:
  std::shared_ptr<OutputSession> core_;
};

}  // namespace tarmac::python
