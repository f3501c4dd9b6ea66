#include "targets/onnxruntime/operators.h"

#include <array>

namespace tarmac::onnxruntime {
namespace {

/// The threads of the session that runs the kernel.
class SessionParallel final : public ops::Parallel {
 public:
  SessionParallel(OrtKernelContext* context, int workers) : context_(context), workers_(workers) {}
  [[nodiscard]] int workers() const override { return workers_; }

 protected:
  void run(std::int64_t tasks, Task task, void* state) override {
    struct Call {
      Task task;
      void* state;
    } call{task, state};
    const auto each = [](void* opaque, std::size_t i) {
      const auto& [function, argument] = *static_cast<Call*>(opaque);
      function(argument, static_cast<std::int64_t>(i));
    };
    Ort::ThrowOnError(
        Ort::GetApi().KernelContext_ParallelFor(context_, each, static_cast<std::size_t>(tasks), 0, &call));
  }

 private:
  OrtKernelContext* context_;
  int workers_;
};

OrtStatus* status_of(const Error& error) { return Ort::GetApi().CreateStatus(ORT_FAIL, error.str().c_str()); }

Type type_of(const ops::ConstTensorView& tensor) {
  return Type::tensor(tensor.dtype, Shape(tensor.shape.begin(), tensor.shape.end()));
}

}  // namespace

/// What ONNX Runtime calls; it is handed the pointer to the base.
struct DrivingOperators::CustomOperator : OrtCustomOp {
  std::string name;
  DrivingOperatorPtr kernel;
  std::vector<ONNXTensorElementDataType> input_types;
  std::vector<ONNXTensorElementDataType> output_types;
  int cores = 1;

  CustomOperator();
  /// Runs the kernel on the context's tensors. Throws Ort::Exception.
  Status compute(OrtKernelContext* raw) const;

  static const CustomOperator& self(const OrtCustomOp* op) { return *static_cast<const CustomOperator*>(op); }
};

DrivingOperators::CustomOperator::CustomOperator() : OrtCustomOp{} {
  version = ORT_API_VERSION;
  GetName = [](const OrtCustomOp* op) { return self(op).name.c_str(); };
  GetExecutionProviderType = [](const OrtCustomOp*) -> const char* { return nullptr; };
  GetInputTypeCount = [](const OrtCustomOp* op) { return self(op).input_types.size(); };
  GetInputType = [](const OrtCustomOp* op, std::size_t i) { return self(op).input_types[i]; };
  GetInputCharacteristic = [](const OrtCustomOp*, std::size_t) { return INPUT_OUTPUT_REQUIRED; };
  GetInputMemoryType = [](const OrtCustomOp*, std::size_t) { return OrtMemTypeDefault; };
  GetOutputTypeCount = [](const OrtCustomOp* op) { return self(op).output_types.size(); };
  GetOutputType = [](const OrtCustomOp* op, std::size_t i) { return self(op).output_types[i]; };
  GetOutputCharacteristic = [](const OrtCustomOp*, std::size_t) { return INPUT_OUTPUT_OPTIONAL; };
  GetVariadicInputMinArity = [](const OrtCustomOp*) { return 0; };
  GetVariadicInputHomogeneity = [](const OrtCustomOp*) { return 0; };
  GetVariadicOutputMinArity = [](const OrtCustomOp*) { return 0; };
  GetVariadicOutputHomogeneity = [](const OrtCustomOp*) { return 0; };
  GetStartVersion = [](const OrtCustomOp*) { return 1; };
  GetEndVersion = [](const OrtCustomOp*) { return static_cast<int>(ops::kDomainVersion); };
  CreateKernelV2 = [](const OrtCustomOp* op, const OrtApi*, const OrtKernelInfo*,
                      void** made) -> OrtStatusPtr {
    *made = const_cast<CustomOperator*>(&self(op));  // the kernel is the operator's; the API has no const
    return nullptr;
  };
  KernelDestroy = [](void*) {};
  KernelComputeV2 = [](void* made, OrtKernelContext* context) -> OrtStatusPtr {
    try {
      const Status status = static_cast<const CustomOperator*>(made)->compute(context);
      return status ? nullptr : status_of(status.error());
    } catch (const std::exception& error) {
      return Ort::GetApi().CreateStatus(ORT_FAIL, error.what());
    }
  };
}

Status DrivingOperators::CustomOperator::compute(OrtKernelContext* raw) const {
  const Ort::KernelContext context(raw);
  std::array<ops::ConstTensorView, kMaxOperands> inputs;
  std::array<std::vector<std::int64_t>, kMaxOperands> shapes;
  std::vector<Type> types;
  for (std::size_t i = 0; i < input_types.size(); ++i) {
    const Ort::ConstValue value = context.GetInput(i);
    const auto info = value.GetTensorTypeAndShapeInfo();
    shapes[i] = info.GetShape();
    inputs[i] = {from_engine(info.GetElementType()), shapes[i],
                 static_cast<const std::byte*>(value.GetTensorRawData())};
    types.push_back(type_of(inputs[i]));
  }
  TARMAC_TRY(const auto results, kernel->infer(types));
  std::array<ops::TensorView, kMaxOperands> outputs;
  std::array<Shape, kMaxOperands> sizes;
  std::vector<Tensor> unread;  // outputs that the node leaves out
  for (std::size_t i = 0; i < results.size(); ++i) {
    sizes[i] = results[i].static_shape().value_or(Shape());
    Ort::UnownedValue value = context.GetOutput(i, sizes[i]);
    if (value != nullptr) {
      outputs[i] = {results[i].dtype, sizes[i], static_cast<std::byte*>(value.GetTensorMutableRawData())};
      continue;
    }
    TARMAC_TRY(Tensor memory, Tensor::allocate(results[i].dtype, sizes[i]));
    outputs[i] = {results[i].dtype, sizes[i], memory.mutable_bytes().data()};
    unread.push_back(std::move(memory));
  }
  SessionParallel parallel(raw, cores);
  return kernel->run(std::span(inputs).first(input_types.size()), std::span(outputs).first(results.size()),
                     parallel);
}

DrivingOperators::DrivingOperators() = default;
DrivingOperators::~DrivingOperators() = default;

Result<std::shared_ptr<const DrivingOperators>> DrivingOperators::create(
    const std::vector<DrivingCall>& calls, int cores) {
  std::shared_ptr<DrivingOperators> made(new DrivingOperators());
  if (calls.empty()) return std::shared_ptr<const DrivingOperators>(made);
  made->domain_ = Ort::CustomOpDomain(ops::kDomain);
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const ops::Operator& op = calls[i].kernel->op();
    auto custom = std::make_unique<CustomOperator>();
    custom->name = driving_name(op.name, i);
    custom->kernel = calls[i].kernel;
    custom->cores = cores;
    for (const DType dtype : calls[i].inputs) {
      if (dtype == DType::kUndefined) {
        return make_error(
            ErrorCode::kInvalidModel,
            std::string(op.name) + ": the type of an input is not known; declare it in the model");
      }
      TARMAC_TRY(custom->input_types.emplace_back(), to_engine(dtype));
    }
    for (std::size_t out = 0; out < op.outputs.size(); ++out) {
      DType dtype = out < calls[i].outputs.size() ? calls[i].outputs[out] : DType::kUndefined;
      if (dtype == DType::kUndefined) dtype = op.outputs[out].dtypes.front();
      TARMAC_TRY(custom->output_types.emplace_back(), to_engine(dtype));
    }
    made->domain_.Add(custom.get());
    made->operators_.push_back(std::move(custom));
  }
  return std::shared_ptr<const DrivingOperators>(made);
}

void DrivingOperators::add_to(Ort::SessionOptions& options) const {
  if (!operators_.empty()) options.Add(domain_);
}

}  // namespace tarmac::onnxruntime
