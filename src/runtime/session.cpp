#include "tarmac/session.h"

#include "base/edge.h"
#include "runtime/async_runner.h"
#include "runtime/promise_memory.h"
#include "runtime/run_batch.h"
#include "runtime/session_preprocess.h"

namespace tarmac {

struct Session::State {
  explicit State(std::unique_ptr<SessionContext> made) : context(std::move(made)), runner(*context) {}

  [[nodiscard]] const SessionModel& model() const { return context->model(); }
  /// `body` unless a run is under way; no exception for want of memory.
  template <typename Body>
  std::invoke_result_t<Body> when_idle(Body&& body) {
    return at_edge([&]() -> std::invoke_result_t<Body> {
      if (runner.busy()) return run_under_way();
      return body();
    });
  }
  void begin(RunEnd end, const RunOptions& options) {
    auto status = at_edge([&] { return runner.begin(end, options); });
    if (status) return;
    // A callback that begins run after run would never let the session end.
    if (end.is_promise() || status.error().code != ErrorCode::kCancelled) end.tell(std::move(status));
  }

  std::unique_ptr<SessionContext> context;
  std::shared_ptr<PromiseMemory> promise_memory = std::make_shared<PromiseMemory>();
  AsyncRunner runner;  ///< after the context, which its thread uses
};

Session::Session(std::unique_ptr<State> state) : state_(std::move(state)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Result<Session> Session::open(const std::filesystem::path& path, const SessionOptions& options) {
  return at_edge([&]() -> Result<Session> {
    TARMAC_TRY(auto model, open_session_model(path, options));
    return create(std::move(model));
  });
}

Result<Session> Session::create(std::shared_ptr<SessionModel> model) {
  TARMAC_TRY(auto context, SessionContext::create(std::move(model)));
  return Session(std::make_unique<State>(std::move(context)));
}

Result<Session> Session::clone_context() const {
  return at_edge([&] { return create(state_->context->shared_model()); });
}

const std::vector<TensorSpec>& Session::inputs() const { return state_->model().inputs; }
const std::vector<TensorSpec>& Session::outputs() const { return state_->model().outputs; }
const std::vector<std::string>& Session::notes() const { return state_->model().opened.notes; }
const std::string& Session::target() const { return state_->model().target; }
const std::string& Session::engine_version() const { return state_->model().engine_version; }
const PlanInfo* Session::plan() const {
  return state_->model().opened.plan ? &*state_->model().opened.plan : nullptr;
}
const Contract* Session::contract() const {
  return state_->model().opened.contract ? &*state_->model().opened.contract : nullptr;
}
Metrics& Session::metrics() const { return *state_->model().metrics; }
Tracer* Session::tracer() const { return state_->model().tracer.get(); }

Result<Tensor> Session::preprocess(const std::string& input, const std::filesystem::path& picture) const {
  return at_edge([&] { return tarmac::preprocess(state_->model(), input, picture); });
}

Result<Tensor> Session::preprocess(const std::string& input, const CameraFrame& frame) const {
  return at_edge([&] { return tarmac::preprocess(state_->model(), input, frame); });
}

Status Session::preprocess_into(const std::string& input, const CameraFrame& frame, Tensor& tensor,
                                std::int64_t index) const {
  return at_edge([&] { return tarmac::preprocess_into(state_->model(), input, frame, tensor, index); });
}

Status Session::set_input(const std::string& name, const Tensor& tensor) {
  return state_->when_idle([&] { return state_->context->set_input(name, tensor); });
}

Status Session::set_output(const std::string& name, const Tensor& tensor) {
  return state_->when_idle([&] { return state_->context->set_output(name, tensor); });
}

Status Session::run(const RunOptions& options) {
  return state_->when_idle([&] { return state_->context->run(options); });
}

void Session::run_async(std::function<void(Status)> done, const RunOptions& options) {
  state_->begin(RunEnd(std::move(done)), options);
}

std::future<Status> Session::run_async(const RunOptions& options) {
  std::future<Status> future;
  (void)at_edge([&]() -> Status {
    std::promise<Status> promise(std::allocator_arg, PromiseAllocator<Status>(state_->promise_memory));
    future = promise.get_future();
    state_->begin(RunEnd(std::move(promise)), options);
    return {};
  });
  return future;
}

Result<Tensor> Session::output(const std::string& name) {
  return state_->when_idle([&] { return state_->context->engine().output(name); });
}

Status Session::read_output(const std::string& name, Tensor& result) {
  return state_->when_idle([&] { return state_->context->engine().read_output(name, result); });
}

Result<std::vector<NamedTensors>> Session::run_batch(std::span<const NamedTensors> items,
                                                     std::int64_t batch) {
  return state_->when_idle([&] { return tarmac::run_batch(*state_->context, items, batch); });
}

bool Session::carries_state() const { return !state_->model().state.empty(); }
void Session::reset_scene() { state_->context->reset_scene(); }

Result<std::vector<NodeTime>> Session::profile() {
  return state_->when_idle([&] { return state_->context->engine().profile(); });
}

}  // namespace tarmac
