#include "tensor/proto.h"

#include <onnx/onnx_pb.h>

#include <cstring>
#include <limits>

#include "base/file.h"
#include "tensor/io.h"

namespace tarmac {
namespace {

using onnx::TensorProto;

Error invalid(const TensorProto& proto, const std::string& what) {
  return make_error(ErrorCode::kInvalidModel, "damaged tensor: " + what, proto.name());
}

/// The typed field that onnx.proto assigns to a data type.
enum class Field { kFloat, kInt32, kInt64, kDouble, kUint64, kString };

struct FieldInfo {
  Field field;
  const char* name;
};

FieldInfo field_of(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
    case DType::kComplex64:
      return {Field::kFloat, "float_data"};
    case DType::kFloat64:
    case DType::kComplex128:
      return {Field::kDouble, "double_data"};
    case DType::kInt64:
      return {Field::kInt64, "int64_data"};
    case DType::kUint32:
    case DType::kUint64:
      return {Field::kUint64, "uint64_data"};
    case DType::kString:
      return {Field::kString, "string_data"};
    default:
      return {Field::kInt32, "int32_data"};
  }
}

/// Number of values in all typed fields together.
std::int64_t typed_values(const TensorProto& proto) {
  return std::int64_t{proto.float_data_size()} + proto.int32_data_size() + proto.int64_data_size() +
         proto.double_data_size() + proto.uint64_data_size() + proto.string_data_size();
}

Status check_count(const TensorProto& proto, const char* field, std::size_t expected, int found) {
  if (expected == static_cast<std::size_t>(found) && typed_values(proto) == found) return {};
  return invalid(proto, std::string("expected ") + std::to_string(expected) + " values in " + field +
                            ", found " + std::to_string(found) + " (and " +
                            std::to_string(typed_values(proto) - found) + " in fields of other types)");
}

/// Copies a repeated field into memory of T, refusing values that T cannot hold.
template <typename T, typename Values>
Status fill(const TensorProto& proto, const Values& values, std::span<std::byte> bytes) {
  std::size_t offset = 0;
  for (const auto value : values) {
    const auto element = static_cast<T>(value);
    if constexpr (std::is_integral_v<T>) {
      if (static_cast<std::remove_cv_t<decltype(value)>>(element) != value) {
        return invalid(proto, "value " + std::to_string(value) + " does not fit its data type");
      }
    }
    std::memcpy(bytes.data() + offset, &element, sizeof(T));
    offset += sizeof(T);
  }
  return {};
}

/// Types kept in int32_data: integers up to 32 bits, bool, and the bits of floats below 32 bits.
Status fill_from_int32(const TensorProto& proto, DType dtype, std::span<std::byte> bytes) {
  const auto& values = proto.int32_data();
  switch (dtype) {
    case DType::kInt32:
      return fill<std::int32_t>(proto, values, bytes);
    case DType::kInt16:
      return fill<std::int16_t>(proto, values, bytes);
    case DType::kInt8:
      return fill<std::int8_t>(proto, values, bytes);
    case DType::kBool:
      return fill<bool>(proto, values, bytes);
    case DType::kUint16:
    case DType::kFloat16:
    case DType::kBFloat16:
      return fill<std::uint16_t>(proto, values, bytes);
    default:
      return fill<std::uint8_t>(proto, values, bytes);  // uint8, 8-bit floats, packed 4- and 2-bit types
  }
}

Result<Tensor> strings_from_proto(const TensorProto& proto, Shape shape) {
  if (proto.has_raw_data()) return invalid(proto, "strings must be in string_data, found raw_data");
  TARMAC_TRY(const std::int64_t count, element_count(shape));
  TARMAC_CHECK_OK(
      check_count(proto, "string_data", static_cast<std::size_t>(count), proto.string_data_size()));
  return Tensor::of_strings(std::move(shape), {proto.string_data().begin(), proto.string_data().end()});
}

Result<Tensor> raw_from_proto(const TensorProto& proto, DType dtype, Shape shape) {
  if (typed_values(proto) != 0) return invalid(proto, "values in raw_data and in a typed field");
  TARMAC_TRY(const std::size_t expected, size_bytes(dtype, shape));
  const std::string& raw = proto.raw_data();
  if (raw.size() != expected) {
    return invalid(proto, std::string("a ") + to_string(dtype) + " tensor of shape " + to_string(shape) +
                              " takes " + std::to_string(expected) + " bytes, raw_data has " +
                              std::to_string(raw.size()));
  }
  return Tensor::view(dtype, std::move(shape), std::as_bytes(std::span(raw)), nullptr)->clone();
}

Result<Tensor> typed_from_proto(const TensorProto& proto, DType dtype, Shape shape) {
  // The counts are compared before any memory is taken: dims alone may claim anything.
  TARMAC_TRY(const std::size_t bytes_needed, size_bytes(dtype, shape));
  const auto bits = static_cast<std::size_t>(bit_width(dtype));
  const auto [field, name] = field_of(dtype);
  switch (field) {
    case Field::kFloat:
      TARMAC_CHECK_OK(check_count(proto, name, bytes_needed / 4, proto.float_data_size()));
      break;
    case Field::kDouble:
      TARMAC_CHECK_OK(check_count(proto, name, bytes_needed / 8, proto.double_data_size()));
      break;
    case Field::kInt64:
      TARMAC_CHECK_OK(check_count(proto, name, bytes_needed / 8, proto.int64_data_size()));
      break;
    case Field::kUint64:
      TARMAC_CHECK_OK(check_count(proto, name, bytes_needed / (bits / 8), proto.uint64_data_size()));
      break;
    default: {
      const std::size_t unit = bits < 8 ? 1 : bits / 8;  // packed types: one value a byte
      TARMAC_CHECK_OK(check_count(proto, name, bytes_needed / unit, proto.int32_data_size()));
    }
  }
  TARMAC_TRY(Tensor tensor, Tensor::allocate(dtype, std::move(shape)));
  const auto bytes = tensor.mutable_bytes();
  switch (field) {
    case Field::kFloat:
      TARMAC_CHECK_OK(fill<float>(proto, proto.float_data(), bytes));
      break;
    case Field::kDouble:
      TARMAC_CHECK_OK(fill<double>(proto, proto.double_data(), bytes));
      break;
    case Field::kInt64:
      TARMAC_CHECK_OK(fill<std::int64_t>(proto, proto.int64_data(), bytes));
      break;
    case Field::kUint64:
      if (bits == 32) {
        TARMAC_CHECK_OK(fill<std::uint32_t>(proto, proto.uint64_data(), bytes));
      } else {
        TARMAC_CHECK_OK(fill<std::uint64_t>(proto, proto.uint64_data(), bytes));
      }
      break;
    default:
      TARMAC_CHECK_OK(fill_from_int32(proto, dtype, bytes));
  }
  return tensor;
}

Result<Tensor> checked_from_proto(const TensorProto& proto) {
  if (proto.data_location() == TensorProto::EXTERNAL || proto.external_data_size() > 0) {
    return make_error(
        ErrorCode::kUnsupported,
        "the tensor's values lie in an external file, which is read only for weights of a model; save it "
        "with its values inside",
        proto.name());
  }
  if (proto.has_segment()) {
    return make_error(ErrorCode::kUnsupported, "the tensor is split into segments; save it in one piece",
                      proto.name());
  }
  const auto dtype = proto.data_type() > 0 && proto.data_type() <= static_cast<int>(DType::kInt2)
                         ? static_cast<DType>(proto.data_type())
                         : DType::kUndefined;
  if (dtype == DType::kUndefined) {
    return invalid(proto, "data type " + std::to_string(proto.data_type()) + " is not one that ONNX defines");
  }
  Shape shape(proto.dims().begin(), proto.dims().end());
  if (dtype == DType::kString) return strings_from_proto(proto, std::move(shape));
  if (proto.has_raw_data()) return raw_from_proto(proto, dtype, std::move(shape));
  return typed_from_proto(proto, dtype, std::move(shape));
}

}  // namespace

Result<Tensor> tensor_from_proto(const TensorProto& proto) {
  auto tensor = checked_from_proto(proto);
  if (!tensor) {
    if (tensor.error().node.empty()) tensor.error().node = proto.name();
    if (tensor.error().code == ErrorCode::kInvalidInput) tensor.error().code = ErrorCode::kInvalidModel;
  }
  return tensor;
}

void tensor_to_proto(const Tensor& tensor, TensorProto& proto) {
  TensorProto fresh;
  if (proto.has_name()) fresh.set_name(proto.name());
  if (proto.has_doc_string()) fresh.set_doc_string(proto.doc_string());
  fresh.set_data_type(static_cast<std::int32_t>(tensor.dtype()));
  for (const std::int64_t size : tensor.shape()) fresh.add_dims(size);
  if (tensor.dtype() == DType::kString) {
    for (const std::string& value : tensor.strings()) fresh.add_string_data(value);
  } else {
    fresh.set_raw_data(tensor.bytes().data(), tensor.bytes().size());
  }
  proto.Swap(&fresh);
}

Result<Tensor> read_tensor_proto(const std::filesystem::path& path, std::string* name) {
  TARMAC_TRY(const auto file, MappedFile::open(path));
  const auto bytes = file->bytes();
  TensorProto proto;
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()) ||
      !proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return make_error(ErrorCode::kInvalidInput,
                      "expected an ONNX TensorProto of less than 2 GiB, cannot parse it", {}, path.string());
  }
  auto tensor = tensor_from_proto(proto);
  if (!tensor) {
    tensor.error().context = path.string();
    return tensor;
  }
  if (name != nullptr) *name = proto.name();
  return tensor;
}

}  // namespace tarmac
