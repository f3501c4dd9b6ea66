#include <cassert>
#include <cstring>

#include "base/file.h"
#include "graph/external_data.h"
#include "graph/model_io.h"
#include "graph/proto.h"

namespace tarmac {
namespace {

/// protobuf's int32_data holds narrower types too; each varint becomes one element of the dtype's storage size.
Result<Tensor> decode_varints(DType dtype, Shape shape, std::span<const std::byte> wire) {
  TARMAC_TRY(Tensor tensor, Tensor::allocate(dtype, std::move(shape)));
  const auto target = tensor.mutable_bytes();
  const std::size_t width = std::max(1, bit_width(dtype) / 8);
  std::size_t written = 0;
  std::size_t position = 0;
  while (position < wire.size() && written < target.size()) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && position < wire.size(); shift += 7) {
      const auto byte = std::to_integer<std::uint64_t>(wire[position++]);
      value |= (byte & 0x7FU) << shift;
      if ((byte & 0x80U) == 0) break;
    }
    std::memcpy(target.data() + written, &value, width);
    written += width;
  }
  if (position != wire.size() || written != target.size()) {
    return make_error(ErrorCode::kInvalidModel, "a tensor of shape " + to_string(tensor.shape()) +
                                                    " does not have as many values as its shape says");
  }
  return tensor;
}

/// Which value field a dtype may use besides raw_data (onnx.proto, TensorProto).
int typed_field(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
    case DType::kComplex64: return 4;
    case DType::kFloat64:
    case DType::kComplex128: return 10;
    case DType::kInt64: return 7;
    case DType::kUint32:
    case DType::kUint64: return 11;
    default: return 5;
  }
}

class FilePayloads final : public PayloadSource {
 public:
  FilePayloads(std::span<const std::byte> file, std::shared_ptr<const void> owner, std::vector<Payload> places,
               const std::filesystem::path& folder)
      : file_(file), owner_(std::move(owner)), places_(std::move(places)), external_(folder) {}

  Result<Tensor> payload(const onnx::TensorProto& proto, std::size_t index) override {
    if (index >= places_.size()) return make_error(ErrorCode::kInternal, "payload marker out of range");
    const Payload& place = places_[index];
    const auto bytes = file_.subspan(place.offset, place.size);
    const auto dtype = static_cast<DType>(proto.data_type());
    Shape shape(proto.dims().begin(), proto.dims().end());
    if (proto.data_location() == onnx::TensorProto::EXTERNAL || bit_width(dtype) == 0) {
      return make_error(ErrorCode::kInvalidModel, "a tensor with stored values of an impossible kind");
    }
    if (place.field != 9 && place.field != typed_field(dtype)) {
      return make_error(ErrorCode::kInvalidModel,
                        std::string("a ") + to_string(dtype) + " tensor keeps its values in the wrong field");
    }
    const bool varints = place.field == 5 || place.field == 7 || place.field == 11;
    auto tensor = varints ? decode_varints(dtype, std::move(shape), bytes)
                          : Tensor::view(dtype, std::move(shape), bytes, owner_);
    if (!tensor) tensor.error().code = ErrorCode::kInvalidModel;
    return tensor;
  }

  Result<Tensor> external(const onnx::TensorProto& proto) override {
    const auto dtype = static_cast<DType>(proto.data_type());
    Shape shape(proto.dims().begin(), proto.dims().end());
    if (bit_width(dtype) == 0) return make_error(ErrorCode::kInvalidModel, "external data of a type without fixed size");
    TARMAC_TRY(const std::size_t expected, size_bytes(dtype, shape));
    TARMAC_TRY(const auto range, external_.resolve(proto, expected));
    return Tensor::view(dtype, std::move(shape), range.bytes, range.owner);
  }

 private:
  std::span<const std::byte> file_;
  std::shared_ptr<const void> owner_;
  std::vector<Payload> places_;
  ExternalData external_;
};

/// Payloads that are already tensors.
class TensorPayloads final : public PayloadSource {
 public:
  explicit TensorPayloads(const std::vector<Tensor>& tensors) : tensors_(tensors) {}
  Result<Tensor> payload(const onnx::TensorProto& /*marked*/, std::size_t index) override { return tensors_.at(index); }
  Result<Tensor> external(const onnx::TensorProto& /*tensor*/) override {
    return make_error(ErrorCode::kInvalidModel, "external data in a model that is not a file");
  }

 private:
  const std::vector<Tensor>& tensors_;
};

Status parse_skeleton(const std::string& bytes, onnx::ModelProto& proto) {
  if (!proto.ParseFromString(bytes)) {
    return make_error(ErrorCode::kInvalidModel, "not a well-formed ONNX file: protobuf cannot read its structure");
  }
  if (!proto.has_graph()) {
    return make_error(ErrorCode::kInvalidModel, "no graph found; expected an ONNX model, is it another kind of file?");
  }
  return {};
}

}  // namespace

Result<Model> parse_model(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                          const std::filesystem::path& folder) {
  if (bytes.empty()) return make_error(ErrorCode::kInvalidModel, "the file is empty; expected an ONNX model");
  TARMAC_TRY(StrippedModel stripped, strip_payloads(bytes, kPayloadThresholdBytes));
  onnx::ModelProto proto;
  TARMAC_CHECK_OK(parse_skeleton(stripped.skeleton, proto));
  stripped.skeleton.clear();
  stripped.skeleton.shrink_to_fit();
  TARMAC_CHECK_OK(check_proto(proto));
  FilePayloads source(bytes, std::move(owner), std::move(stripped.payloads), folder);
  return model_from_proto(proto, source);
}

Result<Model> load_model(const std::filesystem::path& path) {
  TARMAC_TRY(const auto file, MappedFile::open(path));
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  auto model = parse_model(file->bytes(), file, folder);
  if (!model) model.error().context = path.string();
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
  Skeleton skeleton = to_skeleton(model, kPayloadThresholdBytes);
  TARMAC_CHECK_OK(check_proto(skeleton.proto));
  TensorPayloads source(skeleton.payloads);
  // Import fails on a name that is used before it is defined, which is what broken links or order lead to.
  auto copy = model_from_proto(skeleton.proto, source);
  if (!copy) return make_error(ErrorCode::kInternal, "the graph's links are broken: " + copy.error().str());
  return {};
}

}  // namespace tarmac
