#include "runtime/session_context.h"

#include "runtime/profiles.h"
#include "runtime/warm_up.h"

namespace tarmac {
namespace {

Error late(const char* what) { return make_error(ErrorCode::kDeadline, what); }

}  // namespace

SessionContext::SessionContext(std::shared_ptr<SessionModel> model, std::unique_ptr<Context> context,
                               StateCarrier carrier)
    : model_(std::move(model)), context_(std::move(context)), carrier_(std::move(carrier)) {
  if (model_->has_open_shapes) shapes_ = carrier_.shapes();
  ++model_->metrics->contexts;
}

SessionContext::~SessionContext() { --model_->metrics->contexts; }

Result<std::unique_ptr<SessionContext>> SessionContext::create(std::shared_ptr<SessionModel> model) {
  Executable& executable = *model->opened.executable;
  TARMAC_TRY(auto carrier, StateCarrier::open(model->state, model->first_values, executable.inputs(),
                                              executable.outputs()));
  TARMAC_TRY(auto context, executable.create_context());
  {
    const Span span(model->tracer.get(), "warm up");
    TARMAC_CHECK_OK(warm_up(*context, executable.inputs(), model->profiles, carrier.shapes()));
  }
  return std::unique_ptr<SessionContext>(
      new SessionContext(std::move(model), std::move(context), std::move(carrier)));
}

Status SessionContext::set_input(const std::string& name, const Tensor& tensor) {
  if (carrier_.value(name) != nullptr) {
    return make_error(
        ErrorCode::kInvalidInput,
        "input '" + name + "' is temporal state, which comes from the run before; reset_scene() begins anew",
        name);
  }
  TARMAC_CHECK_OK(check_profiles(model_->profiles, name, tensor.shape()));
  TARMAC_CHECK_OK(context_->set_input(name, tensor));
  if (!model_->has_open_shapes) return {};
  Shape& known = shapes_[name];
  if (known != tensor.shape()) {
    known = tensor.shape();
    shapes_settled_ = false;
  }
  return {};
}

Status SessionContext::set_output(const std::string& name, const Tensor& tensor) {
  if (carrier_.has_output(name)) {
    return make_error(
        ErrorCode::kInvalidInput,
        "output '" + name + "' is temporal state, whose memory is the session's; read it with output()",
        name);
  }
  TARMAC_CHECK_OK(context_->set_output(name, tensor));
  has_outputs_bound_ = true;
  return {};
}

void SessionContext::unbind_inputs() {
  context_->unbind_inputs();
  if (model_->has_open_shapes) shapes_ = carrier_.shapes();
  shapes_settled_ = false;
}

Status SessionContext::settle_shapes() {
  if (!model_->has_open_shapes) return {};
  if (!shapes_settled_) {
    TARMAC_CHECK_OK(check_profiles(model_->profiles, shapes_));
    cold_ = !is_bucket(model_->profiles, shapes_);
    if (cold_ && model_->strict) return not_a_bucket(model_->profiles, shapes_);
    shapes_settled_ = true;
  }
  if (cold_) ++model_->metrics->cold_shapes;
  return {};
}

Status SessionContext::run_now() {
  TARMAC_CHECK_OK(settle_shapes());
  if (carrier_.empty()) return context_->run();
  // Looked at before it is exchanged, which costs each run a bus lock.
  if (begins_scene_ && begins_scene_.exchange(false)) {
    carrier_.reset();
    ++model_->metrics->scenes;
  }
  TARMAC_CHECK_OK(carrier_.bind(*context_));
  TARMAC_CHECK_OK(context_->run());
  return carrier_.after_run(*context_);
}

Status SessionContext::run_until(Clock::time_point deadline) {
  if (Clock::now() >= deadline) return late("the deadline had passed before the run began");
  if (!timer_) {
    TARMAC_TRY(auto watch, DeadlineWatch::shared());
    timer_.emplace(std::move(watch), *context_);
  }
  TARMAC_CHECK_OK(timer_->arm(deadline));
  Status status = run_now();
  if (timer_->disarm()) return late("the run did not end by its deadline");
  return status;
}

Status SessionContext::run(const RunOptions& options) {
  Metrics& metrics = *model_->metrics;
  const Span span(model_->tracer.get(), "run", ++runs_);
  const Clock::time_point begin = Clock::now();
  Status status = options.deadline ? run_until(*options.deadline) : run_now();
  if (status) {
    metrics.run_time.add(std::chrono::nanoseconds(Clock::now() - begin).count());
    ++metrics.runs;
  } else {
    ++(status.error().code == ErrorCode::kDeadline ? metrics.deadlines_missed : metrics.failures);
  }
  return status;
}

}  // namespace tarmac
