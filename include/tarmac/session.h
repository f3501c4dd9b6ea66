// Running a model: a plan or an ONNX file in, tensors in and out.
//
//   auto session = tarmac::Session::open("traffic_light.plan");
//   if (!session) return fail(session.error().str());
//   auto picture = session->preprocess("image", "frame.jpg");
//   if (!picture) return fail(picture.error().str());
//   if (auto status = session->set_input("image", *picture); !status) return fail(status.error().str());
//   if (auto status = session->run(); !status) return fail(status.error().str());
//   auto scores = session->output("scores");
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tarmac/contract.h"
#include "tarmac/metrics.h"
#include "tarmac/model.h"
#include "tarmac/node_time.h"
#include "tarmac/plan.h"
#include "tarmac/result.h"
#include "tarmac/tensor.h"
#include "tarmac/tracer.h"

namespace tarmac {

struct SessionOptions {
  /// "openvino", "onnxruntime", …; empty: the plan's, or "openvino" for an ONNX file. A plan runs on its own
  /// only.
  std::string target{};
  /// Threads the model may use, calling thread included; 0: the plan's budget, or all.
  int cores = 0;
  /// Inferences at once that the engine is laid out for, the cores divided among them; 0: the plan's, or 1.
  /// Contexts beyond that number wait for each other inside the engine.
  int streams = 0;
  /// ONNX Runtime's execution providers in order of preference; a plan brings its own.
  std::vector<std::string> providers{};
  /// Whether nodes may run on a later provider than the first; a plan brings its own rule.
  bool allow_fallback = false;
  /// Record per-node times (slower).
  bool profile = false;
  /// PEM file of an Ed25519 public key: only plans that it signed are opened. Empty: signatures there are
  /// must hold, whosever they are.
  std::filesystem::path required_signer{};
  /// Refuse shapes that the plan does not make ready, instead of counting them.
  bool strict = false;
  /// State that a model carries from run to run; empty: what the plan's contract says.
  std::vector<StateSpec> state{};
  /// Where runs are counted; null: a new one for this session and its clones.
  std::shared_ptr<Metrics> metrics{};
  /// Where runs are recorded as spans; null: nowhere.
  std::shared_ptr<Tracer> tracer{};
};

struct SessionModel;

/// Tensors by name.
using NamedTensors = std::map<std::string, Tensor>;

struct RunOptions {
  /// When the result is of no use any more. A run that has not begun by then does not begin, one under way is
  /// stopped where the engine can; both end with kDeadline and are counted. Absent: never.
  std::optional<std::chrono::steady_clock::time_point> deadline{};
};

/// A loaded model with room for one inference at a time. Movable. One thread may use a session at a time;
/// sessions made by clone_context() share the model with its weights and may run at once.
///
/// In the steady state (inputs of shapes and ranks met before) set_input(), run(), run_async() and
/// read_output() allocate nothing of their own and wait for no lock but where run_async() hands over.
///
/// Where there is no memory, every function that returns a Result gives kResourceExhausted.
class Session {
 public:
  /// Loads a plan or an ONNX file; a plan by its first bytes or the name *.plan. Runs the plan's buckets
  /// once. Errors: kNotFound, kIo, kInvalidModel, kUnsupported (names the node and the remedy), kUnavailable
  /// (the target's library is missing), kUsage (no such target), kMismatch (the plan is for another target,
  /// engine version or processor, or signed by another; names both), kResourceExhausted.
  static Result<Session> open(const std::filesystem::path& path, const SessionOptions& options = {});

  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  /// A further session on the same compiled model; nothing bound here is bound there, and it has its own
  /// temporal state.
  [[nodiscard]] Result<Session> clone_context() const;

  /// Inputs that are to be set: those that temporal state provides are not among them.
  [[nodiscard]] const std::vector<TensorSpec>& inputs() const;
  [[nodiscard]] const std::vector<TensorSpec>& outputs() const;
  /// Fallbacks taken, precision the engine chose, threads in use.
  [[nodiscard]] const std::vector<std::string>& notes() const;
  /// The target's name and the engine's version.
  [[nodiscard]] const std::string& target() const;
  [[nodiscard]] const std::string& engine_version() const;
  /// What the plan says about itself; null for an ONNX file.
  [[nodiscard]] const PlanInfo* plan() const;
  /// The contract inside the plan; null for an ONNX file, and for a plan without one.
  [[nodiscard]] const Contract* contract() const;
  /// Counts of this session and its clones. Thread-safe.
  [[nodiscard]] Metrics& metrics() const;
  /// Where runs are recorded; null: nowhere.
  [[nodiscard]] Tracer* tracer() const;

  /// A picture file as the value of an input, by the plan's contract: a batch of one. Errors: kUsage (no
  /// plan, or no picture input of this name), kNotFound, kInvalidInput (the picture).
  [[nodiscard]] Result<Tensor> preprocess(const std::string& input,
                                          const std::filesystem::path& picture) const;

  /// The same of a camera's frame in memory, of the form that the contract's decode step names; blue green
  /// red where it names none.
  [[nodiscard]] Result<Tensor> preprocess(const std::string& input, const CameraFrame& frame) const;
  /// The same into a caller's tensor, sample `index` of its first axis: dense memory of one sample's shape
  /// for each. With `geometry: fused` it allocates nothing once it has met the size of the frames; OpenCV's
  /// steps allocate their pictures. May be called from several threads, also during runs. Errors:
  /// kInvalidInput (frame, dtype, shape or index; says both).
  Status preprocess_into(const std::string& input, const CameraFrame& frame, Tensor& tensor,
                         std::int64_t index = 0) const;

  /// Binds an input for the runs that follow. The bytes are borrowed where the engine can read them in place:
  /// do not change them during a run. Errors: kNotFound (lists the inputs), kInvalidInput (dtype, rank or
  /// size; says both; or an input that temporal state provides), kOutOfRange (outside the plan's profiles;
  /// names the allowed range).
  Status set_input(const std::string& name, const Tensor& tensor);
  /// Has the engine write an output into caller-provided memory of exactly the result's shape, for good.
  /// Optional. Errors: kNotFound, kInvalidInput (as set_input(); memory that is not writable; an output of
  /// temporal state, whose memory is the session's).
  Status set_output(const std::string& name, const Tensor& tensor);

  /// Errors: kInvalidInput (an input is unbound), kOutOfRange (no profile of the plan admits all inputs'
  /// shapes together; or a cold shape where the session is strict), kDeadline, kInternal (the engine failed).
  Status run(const RunOptions& options = {});
  /// As run(), on a thread of this session's own; until `done` has been called, the session answers whatever
  /// else is asked of it with kUsage. `done` runs on that thread, or before this returns where the run could
  /// not begin. It may begin the next run; it must not throw (the process would end) nor end the session.
  /// When the session ends, a run under way is stopped where the engine can, and told kCancelled if it was; a
  /// run that this `done` begins is told kCancelled, and none after that begins.
  void run_async(std::function<void(Status)> done, const RunOptions& options = {});
  /// The same with a future, which may outlive the session. Without memory for it, it is not valid().
  [[nodiscard]] std::future<Status> run_async(const RunOptions& options = {});
  /// A result of the latest run; valid until the next run() or the session's end (Tensor::clone() to keep).
  [[nodiscard]] Result<Tensor> output(const std::string& name);
  /// As output(), assigned to a tensor that is used again, which allocates nothing where its rank stays;
  /// output() allocates the tensor's shape.
  Status read_output(const std::string& name, Tensor& result);

  /// Runs items with a first axis of 1, batched along it: `batch` at a time (0: the model's own, the opt
  /// batch of the plan's first profile, or else all together). What is missing of the last batch is filled
  /// with its last item unless the plan makes a smaller one ready. Results come in the order of the items,
  /// copied. Inputs bound before are forgotten. Errors: as set_input() and run(); kInvalidInput for items of
  /// one batch that differ in shape (names both); kUsage for a model whose batch is fixed to another size or
  /// that carries state, or where set_output() was used.
  [[nodiscard]] Result<std::vector<NamedTensors>> run_batch(std::span<const NamedTensors> items,
                                                            std::int64_t batch = 0);

  /// Temporal state: outputs that are inputs of the next run. The next run begins a new scene, with first
  /// values. Also while a run is under way.
  void reset_scene();
  [[nodiscard]] bool carries_state() const;

  /// Times of the latest run; kUsage unless opened with `profile`.
  [[nodiscard]] Result<std::vector<NodeTime>> profile();

 private:
  struct State;
  explicit Session(std::unique_ptr<State> state);
  static Result<Session> create(std::shared_ptr<SessionModel> model);

  std::unique_ptr<State> state_;
};

}  // namespace tarmac
