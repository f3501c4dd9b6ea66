// A model on one target, ready to be timed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/bench/bench_args.h"
#include "cli/bench/session_work.h"
#include "cli/output.h"
#include "cli/program.h"
#include "runtime/memory.h"

namespace tarmac::cli {

/// How to open a model.
struct Setup {
  std::string model;
  std::string target;  ///< empty: a plan's own, else the default
  int streams = 1;
  std::int64_t batch = 0;  ///< 0: the model's own
};

/// The session and works on it, one a stream.
struct Subject {
  Setup setup;
  std::shared_ptr<const FrameSource> source;
  std::vector<std::unique_ptr<SessionWork>> works;

  std::int64_t open_ns = 0;       ///< Session::open(): file, digests, compilation
  std::int64_t first_run_ns = 0;  ///< the first run, where engines still prepare kernels
  WarmUp warm_up;
  std::optional<std::uint64_t> loaded_bytes;  ///< resident memory that open() added

  [[nodiscard]] Session& session() const { return works.front()->session(); }
  [[nodiscard]] Work& work() const { return *works.front(); }
  [[nodiscard]] std::vector<Work*> all_works() const;
};

/// How a session is opened for this; further ones of the same model likewise.
SessionOptions session_options(const BenchArgs& args, const Setup& setup);

/// Opens the model, makes its inputs and streams, and runs it once. Errors: of each.
Result<Subject> open_subject(const BenchArgs& args, const Setup& setup, Run& run);

/// The same session with other inputs and streams of their own.
Result<Subject> with_batch(const Subject& opened, const BenchArgs& args, std::int64_t batch);

/// Warms the first stream up as `args` say; further ones run a few times.
Status warm_up(Subject& subject, const BenchArgs& args, Run& run);

/// Resident memory that one more context adds once it has run. Absent where the system does not say.
Result<std::optional<std::uint64_t>> context_bytes(const Subject& subject);

/// Bytes of the weights stored in an ONNX file or a plan. Errors: of loading it.
Result<std::uint64_t> weight_bytes(const std::string& model);

/// "model", "target", "engine_version", "notes", "streams", "batch", "inputs", "input_values",
/// "preprocessed", "open_ns", "first_run_ns", "warm_up".
Json describe(const Subject& subject);

}  // namespace tarmac::cli
