// A compiled model that runs frame by frame.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sequence/state_carrier.h"
#include "targets/target.h"
#include "tarmac/contract.h"

namespace tarmac {

/// What the contract's sequence carries; nothing without one.
std::vector<StateSpec> state_of(const Contract& contract);

/// A context together with the state that it carries. Not thread-safe.
class FrameRun {
 public:
  /// `executable` must outlive it. Errors: the executable's, StateCarrier::open()'s.
  static Result<FrameRun> open(Executable& executable, const std::vector<StateSpec>& states);

  /// One frame with these inputs; state is carried, and begun anew where a scene starts. Errors: the
  /// context's, StateCarrier's.
  Status run(const std::map<std::string, Tensor>& inputs, bool starts_scene);

  /// For the outputs of the latest run.
  [[nodiscard]] Context& context() { return *context_; }
  /// Copies of the state that went into the latest run, by input.
  [[nodiscard]] Result<std::map<std::string, Tensor>> state() const;

 private:
  FrameRun(std::unique_ptr<Context> context, StateCarrier carrier)
      : context_(std::move(context)), carrier_(std::move(carrier)) {}

  std::unique_ptr<Context> context_;
  StateCarrier carrier_;
};

/// Puts the state that a model itself carries beside the inputs of frames, so that each can be run alone,
/// again, out of turn, or by another model.
class StateRecorder {
 public:
  /// Compiles `model` for `target`; not where nothing is carried, complete() then leaves frames as they are.
  /// Errors: the target's, FrameRun::open()'s.
  static Result<StateRecorder> open(const std::vector<StateSpec>& states, const Model& model, Target& target,
                                    Progress& progress);

  /// Runs the next frame in order and adds the state that went into it. Errors: FrameRun::run()'s.
  Status complete(std::map<std::string, Tensor>& inputs, bool starts_scene);

 private:
  std::unique_ptr<Executable> executable_;
  std::unique_ptr<FrameRun> run_;  ///< null where nothing is carried
};

}  // namespace tarmac
