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

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tarmac/model.h"
#include "tarmac/node_time.h"
#include "tarmac/plan.h"
#include "tarmac/result.h"
#include "tarmac/tensor.h"

namespace tarmac {

struct SessionOptions {
  /// "openvino", "onnxruntime", …; empty: the plan's, or "openvino" for an ONNX file. A plan runs on its own
  /// only.
  std::string target;
  /// Threads the model may use, calling thread included; 0: the plan's budget, or all.
  int cores = 0;
  /// ONNX Runtime's execution providers in order of preference; a plan brings its own.
  std::vector<std::string> providers;
  /// Whether nodes may run on a later provider than the first; a plan brings its own rule.
  bool allow_fallback = false;
  /// Record per-node times (slower).
  bool profile = false;
};

/// A loaded model with room for one inference at a time. Movable. One thread may use a session at a time;
/// sessions made by clone_context() share the model and may run at once.
class Session {
 public:
  /// Loads a plan or an ONNX file; a plan by its first bytes or the name *.plan. Errors: kNotFound, kIo,
  /// kInvalidModel, kUnsupported (names the node and the remedy), kUnavailable (the target's library is
  /// missing), kUsage (no such target), kMismatch (the plan is for another target, engine version or
  /// processor; names both).
  static Result<Session> open(const std::filesystem::path& path, const SessionOptions& options = {});

  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  /// A further session on the same compiled model; nothing bound here is bound there.
  [[nodiscard]] Result<Session> clone_context() const;

  [[nodiscard]] const std::vector<TensorSpec>& inputs() const;
  [[nodiscard]] const std::vector<TensorSpec>& outputs() const;
  /// Fallbacks taken, precision the engine chose, threads in use.
  [[nodiscard]] const std::vector<std::string>& notes() const;
  /// The target's name and the engine's version.
  [[nodiscard]] const std::string& target() const;
  [[nodiscard]] const std::string& engine_version() const;
  /// What the plan says about itself; null for an ONNX file.
  [[nodiscard]] const PlanInfo* plan() const;

  /// A picture file as the value of an input, by the plan's contract: a batch of one. Errors: kUsage (no
  /// plan, or no picture input of this name), kNotFound, kInvalidInput (the picture).
  [[nodiscard]] Result<Tensor> preprocess(const std::string& input,
                                          const std::filesystem::path& picture) const;

  /// Binds an input for the runs that follow. The bytes are borrowed where the engine can read them in place:
  /// do not change them during a run. Errors: kNotFound (lists the inputs), kInvalidInput (dtype, rank or
  /// size; says both), kOutOfRange (outside the plan's profiles; names the allowed range).
  Status set_input(const std::string& name, Tensor tensor);
  /// Has the engine write an output into caller-provided memory of exactly the result's shape. Optional.
  Status set_output(const std::string& name, Tensor tensor);
  /// Errors: kInvalidInput (an input is unbound), kOutOfRange (no profile of the plan admits all inputs'
  /// shapes together), kInternal (the engine failed).
  Status run();
  /// A result of the latest run; valid until the next run() or the session's end (Tensor::clone() to keep).
  [[nodiscard]] Result<Tensor> output(const std::string& name);
  /// Times of the latest run; kUsage unless opened with `profile`.
  [[nodiscard]] Result<std::vector<NodeTime>> profile();

 private:
  struct Loaded;
  struct State;
  explicit Session(std::unique_ptr<State> state);
  static Result<Session> create(std::shared_ptr<Loaded> loaded);

  std::unique_ptr<State> state_;
};

}  // namespace tarmac
