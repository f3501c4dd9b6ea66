// ONNX Runtime as its documentation uses it.
#include <onnxruntime_cxx_api.h>

#include "runtime/engine.h"

namespace tarmac::bench {
namespace {

Ort::Env& environment() {
  static auto* const kEnvironment = new Ort::Env(ORT_LOGGING_LEVEL_ERROR, "bench");
  return *kEnvironment;
}

Ort::Value borrow(const Tensor& tensor) {
  static const Ort::MemoryInfo memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
  // DType has ONNX's numbers, and so has ONNX Runtime.
  return Ort::Value::CreateTensor(memory, const_cast<std::byte*>(tensor.bytes().data()),
                                  tensor.bytes().size(), tensor.shape().data(), tensor.shape().size(),
                                  static_cast<ONNXTensorElementDataType>(tensor.dtype()));
}

class OrtRequest final : public Request {
 public:
  OrtRequest(Ort::Session& session, const Tensors& inputs) : session_(session), inputs_(inputs) {
    const Ort::AllocatorWithDefaultOptions allocator;
    for (std::size_t i = 0; i < session.GetInputCount(); ++i) {
      input_words_.emplace_back(session.GetInputNameAllocated(i, allocator).get());
    }
    for (std::size_t i = 0; i < session.GetOutputCount(); ++i) {
      output_words_.emplace_back(session.GetOutputNameAllocated(i, allocator).get());
    }
    for (const std::string& word : input_words_) input_names_.push_back(word.c_str());
    for (const std::string& word : output_words_) output_names_.push_back(word.c_str());
    bind(inputs_.current());
    std::vector<Ort::Value> results =
        session_.Run(options_, input_names_.data(), values_.data(), values_.size(), output_names_.data(),
                     output_names_.size());
    for (std::size_t i = 0; i < results.size(); ++i) {
      const auto info = results[i].GetTensorTypeAndShapeInfo();
      outputs_[output_words_[i]] =
          value_of(Tensor::allocate(static_cast<DType>(info.GetElementType()), info.GetShape()));
      results_.push_back(borrow(outputs_[output_words_[i]]));
    }
    run();
  }

  void run() override {
    session_.Run(options_, input_names_.data(), values_.data(), values_.size(), output_names_.data(),
                 results_.data(), results_.size());
  }

  void run_frame() override {
    bind(inputs_.next());
    run();
  }

  Tensors outputs() override { return outputs_; }

 private:
  void bind(const Tensors& inputs) {
    values_.clear();
    for (const std::string& word : input_words_) values_.push_back(borrow(inputs.at(word)));
  }

  Ort::Session& session_;
  Ort::RunOptions options_;
  FrameInputs inputs_;
  Tensors outputs_;
  std::vector<std::string> input_words_;
  std::vector<std::string> output_words_;
  std::vector<const char*> input_names_;
  std::vector<const char*> output_names_;
  std::vector<Ort::Value> values_;
  std::vector<Ort::Value> results_;
};

Ort::Session open_session(const Setup& setup) {
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(setup.threads);
  options.AddConfigEntry("session.intra_op.allow_spinning", setup.spinning ? "1" : "0");
  if (setup.as_target) {
    options.SetInterOpNumThreads(1);
    options.AddConfigEntry("session.inter_op.allow_spinning", "0");
    options.AddConfigEntry("optimization.disable_specified_optimizers",
                           "SkipLayerNormFusion;EmbedLayerNormFusion");
  }
  options.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
  return {environment(), setup.model.c_str(), options};
}

class OrtEngine final : public Engine {
 public:
  explicit OrtEngine(const Setup& setup) : setup_(setup), session_(open_session(setup)) {}

  [[nodiscard]] std::vector<TensorSpec> inputs() const override {
    const Ort::AllocatorWithDefaultOptions allocator;
    std::vector<TensorSpec> specs;
    for (std::size_t i = 0; i < session_.GetInputCount(); ++i) {
      const Ort::TypeInfo type = session_.GetInputTypeInfo(i);
      const auto info = type.GetTensorTypeAndShapeInfo();
      TensorSpec& spec = specs.emplace_back();
      spec.name = session_.GetInputNameAllocated(i, allocator).get();
      spec.dtype = static_cast<DType>(info.GetElementType());
      spec.shape.emplace();
      for (const std::int64_t size : info.GetShape()) {
        if (size < 0)
          spec.shape->emplace_back(std::string("open"));
        else
          spec.shape->emplace_back(size);
      }
    }
    return specs;
  }

  std::unique_ptr<Request> request(const Tensors& inputs) override {
    return std::make_unique<OrtRequest>(session_, inputs);
  }

  [[nodiscard]] int requests() const override { return std::max(setup_.streams, 1); }

 private:
  Setup setup_;
  Ort::Session session_;
};

}  // namespace

std::unique_ptr<Engine> load_onnxruntime(const Setup& setup) { return std::make_unique<OrtEngine>(setup); }

}  // namespace tarmac::bench
