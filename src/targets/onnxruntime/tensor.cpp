#include "targets/onnxruntime/engine.h"

namespace tarmac::onnxruntime {

// The API's numbers are ONNX's up to int4 (22); the later types have none in the headers in use.
Result<ONNXTensorElementDataType> to_engine(DType dtype) {
  if (dtype == DType::kUndefined || dtype > DType::kInt4) {
    return make_error(ErrorCode::kUnsupported,
                      std::string("ONNX Runtime's API carries no tensors of type ") + to_string(dtype));
  }
  return static_cast<ONNXTensorElementDataType>(dtype);
}

DType from_engine(ONNXTensorElementDataType type) {
  return type <= ONNX_TENSOR_ELEMENT_DATA_TYPE_INT4 ? static_cast<DType>(type) : DType::kUndefined;
}

Result<Ort::Value> borrow(const Tensor& tensor) {
  TARMAC_TRY(const ONNXTensorElementDataType type, to_engine(tensor.dtype()));
  const Shape& shape = tensor.shape();
  if (tensor.dtype() == DType::kString) {
    Ort::AllocatorWithDefaultOptions allocator;
    auto value = Ort::Value::CreateTensor(allocator, shape.data(), shape.size(), type);
    std::vector<const char*> strings;
    for (const auto& text : tensor.strings()) strings.push_back(text.c_str());
    value.FillStringTensor(strings.data(), strings.size());
    return value;
  }
  static std::byte nothing{};  // for tensors without elements: the API takes no null pointer
  const auto bytes = tensor.bytes();
  // The API has no read-only values; kernels do not write to inputs.
  void* data = bytes.empty() ? &nothing : const_cast<std::byte*>(bytes.data());
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
  return Ort::Value::CreateTensor(memory, data, bytes.size(), shape.data(), shape.size(), type);
}

Result<Tensor> view_of(Ort::Value value) {
  if (!value.HasValue() || !value.IsTensor()) {
    return make_error(ErrorCode::kUnsupported,
                      "the result is not a tensor (a sequence, map or absent optional)");
  }
  const auto info = value.GetTensorTypeAndShapeInfo();
  const DType dtype = from_engine(info.GetElementType());
  Shape shape = info.GetShape();
  if (dtype == DType::kString) {
    std::vector<std::string> strings(info.GetElementCount());
    for (std::size_t i = 0; i < strings.size(); ++i) strings[i] = value.GetStringTensorElement(i);
    return Tensor::of_strings(std::move(shape), std::move(strings));
  }
  if (dtype == DType::kUndefined) {
    return make_error(ErrorCode::kUnsupported, "ONNX Runtime gave a result of element type " +
                                                   std::to_string(info.GetElementType()) +
                                                   ", which its API cannot carry");
  }
  const auto owner = std::make_shared<Ort::Value>(std::move(value));
  TARMAC_TRY(const std::size_t size, size_bytes(dtype, shape));
  const auto* data = static_cast<const std::byte*>(owner->GetTensorRawData());
  return Tensor::view(dtype, std::move(shape), {data, size}, owner);
}

}  // namespace tarmac::onnxruntime
