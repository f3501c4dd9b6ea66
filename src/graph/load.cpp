#include <cassert>
#include <cstring>

#include "base/file.h"
#include "graph/external_data.h"
#include "graph/foreign_format.h"
#include "graph/limits.h"
#include "graph/model_io.h"
#include "graph/proto.h"

namespace tarmac {
namespace {

/// Appends the packed varints of `wire` to the tensor as elements of type T; false if one does not fit or is
/// cut off.
template <typename T>
bool decode_varints(std::span<const std::byte> wire, bool as_int32, std::span<std::byte> target) {
  std::size_t written = 0;
  for (std::size_t position = 0; position < wire.size(); written += sizeof(T)) {
    std::uint64_t bits = 0;
    bool more = true;
    for (unsigned shift = 0; more; shift += 7) {
      if (shift >= 64 || position >= wire.size()) return false;
      const auto byte = std::to_integer<std::uint64_t>(wire[position++]);
      bits |= (byte & 0x7FU) << shift;
      more = (byte & 0x80U) != 0;
    }
    const auto element = static_cast<T>(bits);
    if constexpr (sizeof(T) < 8) {
      const bool fits = as_int32 ? static_cast<std::int32_t>(element) == static_cast<std::int32_t>(bits)
                                 : static_cast<std::uint64_t>(element) == bits;
      if (!fits) return false;
    }
    if (written + sizeof(T) > target.size()) return false;
    std::memcpy(target.data() + written, &element, sizeof(T));
  }
  return written == target.size();
}

Result<Tensor> tensor_from_varints(DType dtype, Shape shape, std::span<const std::byte> wire) {
  const auto wrong = [&] {
    return make_error(ErrorCode::kInvalidModel,
                      std::string("a ") + to_string(dtype) + " tensor of shape " + to_string(shape) +
                          " whose " + std::to_string(wire.size()) +
                          " bytes of packed integers are not as many values of that type");
  };
  TARMAC_TRY(const std::size_t size, size_bytes(dtype, shape));
  const std::size_t width = std::max(1, bit_width(dtype) / 8);
  // Each value takes a byte at least: a shape alone, which may claim anything, takes no memory.
  if (size / width > wire.size()) return wrong();
  TARMAC_TRY(Tensor tensor, Tensor::allocate(dtype, shape));
  const auto target = tensor.mutable_bytes();
  const auto decode = [&]() -> bool {
    switch (dtype) {
      case DType::kInt64:
        return decode_varints<std::int64_t>(wire, false, target);
      case DType::kUint64:
        return decode_varints<std::uint64_t>(wire, false, target);
      case DType::kUint32:
        return decode_varints<std::uint32_t>(wire, false, target);
      case DType::kInt32:
        return decode_varints<std::int32_t>(wire, true, target);
      case DType::kInt16:
        return decode_varints<std::int16_t>(wire, true, target);
      case DType::kInt8:
        return decode_varints<std::int8_t>(wire, true, target);
      case DType::kBool:
        return decode_varints<bool>(wire, true, target);
      case DType::kUint16:
      case DType::kFloat16:
      case DType::kBFloat16:
        return decode_varints<std::uint16_t>(wire, true, target);
      default:
        return decode_varints<std::uint8_t>(wire, true, target);
    }
  };
  if (!decode()) return wrong();
  return tensor;
}

/// Which value field a dtype may use besides raw_data (onnx.proto, TensorProto).
int typed_field(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
    case DType::kComplex64:
      return 4;
    case DType::kFloat64:
    case DType::kComplex128:
      return 10;
    case DType::kInt64:
      return 7;
    case DType::kUint32:
    case DType::kUint64:
      return 11;
    default:
      return 5;
  }
}

constexpr int kRawDataField = 9;

class FilePayloads final : public PayloadSource {
 public:
  FilePayloads(std::span<const std::byte> file, std::shared_ptr<const void> owner,
               std::vector<Payload> places, ExternalData external)
      : file_(file), owner_(std::move(owner)), places_(std::move(places)), external_(std::move(external)) {}

  Result<Tensor> payload(const onnx::TensorProto& proto, std::size_t index) override {
    if (index >= places_.size()) return make_error(ErrorCode::kInternal, "payload marker out of range");
    TARMAC_TRY(const DType dtype, fixed_size_dtype(proto));
    const Payload& place = places_[index];
    const auto bytes = file_.subspan(place.offset, place.size);
    Shape shape(proto.dims().begin(), proto.dims().end());
    if (place.field != kRawDataField && place.field != typed_field(dtype)) {
      return make_error(ErrorCode::kInvalidModel,
                        std::string("a ") + to_string(dtype) + " tensor keeps its values in the wrong field");
    }
    const bool varints = place.field == 5 || place.field == 7 || place.field == 11;
    auto tensor = varints ? tensor_from_varints(dtype, std::move(shape), bytes)
                          : Tensor::view(dtype, std::move(shape), bytes, owner_);
    if (!tensor && tensor.error().code == ErrorCode::kInvalidInput)
      tensor.error().code = ErrorCode::kInvalidModel;
    return tensor;
  }

  Result<Tensor> external(const onnx::TensorProto& proto) override {
    TARMAC_TRY(const DType dtype, fixed_size_dtype(proto));
    Shape shape(proto.dims().begin(), proto.dims().end());
    auto expected = size_bytes(dtype, shape);
    if (!expected) return make_error(ErrorCode::kInvalidModel, expected.error().message);
    TARMAC_TRY(const auto range, external_.resolve(proto, *expected));
    return Tensor::view(dtype, std::move(shape), range.bytes, range.owner);
  }

 private:
  /// The dtype of a tensor whose values lie elsewhere, and nowhere else.
  static Result<DType> fixed_size_dtype(const onnx::TensorProto& proto) {
    const bool marked = marker_index(proto) >= 0;
    const int values_here = proto.float_data_size() + proto.int32_data_size() + proto.int64_data_size() +
                            proto.double_data_size() + proto.uint64_data_size() + proto.string_data_size();
    const bool twice =
        values_here > 0 || proto.has_raw_data() ||
        (marked && (proto.external_data_size() != 1 || proto.data_location() != onnx::TensorProto::DEFAULT));
    if (twice || proto.has_segment()) {
      return make_error(ErrorCode::kInvalidModel, "a tensor with values in two places");
    }
    TARMAC_TRY(const DType dtype, dtype_from_proto(proto.data_type()));
    if (bit_width(dtype) == 0) {
      return make_error(ErrorCode::kInvalidModel,
                        std::string("stored bytes for a tensor of type ") + to_string(dtype));
    }
    return dtype;
  }

  std::span<const std::byte> file_;
  std::shared_ptr<const void> owner_;
  std::vector<Payload> places_;
  ExternalData external_;
};

Status parse_skeleton(const std::string& bytes, onnx::ModelProto& proto) {
  if (bytes.size() > kProtobufLimitBytes) {
    return make_error(ErrorCode::kUnsupported,
                      "the model without its weights has " + std::to_string(bytes.size()) +
                          " bytes; protobuf can read less than 2 GiB. Store weights as raw_data, in tensors");
  }
  const google::protobuf::LogSilencer silent;  // what it has to say, we say ourselves
  if (!proto.ParseFromString(bytes)) {
    return make_error(ErrorCode::kInvalidModel,
                      "not a well-formed ONNX file: protobuf cannot read its structure");
  }
  if (!proto.has_graph()) {
    return make_error(ErrorCode::kInvalidModel,
                      "no graph found; expected an ONNX model, is it another kind of file?");
  }
  return {};
}

Result<Model> parse(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                    ExternalData external) {
  if (bytes.empty()) return make_error(ErrorCode::kInvalidModel, "the file is empty; expected an ONNX model");
  TARMAC_TRY(StrippedModel stripped, strip_payloads(bytes, kPayloadThresholdBytes));
  onnx::ModelProto proto;
  TARMAC_CHECK_OK(parse_skeleton(stripped.skeleton, proto));
  stripped.skeleton.clear();
  stripped.skeleton.shrink_to_fit();
  name_foreign_domains(proto);
  TARMAC_CHECK_OK(check_proto(proto));
  FilePayloads source(bytes, std::move(owner), std::move(stripped.payloads), std::move(external));
  return model_from_proto(proto, source);
}

}  // namespace

Result<Model> parse_model(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                          const std::filesystem::path& folder) {
  return parse(bytes, std::move(owner), ExternalData(folder));
}

Result<Model> parse_split_model(std::span<const std::byte> program, std::span<const std::byte> weights,
                                const std::string& location, std::shared_ptr<const void> owner) {
  ExternalData external(location, {weights, owner});
  return parse(program, std::move(owner), std::move(external));
}

Result<Model> load_model(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  auto model = file ? parse_model((*file)->bytes(), *file, folder) : Result<Model>(file.error());
  if (model) return model;
  Error& error = model.error();
  if (file) error.context = path.string();
  const std::string foreign = foreign_format(path);
  const bool other_kind = error.code == ErrorCode::kInvalidModel || error.code == ErrorCode::kInvalidInput;
  if (other_kind && !foreign.empty()) error.message += "; " + foreign;
  return model;
}

Model clone_model(const Model& model) {
  Skeleton skeleton = to_skeleton(model, kPayloadThresholdBytes);
  TensorPayloads source(skeleton.payloads);
  auto copy = model_from_proto(skeleton.proto, source);
  assert(copy.ok());  // it was written by us a moment ago
  return *std::move(copy);
}

Status verify_model(const Model& model) {
  TARMAC_CHECK_OK(verify_links(*model.graph));
  for (const Function& function : model.functions) TARMAC_CHECK_OK(verify_links(*function.body));
  TARMAC_CHECK_OK(check_limits(model));
  return check_proto(to_skeleton(model, kPayloadThresholdBytes).proto);
}

}  // namespace tarmac
