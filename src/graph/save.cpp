#include <algorithm>
#include <array>

#include "base/file.h"
#include "base/sha256.h"
#include "graph/memory_model.h"
#include "graph/model_io.h"
#include "graph/proto.h"

namespace tarmac {
namespace {

constexpr std::uint64_t kPageBytes = 4096;  // so that readers can map each tensor where it lies

/// A skeleton as bytes, and the pieces that they make with the payloads; borrows from the skeleton.
struct Serialized {
  std::string bytes;
  SplicedModel spliced;
};

Result<std::unique_ptr<Serialized>> serialize(const Skeleton& skeleton) {
  auto result = std::make_unique<Serialized>();  // the pieces point into it, so it must not move
  const std::size_t size = skeleton.proto.ByteSizeLong();
  if (size > kProtobufLimitBytes || !skeleton.proto.SerializeToString(&result->bytes)) {
    return make_error(ErrorCode::kResourceExhausted, "the model without its large weights has " +
                                                         std::to_string(size) +
                                                         " bytes; protobuf can write less than 2 GiB");
  }
  std::vector<Chunk> payloads;
  payloads.reserve(skeleton.payloads.size());
  for (const Tensor& tensor : skeleton.payloads) payloads.push_back(tensor.bytes());
  result->spliced = splice_payloads(result->bytes, payloads);
  return result;
}

Error too_large(std::uint64_t size_bytes) {
  return make_error(ErrorCode::kResourceExhausted,
                    "the model has " + std::to_string(size_bytes) +
                        " bytes, one ONNX file can have 2 GiB; keep its weights outside");
}

std::uint64_t align_up(std::uint64_t size, std::uint64_t alignment) {
  return (size + alignment - 1) / alignment * alignment;
}

/// What lies in the data file: payloads, each from a multiple of the alignment on.
std::vector<Chunk> external_layout(const Skeleton& skeleton, std::uint64_t alignment) {
  static constexpr std::array<std::byte, kPageBytes> kZeros{};
  std::vector<Chunk> chunks;
  for (const Tensor& tensor : skeleton.payloads) {
    const std::size_t size = tensor.bytes().size();
    chunks.push_back(tensor.bytes());
    chunks.push_back(Chunk(kZeros).first(align_up(size, alignment) - size));
  }
  return chunks;
}

/// Makes `tensor`, a payload marker or not, an external data entry.
void refer_to(const std::string& location, std::uint64_t offset, std::uint64_t length,
              onnx::TensorProto& tensor) {
  tensor.clear_external_data();
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  const auto add = [&](const char* key, const std::string& value) {
    auto* entry = tensor.add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  };
  add("location", location);
  add("offset", std::to_string(offset));
  add("length", std::to_string(length));
}

/// Turns payload markers into external data entries that name `location`.
void refer_to(const std::string& location, const std::vector<std::uint64_t>& offsets, Skeleton& skeleton) {
  for_each_tensor(skeleton.proto, [&](onnx::TensorProto& tensor) {
    const std::int64_t marker = marker_index(tensor);
    if (marker < 0) return;
    const auto index = static_cast<std::size_t>(marker);
    refer_to(location, offsets[index], skeleton.payloads[index].bytes().size(), tensor);
  });
}

/// For data as external_layout() has it. Returns its size.
std::uint64_t refer_to(const std::string& location, Skeleton& skeleton, std::uint64_t alignment) {
  std::vector<std::uint64_t> offsets;
  std::uint64_t offset = 0;
  for (const Tensor& tensor : skeleton.payloads) {
    offsets.push_back(offset);
    offset += align_up(tensor.bytes().size(), alignment);
  }
  refer_to(location, offsets, skeleton);
  return offset;
}

Status write_all(AtomicFile& file, const std::vector<Chunk>& chunks) {
  for (const Chunk chunk : chunks) TARMAC_CHECK_OK(file.write(chunk));
  return {};
}

Status save_with_external(Skeleton skeleton, const std::filesystem::path& path) {
  const std::vector<Chunk> layout = external_layout(skeleton, kPageBytes);
  Sha256 hash;
  for (const Chunk chunk : layout) hash.update(chunk);
  // The digest in the name keeps an old model file and its old weights together until the new pair is in
  // place.
  std::filesystem::path data_path = path;
  data_path += "." + to_hex(hash.finish()).substr(0, 12) + ".data";
  refer_to(data_path.filename().string(), skeleton, kPageBytes);
  TARMAC_TRY(const auto serialized, serialize(skeleton));
  TARMAC_TRY(auto data_file, AtomicFile::create(data_path));
  TARMAC_CHECK_OK(write_all(data_file, layout));
  TARMAC_TRY(auto model_file, AtomicFile::create(path));
  TARMAC_CHECK_OK(write_all(model_file, serialized->spliced.chunks));
  // Both are on the disk before either appears; the weights appear first.
  TARMAC_CHECK_OK(data_file.commit());
  return model_file.commit();
}

Result<std::string> joined(const SplicedModel& spliced) {
  if (spliced.size_bytes > kProtobufLimitBytes) return too_large(spliced.size_bytes);
  std::string result;
  result.reserve(spliced.size_bytes);
  for (const Chunk chunk : spliced.chunks)
    result.append(reinterpret_cast<const char*>(chunk.data()), chunk.size());
  return result;
}

std::uint64_t model_bytes(const Skeleton& skeleton) {
  std::uint64_t total = skeleton.proto.ByteSizeLong();
  for (const Tensor& tensor : skeleton.payloads) total += tensor.bytes().size();
  return total;
}

}  // namespace

Status save_model(const Model& model, const std::filesystem::path& path, const SaveOptions& options) {
  const Skeleton skeleton = to_skeleton(model, kPayloadThresholdBytes);
  if (model_bytes(skeleton) > options.external_above_bytes) {
    Skeleton external = to_skeleton(model, std::max<std::size_t>(1, options.min_external_tensor_bytes));
    if (!external.payloads.empty()) return save_with_external(std::move(external), path);
  }
  TARMAC_TRY(const auto serialized, serialize(skeleton));
  if (serialized->spliced.size_bytes > kProtobufLimitBytes) return too_large(serialized->spliced.size_bytes);
  TARMAC_TRY(auto file, AtomicFile::create(path));
  TARMAC_CHECK_OK(write_all(file, serialized->spliced.chunks));
  return file.commit();
}

Result<std::string> serialize_model(const Model& model) {
  const Skeleton skeleton = to_skeleton(model, kPayloadThresholdBytes);
  TARMAC_TRY(const auto serialized, serialize(skeleton));
  return joined(serialized->spliced);
}

Result<SplitModel> split_model(const Model& model, const std::string& location,
                               std::uint64_t alignment_bytes) {
  Skeleton skeleton = to_skeleton(model, kPayloadThresholdBytes);
  SplitModel split;
  split.weights_bytes = refer_to(location, skeleton, alignment_bytes);
  TARMAC_TRY(const auto serialized, serialize(skeleton));
  split.program = std::move(serialized->bytes);
  split.weights = external_layout(skeleton, alignment_bytes);
  split.tensors = std::move(skeleton.payloads);
  return split;
}

Result<MemoryModel> refer_to_memory(const Model& model, std::size_t threshold_bytes) {
  Skeleton skeleton = to_skeleton(model, threshold_bytes);
  std::vector<std::uint64_t> addresses;
  for (const Tensor& tensor : skeleton.payloads)
    addresses.push_back(reinterpret_cast<std::uintptr_t>(tensor.bytes().data()));
  refer_to("*/_ORT_MEM_ADDR_/*", addresses, skeleton);
  TARMAC_TRY(const auto serialized, serialize(skeleton));
  return MemoryModel{std::move(serialized->bytes), std::move(skeleton.payloads)};
}

Result<NamedWeights> refer_by_name(const Model& model, std::size_t threshold_bytes,
                                   const std::function<bool(const Tensor&)>& takes) {
  Skeleton skeleton = to_skeleton(model, threshold_bytes);
  NamedWeights named;
  for (onnx::TensorProto& initializer : *skeleton.proto.mutable_graph()->mutable_initializer()) {
    const std::int64_t marker = marker_index(initializer);
    if (marker < 0) continue;
    const Tensor& tensor = skeleton.payloads[static_cast<std::size_t>(marker)];
    if (!takes(tensor)) continue;
    refer_to("given-by-name", 0, tensor.bytes().size(), initializer);
    named.names.push_back(initializer.name());
    named.tensors.push_back(tensor);
  }
  TARMAC_TRY(const auto serialized, serialize(skeleton));
  TARMAC_TRY(named.program, joined(serialized->spliced));
  return named;
}

Result<std::string> model_digest(const Model& model) {
  const Skeleton skeleton = to_skeleton(model, kPayloadThresholdBytes);
  TARMAC_TRY(const auto serialized, serialize(skeleton));
  Sha256 hash;
  for (const Chunk chunk : serialized->spliced.chunks) hash.update(chunk);
  return to_hex(hash.finish());
}

}  // namespace tarmac
