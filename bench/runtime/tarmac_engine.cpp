// Tarmac through its public interface.
#include "runtime/engine.h"
#include "tarmac/session.h"

namespace tarmac::bench {
namespace {

class TarmacRequest final : public Request {
 public:
  TarmacRequest(Session session, const Tensors& inputs) : session_(std::move(session)), inputs_(inputs) {
    for (const auto& [name, tensor] : inputs_.current()) value_of(session_.set_input(name, tensor));
    run();
    // Memory of the caller's own, as the bare engines get it.
    for (const TensorSpec& output : session_.outputs()) {
      const Tensor result = value_of(session_.output(output.name));
      Tensor own = value_of(Tensor::allocate(result.dtype(), result.shape()));
      value_of(session_.set_output(output.name, own));
      results_[output.name] = own;
      outputs_[output.name] = std::move(own);
    }
    run();
  }

  void run() override { value_of(session_.run()); }

  void run_frame() override {
    for (const auto& [name, tensor] : inputs_.next()) value_of(session_.set_input(name, tensor));
    run();
    for (auto& [name, tensor] : results_) value_of(session_.read_output(name, tensor));
  }

  Tensors outputs() override { return outputs_; }

 private:
  Session session_;
  FrameInputs inputs_;
  Tensors outputs_;
  Tensors results_;  ///< read anew after each frame
};

class TarmacEngine final : public Engine {
 public:
  explicit TarmacEngine(Session session) : session_(std::move(session)) {}

  /// Open sizes are those that the plan is best at.
  [[nodiscard]] std::vector<TensorSpec> inputs() const override {
    std::vector<TensorSpec> specs = session_.inputs();
    if (session_.plan() == nullptr || session_.plan()->profiles.empty()) return specs;
    const ShapeRanges& ranges = session_.plan()->profiles.front().shapes;
    for (TensorSpec& spec : specs) {
      if (const auto range = ranges.find(spec.name); range != ranges.end())
        spec.shape.emplace(range->second.opt.begin(), range->second.opt.end());
    }
    return specs;
  }
  std::unique_ptr<Request> request(const Tensors& inputs) override {
    return std::make_unique<TarmacRequest>(value_of(session_.clone_context()), inputs);
  }
  [[nodiscard]] int requests() const override {
    return session_.plan() != nullptr ? std::max(session_.plan()->streams, 1) : 1;
  }

 private:
  Session session_;
};

}  // namespace

std::unique_ptr<Engine> load_tarmac(const Setup& setup) {
  SessionOptions options;
  options.target = setup.target;
  options.cores = setup.threads;
  options.streams = setup.streams;
  return std::make_unique<TarmacEngine>(value_of(Session::open(setup.model, options)));
}

}  // namespace tarmac::bench
