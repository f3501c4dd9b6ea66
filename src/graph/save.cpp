#include <algorithm>

#include "base/file.h"
#include "base/sha256.h"
#include "graph/model_io.h"
#include "graph/proto.h"

namespace tarmac {
namespace {

constexpr std::uint64_t kProtobufLimitBytes = (std::uint64_t{2} << 30U) - 1;
constexpr std::uint64_t kPageBytes = 4096;  // so that readers can map each tensor where it lies

SplicedModel splice(const Skeleton& skeleton, const std::string& bytes) {
  std::vector<Chunk> payloads;
  payloads.reserve(skeleton.payloads.size());
  for (const Tensor& tensor : skeleton.payloads) payloads.push_back(tensor.bytes());
  return splice_payloads(bytes, payloads);
}

Status write_chunks(AtomicFile& file, const SplicedModel& model) {
  for (const Chunk chunk : model.chunks) TARMAC_CHECK_OK(file.write(chunk));
  return {};
}

Status write_padding(AtomicFile& file) {
  static const std::string zeros(kPageBytes, '\0');
  const std::uint64_t used = file.size() % kPageBytes;
  return used == 0 ? Status{} : file.write(std::string_view(zeros).substr(used));
}

/// Writes the payloads beside the model and turns their markers into external data entries.
Status save_external(Skeleton& skeleton, const std::filesystem::path& path) {
  Sha256 hash;
  for (const Tensor& tensor : skeleton.payloads) hash.update(tensor.bytes());
  // The digest in the name keeps an old model file and its old weights together until the new pair is in place.
  std::filesystem::path data_path = path;
  data_path += "." + to_hex(hash.finish()).substr(0, 12) + ".data";
  TARMAC_TRY(auto file, AtomicFile::create(data_path));
  std::vector<std::uint64_t> offsets;
  for (const Tensor& tensor : skeleton.payloads) {
    TARMAC_CHECK_OK(write_padding(file));
    offsets.push_back(file.size());
    TARMAC_CHECK_OK(file.write(tensor.bytes()));
  }
  TARMAC_CHECK_OK(file.commit());
  for_each_tensor(skeleton.proto, [&](onnx::TensorProto& tensor) {
    const std::int64_t marker = marker_index(tensor);
    if (marker < 0) return;
    const auto index = static_cast<std::size_t>(marker);
    tensor.clear_external_data();
    tensor.set_data_location(onnx::TensorProto::EXTERNAL);
    const auto add = [&](const char* key, const std::string& value) {
      auto* entry = tensor.add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    };
    add("location", data_path.filename().string());
    add("offset", std::to_string(offsets[index]));
    add("length", std::to_string(skeleton.payloads[index].bytes().size()));
  });
  return {};
}

std::uint64_t payload_bytes(const Skeleton& skeleton) {
  std::uint64_t total = 0;
  for (const Tensor& tensor : skeleton.payloads) total += tensor.bytes().size();
  return total;
}

}  // namespace

Status save_model(const Model& model, const std::filesystem::path& path, const SaveOptions& options) {
  Skeleton skeleton = to_skeleton(model, kPayloadThresholdBytes);
  if (payload_bytes(skeleton) > options.external_above_bytes) {
    skeleton = to_skeleton(model, std::max<std::size_t>(1, options.min_external_tensor_bytes));
    TARMAC_CHECK_OK(save_external(skeleton, path));
    skeleton.payloads.clear();
  }
  const std::string bytes = skeleton.proto.SerializeAsString();
  const SplicedModel spliced = splice(skeleton, bytes);
  if (spliced.size_bytes > kProtobufLimitBytes) {
    return make_error(ErrorCode::kResourceExhausted, "the model has " + std::to_string(spliced.size_bytes) +
                                                         " bytes, one ONNX file can have 2 GiB; keep weights outside");
  }
  TARMAC_TRY(auto file, AtomicFile::create(path));
  TARMAC_CHECK_OK(write_chunks(file, spliced));
  return file.commit();
}

Result<std::string> serialize_model(const Model& model) {
  const Skeleton skeleton = to_skeleton(model, kPayloadThresholdBytes);
  const std::string bytes = skeleton.proto.SerializeAsString();
  const SplicedModel spliced = splice(skeleton, bytes);
  if (spliced.size_bytes > kProtobufLimitBytes) {
    return make_error(ErrorCode::kResourceExhausted,
                      "the model has " + std::to_string(spliced.size_bytes) + " bytes; at most 2 GiB fit into memory form");
  }
  std::string result;
  result.reserve(spliced.size_bytes);
  for (const Chunk chunk : spliced.chunks) result.append(reinterpret_cast<const char*>(chunk.data()), chunk.size());
  return result;
}

Result<std::string> model_digest(const Model& model) {
  const Skeleton skeleton = to_skeleton(model, kPayloadThresholdBytes);
  const std::string bytes = skeleton.proto.SerializeAsString();
  const SplicedModel spliced = splice(skeleton, bytes);
  Sha256 hash;
  for (const Chunk chunk : spliced.chunks) hash.update(chunk);
  return to_hex(hash.finish());
}

}  // namespace tarmac
