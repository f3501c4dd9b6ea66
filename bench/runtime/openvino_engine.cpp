// OpenVINO as its own tools use it.
#include <condition_variable>
#include <exception>
#include <mutex>
#include <openvino/runtime/core.hpp>
#include <openvino/runtime/properties.hpp>

#include "runtime/engine.h"

namespace tarmac::bench {
namespace {

DType dtype_of_element(const ov::element::Type& type) {
  if (type == ov::element::boolean) return DType::kBool;
  if (type == ov::element::f16) return DType::kFloat16;
  const DType dtype = dtype_from_string(type.to_string() == "f32"   ? "float32"
                                        : type.to_string() == "f64" ? "float64"
                                        : type.to_string() == "i64" ? "int64"
                                        : type.to_string() == "i32" ? "int32"
                                        : type.to_string() == "i8"  ? "int8"
                                        : type.to_string() == "u8"  ? "uint8"
                                                                    : "");
  if (dtype == DType::kUndefined)
    throw std::runtime_error("no benchmark has inputs of type " + type.to_string());
  return dtype;
}

ov::element::Type element_of(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return ov::element::f32;
    case DType::kFloat16:
      return ov::element::f16;
    case DType::kFloat64:
      return ov::element::f64;
    case DType::kInt64:
      return ov::element::i64;
    case DType::kInt32:
      return ov::element::i32;
    case DType::kInt8:
      return ov::element::i8;
    case DType::kUint8:
      return ov::element::u8;
    case DType::kBool:
      return ov::element::boolean;
    default:
      throw std::runtime_error(std::string("no benchmark has inputs of type ") + to_string(dtype));
  }
}

/// Over the tensor's own bytes; the engine only reads inputs.
ov::Tensor borrow(const Tensor& tensor) {
  const ov::Shape shape(tensor.shape().begin(), tensor.shape().end());
  return {element_of(tensor.dtype()), shape, const_cast<std::byte*>(tensor.bytes().data())};
}

class OpenVinoRequest final : public Request {
 public:
  OpenVinoRequest(ov::CompiledModel& model, const Tensors& inputs)
      : model_(model), request_(model.create_infer_request()), inputs_(inputs) {
    bind(inputs_.current());
    run();
  }

  void run() override { request_.infer(); }

  void run_frame() override {
    bind(inputs_.next());
    request_.infer();
    for (std::size_t i = 0; i < model_.outputs().size(); ++i) (void)request_.get_output_tensor(i);
  }

  /// As benchmark_app's asynchronous mode: the end of a run begins the next.
  void run_until(Clock::time_point end, std::atomic<std::int64_t>& runs) override {
    std::mutex mutex;
    std::condition_variable ended;
    bool done = false;
    std::exception_ptr failure;
    request_.set_callback([&](const std::exception_ptr& error) {
      ++runs;
      if (!error && Clock::now() < end) {
        request_.start_async();
        return;
      }
      const std::lock_guard lock(mutex);
      failure = error;
      done = true;
      ended.notify_one();
    });
    request_.start_async();
    std::unique_lock lock(mutex);
    ended.wait(lock, [&] { return done; });
    lock.unlock();
    request_.wait();
    request_.set_callback([](const std::exception_ptr&) {});
    if (failure) std::rethrow_exception(failure);
  }

  Tensors outputs() override {
    Tensors found;
    for (std::size_t i = 0; i < model_.outputs().size(); ++i) {
      const ov::Tensor result = request_.get_output_tensor(i);
      const Shape shape(result.get_shape().begin(), result.get_shape().end());
      found[model_.outputs()[i].get_any_name()] = value_of(
          Tensor::view(dtype_of_element(result.get_element_type()), shape,
                       {static_cast<const std::byte*>(result.data()), result.get_byte_size()}, nullptr));
    }
    return found;
  }

 private:
  void bind(const Tensors& inputs) {
    for (std::size_t i = 0; i < model_.inputs().size(); ++i) {
      for (const std::string& name : model_.inputs()[i].get_names()) {
        const auto tensor = inputs.find(name);
        if (tensor != inputs.end()) request_.set_input_tensor(i, borrow(tensor->second));
      }
    }
  }

  ov::CompiledModel& model_;
  ov::InferRequest request_;
  FrameInputs inputs_;
};

ov::Core& core() {
  static auto* const kCore = new ov::Core();
  return *kCore;
}

ov::AnyMap properties(const Setup& setup) {
  ov::AnyMap all{ov::hint::inference_precision(ov::element::f32)};  // the plugin's own choice can be bfloat16
  if (!setup.hint.empty()) {
    all.insert(ov::hint::performance_mode(setup.hint == "throughput" ? ov::hint::PerformanceMode::THROUGHPUT
                                                                     : ov::hint::PerformanceMode::LATENCY));
  }
  if (setup.threads > 0) all.insert(ov::inference_num_threads(setup.threads));
  if (setup.streams > 0) all.insert(ov::num_streams(setup.streams));
  if (setup.as_target) {
    all.insert(ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY));
    all.insert(ov::hint::enable_cpu_pinning(false));
    all.insert(ov::hint::enable_hyper_threading(true));
    all.insert(ov::hint::execution_mode(ov::hint::ExecutionMode::ACCURACY));
  }
  return all;
}

class OpenVinoEngine final : public Engine {
 public:
  explicit OpenVinoEngine(const Setup& setup) {
    auto network = core().read_model(setup.model);
    std::map<std::size_t, ov::PartialShape> shapes;
    for (std::size_t i = 0; i < network->inputs().size(); ++i) {
      ov::PartialShape shape = network->input(i).get_partial_shape();
      for (auto& dim : shape) {
        if (dim.is_dynamic()) dim = setup.batch;
      }
      shapes[i] = shape;
    }
    if (network->is_dynamic()) network->reshape(shapes);
    model_ = core().compile_model(network, "CPU", properties(setup));
  }

  [[nodiscard]] std::vector<TensorSpec> inputs() const override {
    std::vector<TensorSpec> specs;
    for (const auto& input : model_.inputs()) {
      TensorSpec& spec = specs.emplace_back();
      spec.name = input.get_any_name();
      spec.dtype = dtype_of_element(input.get_element_type());
      spec.shape.emplace();
      for (const std::size_t size : input.get_shape())
        spec.shape->emplace_back(static_cast<std::int64_t>(size));
    }
    return specs;
  }

  std::unique_ptr<Request> request(const Tensors& inputs) override {
    return std::make_unique<OpenVinoRequest>(model_, inputs);
  }

  [[nodiscard]] int requests() const override {
    return static_cast<int>(model_.get_property(ov::optimal_number_of_infer_requests));
  }

 private:
  ov::CompiledModel model_;
};

}  // namespace

std::unique_ptr<Engine> load_openvino(const Setup& setup) { return std::make_unique<OpenVinoEngine>(setup); }

}  // namespace tarmac::bench
