// One context of a session: what is bound, its temporal state, and runs that are counted.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "runtime/deadline_watch.h"
#include "runtime/session_model.h"

namespace tarmac {

/// Used by one thread at a time; only stop() and reset_scene() may be called from others. Neither copied nor
/// moved. After the first run with given shapes nothing is allocated here.
class SessionContext {
 public:
  /// Runs the plan's buckets once. Errors: create_context()'s, StateCarrier::open()'s, a bucket's run.
  static Result<std::unique_ptr<SessionContext>> create(std::shared_ptr<SessionModel> model);
  ~SessionContext();
  SessionContext(const SessionContext&) = delete;
  SessionContext& operator=(const SessionContext&) = delete;

  // As the functions of Session.
  Status set_input(const std::string& name, const Tensor& tensor);
  Status set_output(const std::string& name, const Tensor& tensor);
  Status run(const RunOptions& options);
  void reset_scene() { begins_scene_ = true; }

  /// Asks a run under way to stop.
  void stop() { context_->cancel(); }
  /// Inputs must be given again.
  void unbind_inputs();
  [[nodiscard]] Context& engine() { return *context_; }
  [[nodiscard]] const SessionModel& model() const { return *model_; }
  [[nodiscard]] const std::shared_ptr<SessionModel>& shared_model() const { return model_; }
  [[nodiscard]] bool has_outputs_bound() const { return has_outputs_bound_; }

 private:
  using Clock = std::chrono::steady_clock;

  SessionContext(std::shared_ptr<SessionModel> model, std::unique_ptr<Context> context, StateCarrier carrier);
  /// Checks the bound shapes together, once until they change, and counts cold ones.
  Status settle_shapes();
  Status run_now();
  Status run_until(Clock::time_point deadline);

  std::shared_ptr<SessionModel> model_;
  std::unique_ptr<Context> context_;
  StateCarrier carrier_;
  std::atomic<bool> begins_scene_{true};
  std::map<std::string, Shape> shapes_;  ///< of bound inputs; kept only where the model leaves sizes open
  bool shapes_settled_ = false;
  bool cold_ = false;
  bool has_outputs_bound_ = false;
  std::optional<DeadlineTimer> timer_;  ///< made with the first deadline
  std::uint64_t runs_ = 0;
};

}  // namespace tarmac
