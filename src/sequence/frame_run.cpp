#include "sequence/frame_run.h"

#include <utility>

namespace tarmac {

std::vector<StateSpec> state_of(const Contract& contract) {
  return contract.sequence ? contract.sequence->state : std::vector<StateSpec>();
}

Result<FrameRun> FrameRun::open(Executable& executable, const std::vector<StateSpec>& states) {
  TARMAC_TRY(auto context, executable.create_context());
  TARMAC_TRY(auto carrier, StateCarrier::open(states, executable.inputs(), executable.outputs()));
  return FrameRun(std::move(context), std::move(carrier));
}

Status FrameRun::run(const std::map<std::string, Tensor>& inputs, bool starts_scene) {
  if (starts_scene) carrier_.reset();
  TARMAC_CHECK_OK(carrier_.bind(*context_));
  for (const auto& [name, tensor] : inputs) TARMAC_CHECK_OK(context_->set_input(name, tensor));
  TARMAC_CHECK_OK(context_->run());
  return carrier_.after_run(*context_);
}

Result<std::map<std::string, Tensor>> FrameRun::state() const {
  std::map<std::string, Tensor> state;
  for (const auto& [name, shape] : carrier_.shapes()) {
    TARMAC_TRY(state[name], carrier_.value(name)->clone());
  }
  return state;
}

Result<StateRecorder> StateRecorder::open(const std::vector<StateSpec>& states, const Model& model,
                                          Target& target, Progress& progress) {
  StateRecorder recorder;
  if (states.empty()) return recorder;
  TARMAC_TRY(recorder.executable_, target.compile(model, {}, progress));
  TARMAC_TRY(FrameRun run, FrameRun::open(*recorder.executable_, states));
  recorder.run_ = std::make_unique<FrameRun>(std::move(run));
  return recorder;
}

Status StateRecorder::complete(std::map<std::string, Tensor>& inputs, bool starts_scene) {
  if (!run_) return {};
  TARMAC_CHECK_OK(run_->run(inputs, starts_scene));
  TARMAC_TRY(auto state, run_->state());
  inputs.merge(state);
  return {};
}

}  // namespace tarmac
