#include "targets/openvino/engine.h"

namespace tarmac::openvino {
namespace {

struct Pair {
  DType dtype;
  ov::element::Type_t type;
};

constexpr Pair kTypes[] = {
    {DType::kFloat32, ov::element::f32},
    {DType::kUint8, ov::element::u8},
    {DType::kInt8, ov::element::i8},
    {DType::kUint16, ov::element::u16},
    {DType::kInt16, ov::element::i16},
    {DType::kInt32, ov::element::i32},
    {DType::kInt64, ov::element::i64},
    {DType::kString, ov::element::string},
    {DType::kBool, ov::element::boolean},
    {DType::kFloat16, ov::element::f16},
    {DType::kFloat64, ov::element::f64},
    {DType::kUint32, ov::element::u32},
    {DType::kUint64, ov::element::u64},
    {DType::kBFloat16, ov::element::bf16},
    {DType::kFloat8E4M3FN, ov::element::f8e4m3},
    {DType::kFloat8E5M2, ov::element::f8e5m2},
    {DType::kUint4, ov::element::u4},
    {DType::kInt4, ov::element::i4},
    {DType::kFloat4E2M1, ov::element::f4e2m1},
    {DType::kFloat8E8M0, ov::element::f8e8m0},
    {DType::kUint2, ov::element::u2},
};

}  // namespace

Result<ov::element::Type> to_engine(DType dtype) {
  for (const Pair& pair : kTypes) {
    if (pair.dtype == dtype) return ov::element::Type(pair.type);
  }
  return make_error(ErrorCode::kUnsupported,
                    std::string("OpenVINO has no tensors of type ") + to_string(dtype));
}

DType from_engine(const ov::element::Type& type) {
  for (const Pair& pair : kTypes) {
    if (pair.type == type) return pair.dtype;
  }
  return DType::kUndefined;
}

Result<ov::Tensor> borrow(const Tensor& tensor, ov::Shape& shape) {
  TARMAC_TRY(const ov::element::Type type, to_engine(tensor.dtype()));
  shape.assign(tensor.shape().begin(), tensor.shape().end());
  if (tensor.count() == 0) return ov::Tensor(type, shape);  // OpenVINO takes no null pointer
  // The API has no read-only tensors; the CPU plugin does not write to inputs.
  void* data = tensor.dtype() == DType::kString
                   ? const_cast<std::string*>(tensor.strings().data())
                   : static_cast<void*>(const_cast<std::byte*>(tensor.bytes().data()));
  return ov::Tensor(type, shape, data);
}

Result<Tensor> view_of(const ov::Tensor& tensor) {
  const DType dtype = from_engine(tensor.get_element_type());
  const ov::Shape& sizes = tensor.get_shape();
  Shape shape(sizes.begin(), sizes.end());
  if (dtype == DType::kString) {
    const auto* first = tensor.data<std::string>();
    return Tensor::of_strings(std::move(shape), {first, first + tensor.get_size()});
  }
  if (dtype == DType::kUndefined) {
    return make_error(
        ErrorCode::kUnsupported,
        "OpenVINO gave a result of type " + tensor.get_element_type().get_type_name() + ", which ONNX lacks");
  }
  const auto owner = std::make_shared<ov::Tensor>(tensor);
  TARMAC_TRY(const std::size_t size, size_bytes(dtype, shape));
  const auto* data = size == 0 ? nullptr : static_cast<const std::byte*>(tensor.data());
  return Tensor::view(dtype, std::move(shape), {data, size}, owner);
}

}  // namespace tarmac::openvino
