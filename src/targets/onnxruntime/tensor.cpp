#include "targets/onnxruntime/engine.h"

namespace tarmac::onnxruntime {

namespace {

struct Pair {
  DType dtype;
  int type;
};

// The API's numbers are ONNX's up to int4 (22). The later ones have no names in the headers in use; these are
// the library's own (1.32), which orders them otherwise than ONNX.
constexpr Pair kLaterTypes[] = {
    {DType::kFloat4E2M1, 23}, {DType::kUint2, 24}, {DType::kInt2, 25}, {DType::kFloat8E8M0, 26}};

}  // namespace

Result<ONNXTensorElementDataType> to_engine(DType dtype) {
  if (dtype != DType::kUndefined && dtype <= DType::kInt4)
    return static_cast<ONNXTensorElementDataType>(dtype);
  for (const Pair& pair : kLaterTypes) {
    if (pair.dtype == dtype) return static_cast<ONNXTensorElementDataType>(pair.type);
  }
  return make_error(ErrorCode::kUnsupported,
                    std::string("ONNX Runtime's API carries no tensors of type ") + to_string(dtype));
}

DType from_engine(ONNXTensorElementDataType type) {
  if (type <= ONNX_TENSOR_ELEMENT_DATA_TYPE_INT4) return static_cast<DType>(type);
  for (const Pair& pair : kLaterTypes) {
    if (pair.type == static_cast<int>(type)) return pair.dtype;
  }
  return DType::kUndefined;
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
  static const auto* const kMemory =
      new Ort::MemoryInfo(Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault));
  return Ort::Value::CreateTensor(*kMemory, data, bytes.size(), shape.data(), shape.size(), type);
}

Result<Tensor> view_of(const std::shared_ptr<Ort::Value>& value) {
  if (!*value || !value->HasValue() || !value->IsTensor()) {
    return make_error(ErrorCode::kUnsupported,
                      "the result is not a tensor (a sequence, map or absent optional)");
  }
  const auto info = value->GetTensorTypeAndShapeInfo();
  const DType dtype = from_engine(info.GetElementType());
  Shape shape = info.GetShape();
  if (dtype == DType::kString) {
    std::vector<std::string> strings(info.GetElementCount());
    for (std::size_t i = 0; i < strings.size(); ++i) strings[i] = value->GetStringTensorElement(i);
    return Tensor::of_strings(std::move(shape), std::move(strings));
  }
  if (dtype == DType::kUndefined) {
    return make_error(ErrorCode::kUnsupported, "ONNX Runtime gave a result of element type " +
                                                   std::to_string(info.GetElementType()) +
                                                   ", which its API cannot carry");
  }
  TARMAC_TRY(const std::size_t size, size_bytes(dtype, shape));
  const auto* data = static_cast<const std::byte*>(value->GetTensorRawData());
  return Tensor::view(dtype, std::move(shape), {data, size}, value);
}

}  // namespace tarmac::onnxruntime
