#include "arrays.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <utility>

#include "interpreter.h"

namespace tarmac::python {
namespace {

using Code = nb::dlpack::dtype_code;
using ReadArray = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;
using WriteArray = nb::ndarray<nb::c_contig, nb::device::cpu>;

DType dtype_of_array(const nb::dlpack::dtype& type) {
  const auto by_bits = [&](DType b8, DType b16, DType b32, DType b64) {
    switch (type.bits) {
      case 8:
        return b8;
      case 16:
        return b16;
      case 32:
        return b32;
      case 64:
        return b64;
      default:
        return DType::kUndefined;
    }
  };
  constexpr DType kNone = DType::kUndefined;
  switch (static_cast<Code>(type.code)) {
    case Code::Int:
      return by_bits(DType::kInt8, DType::kInt16, DType::kInt32, DType::kInt64);
    case Code::UInt:
      return by_bits(DType::kUint8, DType::kUint16, DType::kUint32, DType::kUint64);
    case Code::Float:
      return by_bits(kNone, DType::kFloat16, DType::kFloat32, DType::kFloat64);
    case Code::Bfloat:
      return DType::kBFloat16;
    case Code::Bool:
      return DType::kBool;
    case Code::Complex:
      return type.bits == 64 ? DType::kComplex64 : DType::kComplex128;
    case Code::Float8_E4M3FN:
      return DType::kFloat8E4M3FN;
    case Code::Float8_E4M3FNUZ:
      return DType::kFloat8E4M3FNUZ;
    case Code::Float8_E5M2:
      return DType::kFloat8E5M2;
    case Code::Float8_E5M2FNUZ:
      return DType::kFloat8E5M2FNUZ;
    default:
      return kNone;
  }
}

/// What numpy stores a type as; 0 bits where it cannot.
nb::dlpack::dtype numpy_type(DType dtype) {
  const auto make = [&](Code code) {
    return nb::dlpack::dtype{static_cast<std::uint8_t>(code), static_cast<std::uint8_t>(bit_width(dtype)), 1};
  };
  if (bit_width(dtype) < 8) return {0, 0, 0};
  switch (dtype) {
    case DType::kBool:
      return make(Code::Bool);
    case DType::kFloat16:
    case DType::kFloat32:
    case DType::kFloat64:
      return make(Code::Float);
    case DType::kInt8:
    case DType::kInt16:
    case DType::kInt32:
    case DType::kInt64:
      return make(Code::Int);
    case DType::kComplex64:
    case DType::kComplex128:
      return make(Code::Complex);
    default:  // unsigned integers, and the bits of what numpy does not have
      return make(Code::UInt);
  }
}

bool numpy_has(DType dtype) {
  return !is_floating_point(dtype) || dtype == DType::kFloat16 || dtype == DType::kFloat32 ||
         dtype == DType::kFloat64;
}

template <typename Array>
Shape shape_of(const Array& array) {
  return {array.shape_ptr(), array.shape_ptr() + array.ndim()};
}

/// The array's own handle keeps its producer alive.
template <typename Array>
std::shared_ptr<void> keep(const Array& array) {
  return {new Array(array), [](void* held) {
            const InterpreterLock lock;
            if (lock.held()) delete static_cast<Array*>(held);
          }};
}

Tensor borrow(const ReadArray& array, DType dtype) {
  if (dtype == DType::kUndefined)
    raise(make_error(ErrorCode::kInvalidInput, "the array's elements have a type that models do not know"));
  const auto* bytes = static_cast<const std::byte*>(static_cast<const void*>(array.data()));
  return value_of(Tensor::view(dtype, shape_of(array), {bytes, array.nbytes()}, keep(array)));
}

Tensor strings_of(nb::handle array) {
  const auto shape = nb::cast<std::vector<std::int64_t>>(array.attr("shape"));
  std::vector<std::string> values;
  for (const nb::handle item : array.attr("ravel")()) {
    values.push_back(nb::isinstance<nb::bytes>(item) ? nb::cast<nb::bytes>(item).c_str()
                                                     : nb::cast<std::string>(nb::str(item)));
  }
  return value_of(Tensor::of_strings(shape, std::move(values)));
}

}  // namespace

Tensor to_tensor(nb::handle value, DType wanted) {
  ReadArray array;
  if (nb::ndarray_check(value) && nb::try_cast(value, array, false)) {
    const DType dtype = dtype_of_array(array.dtype());
    if (dtype != DType::kUndefined) return borrow(array, dtype);
  }
  PyErr_Clear();
  const nb::object as_dense = nb::module_::import_("tarmac._arrays").attr("as_dense");
  const auto dense =
      nb::cast<nb::tuple>(as_dense(value, wanted == DType::kUndefined ? "" : to_string(wanted)));
  const nb::object found = dense[0];
  const auto name = nb::cast<std::string>(dense[1]);
  if (name == "string") return strings_of(found);
  if (!nb::try_cast(found, array, false)) {
    raise(make_error(ErrorCode::kInvalidInput,
                     "expected an array of numbers in the processor's memory, found " +
                         nb::cast<std::string>(nb::repr(value.type()))));
  }
  return borrow(array, name.empty() ? dtype_of_array(array.dtype()) : dtype_from_string(name));
}

Tensor to_writable_tensor(nb::handle value) {
  WriteArray array;
  const DType dtype = nb::ndarray_check(value) && nb::try_cast(value, array, false)
                          ? dtype_of_array(array.dtype())
                          : DType::kUndefined;
  if (dtype == DType::kUndefined) {
    PyErr_Clear();
    raise(make_error(ErrorCode::kInvalidInput,
                     "memory for results must be a dense (C order), writable array of numbers"));
  }
  auto* bytes = static_cast<std::byte*>(static_cast<void*>(array.data()));
  return value_of(Tensor::mutable_view(dtype, shape_of(array), {bytes, array.nbytes()}, keep(array)));
}

nb::object to_numpy(const Tensor& tensor, std::shared_ptr<const void> owner, bool writable) {
  if (tensor.dtype() == DType::kString) {
    nb::list items;
    for (const std::string& item : tensor.strings()) items.append(nb::str(item.c_str(), item.size()));
    const nb::module_ numpy = nb::module_::import_("numpy");
    return numpy.attr("array")(items, nb::arg("dtype") = "object").attr("reshape")(nb::cast(tensor.shape()));
  }
  const nb::dlpack::dtype type = numpy_type(tensor.dtype());
  if (type.bits == 0) {
    raise(make_error(ErrorCode::kUnsupported, std::string("numpy holds no elements of ") +
                                                  to_string(tensor.dtype()) + "; cast them in the model"));
  }
  nb::capsule capsule(new std::shared_ptr<const void>(std::move(owner)),
                      [](void* held) noexcept { delete static_cast<std::shared_ptr<const void>*>(held); });
  const std::vector<std::size_t> shape(tensor.shape().begin(), tensor.shape().end());
  const void* bytes = tensor.bytes().data();
  nb::object array;
  if (writable) {
    array = nb::cast(nb::ndarray<nb::numpy, nb::c_contig>(const_cast<void*>(bytes), shape.size(),
                                                          shape.data(), capsule, nullptr, type));
  } else {
    array = nb::cast(nb::ndarray<nb::numpy, nb::ro, nb::c_contig>(bytes, shape.size(), shape.data(), capsule,
                                                                  nullptr, type));
  }
  if (numpy_has(tensor.dtype())) return array;
  return nb::module_::import_("tarmac._arrays").attr("restore")(array, to_string(tensor.dtype()));
}

nb::object to_numpy(const Tensor& tensor, bool writable) {
  return to_numpy(tensor, std::make_shared<const Tensor>(tensor), writable);
}

DType parse_dtype(const std::string& name) {
  const DType dtype = dtype_from_string(name);
  if (dtype == DType::kUndefined)
    raise(make_error(ErrorCode::kUsage, "there is no dtype '" + name + "'; for example float32, uint8"));
  return dtype;
}

}  // namespace tarmac::python
