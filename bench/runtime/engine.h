// A model loaded by Tarmac or by a bare engine, and requests on it, under one interface so that both meet the
// same loops. Everything throws std::runtime_error or what an engine throws.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tarmac/model.h"
#include "tarmac/tensor.h"

namespace tarmac::bench {

using Clock = std::chrono::steady_clock;
using Tensors = std::map<std::string, Tensor>;

template <typename T>
T value_of(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().str());
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

/// How an engine is set up.
struct Setup {
  std::string engine = "tarmac";  ///< "tarmac", "openvino" or "onnxruntime"
  std::string model;
  std::string target;  ///< of Tarmac with an ONNX file
  int threads = 0;     ///< of the whole model; 0: the engine's or the plan's own choice
  int streams = 0;     ///< inferences at once; 0: as for threads
  std::string
      hint;  ///< OpenVINO's performance hint "latency" or "throughput" in place of threads and streams
  bool spinning = false;  ///< ONNX Runtime's threads wait busily, which is its default
  /// The bare engine gets the options that Tarmac's target gives it, so that only Tarmac's own work differs.
  bool as_target = false;
  int batch = 1;  ///< size of every dimension that the model leaves open
};

/// One inference at a time, its inputs bound.
class Request {
 public:
  virtual ~Request() = default;
  virtual void run() = 0;
  /// Hands inputs in other memory than before over, runs, and takes the results: what a caller does for each
  /// frame.
  virtual void run_frame() = 0;
  /// Runs again and again until `end`, counting. Some engines have a better way than run() in a loop.
  virtual void run_until(Clock::time_point end, std::atomic<std::int64_t>& runs);
  /// Results of the latest run.
  virtual Tensors outputs() = 0;
};

class Engine {
 public:
  virtual ~Engine() = default;
  [[nodiscard]] virtual std::vector<TensorSpec> inputs() const = 0;
  virtual std::unique_ptr<Request> request(const Tensors& inputs) = 0;
  /// How many requests at once it is laid out for.
  [[nodiscard]] virtual int requests() const = 0;
};

std::unique_ptr<Engine> load(const Setup& setup);
std::unique_ptr<Engine> load_tarmac(const Setup& setup);
std::unique_ptr<Engine> load_openvino(const Setup& setup);
std::unique_ptr<Engine> load_onnxruntime(const Setup& setup);

/// Two copies of inputs in memory of their own, by turns: as frames come.
class FrameInputs {
 public:
  explicit FrameInputs(const Tensors& inputs);
  [[nodiscard]] const Tensors& current() const { return copies_[turn_]; }
  const Tensors& next() {
    turn_ = 1 - turn_;
    return current();
  }

 private:
  std::array<Tensors, 2> copies_;
  std::size_t turn_ = 0;
};

/// Made-up values, the same for the same model; `batch` for every open dimension.
Tensors made_up_inputs(const std::vector<TensorSpec>& inputs, int batch);

/// Cores that this process may run on.
int available_cores();

}  // namespace tarmac::bench
