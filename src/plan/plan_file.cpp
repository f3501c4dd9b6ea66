#include "plan/plan_file.h"

#include <algorithm>
#include <cstring>

#include "graph/model_io.h"
#include "plan/cpu_features.h"
#include "plan/layout.h"
#include "plan/manifest.h"
#include "plan/preprocessing.h"
#include "plan/tensor_spec.h"
#include "tarmac/version.h"

namespace tarmac {
namespace {

constexpr std::string_view kManifestSection = "manifest.json";
constexpr std::string_view kModelSection = "model.onnx";
constexpr std::string_view kContractSection = "contract.yaml";
constexpr std::uint64_t kMaxManifestBytes = std::uint64_t{16} << 20U;

Result<std::vector<TensorSpec>> tensor_specs(const std::vector<Value*>& values) {
  std::vector<TensorSpec> specs;
  for (const Value* value : values) {
    if (value->initializer() != nullptr) continue;  // an input with a stored default is no input to callers
    specs.push_back(tensor_spec(value->name(), value->type));
    if (specs.back().dtype == DType::kUndefined) {
      return make_error(ErrorCode::kUnsupported,
                        "a plan's inputs and outputs must be tensors, found " + specs.back().type,
                        value->name());
    }
  }
  return specs;
}

struct Section {
  std::string_view name;
  std::string_view bytes;
};

Status write_sections(const std::filesystem::path& path, const std::vector<Section>& sections) {
  std::vector<PlanEntry> entries;
  for (const Section& section : sections) {
    entries.push_back({.name = std::string(section.name),
                       .size_bytes = section.bytes.size(),
                       .digest = sha256(std::as_bytes(std::span(section.bytes)))});
  }
  const std::uint64_t file_bytes = place_plan_sections(entries);
  TARMAC_TRY(AtomicFile file, AtomicFile::create(path));
  TARMAC_CHECK_OK(file.write(encode_plan_header(entries, file_bytes)));
  for (std::size_t i = 0; i < sections.size(); ++i) {
    TARMAC_CHECK_OK(file.write(std::string(entries[i].offset_bytes - file.size(), '\0')));
    TARMAC_CHECK_OK(file.write(sections[i].bytes));
  }
  return file.commit();
}

Error with_file(Error error, const std::filesystem::path& path) {
  error.context = error.context.empty() ? path.string() : path.string() + ": " + error.context;
  return error;
}

Result<PlanInfo> read_plan(std::span<const std::byte> file) {
  TARMAC_TRY(const auto entries, decode_plan(file));
  const auto find = [&](std::string_view name) -> const PlanEntry* {
    const auto it =
        std::find_if(entries.begin(), entries.end(), [&](const PlanEntry& e) { return e.name == name; });
    return it == entries.end() ? nullptr : &*it;
  };
  const PlanEntry* manifest = find(kManifestSection);
  const PlanEntry* model = find(kModelSection);
  if (manifest == nullptr || model == nullptr || manifest->size_bytes > kMaxManifestBytes) {
    return make_error(
        ErrorCode::kInvalidModel,
        "the plan needs the sections manifest.json (at most 16 MiB) and model.onnx; rebuild it");
  }
  const auto text = file.subspan(manifest->offset_bytes, manifest->size_bytes);
  TARMAC_TRY(PlanInfo info, read_manifest({reinterpret_cast<const char*>(text.data()), text.size()}));
  if (info.model_digest != to_hex(model->digest)) {
    return make_error(ErrorCode::kInvalidModel, "the manifest names model " + info.model_digest +
                                                    ", the plan holds " + to_hex(model->digest) +
                                                    "; rebuild it");
  }
  info.format_version = kPlanFormatVersion;
  info.file_bytes = file.size();
  for (const PlanEntry& entry : entries) {
    info.sections.push_back({entry.name, entry.offset_bytes, entry.size_bytes, to_hex(entry.digest)});
  }
  return info;
}

/// Labels and preprocessing.
Status take_contract(const std::string& text, const std::filesystem::path& plan, PlanInfo& info) {
  TARMAC_TRY(const Contract contract, parse_plan_contract(text, plan));
  TARMAC_TRY(const Preprocessors preprocessors, make_preprocessors(contract));
  info.labels = contract.labels;
  info.preprocessing = describe(preprocessors);
  info.preprocessing_fingerprint = to_hex(sha256(std::as_bytes(std::span(info.preprocessing))));
  return {};
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

}  // namespace

Status write_plan(const std::filesystem::path& path, const PlanContent& content) {
  PlanInfo info = content.info;
  TARMAC_TRY(const std::string model, serialize_model(*content.model));
  TARMAC_TRY(info.inputs, tensor_specs(content.model->graph->inputs()));
  TARMAC_TRY(info.outputs, tensor_specs(content.model->graph->outputs()));
  info.model_digest = to_hex(sha256(std::as_bytes(std::span(model))));
  info.tool_version = version();
  info.cpu_features = cpu_features();
  if (!content.contract_text.empty()) TARMAC_CHECK_OK(take_contract(content.contract_text, path, info));
  TARMAC_TRY(const std::string manifest, write_manifest(info));
  std::vector<Section> sections{{kManifestSection, manifest}, {kModelSection, model}};
  if (!content.contract_text.empty()) sections.push_back({kContractSection, content.contract_text});
  return write_sections(path, sections);
}

bool is_plan(const std::filesystem::path& path) {
  if (path.extension() == ".plan") return true;
  const auto file = MappedFile::open(path);
  return file.ok() && (*file)->bytes().size() >= kPlanMagic.size() &&
         std::memcmp((*file)->bytes().data(), kPlanMagic.data(), kPlanMagic.size()) == 0;
}

Result<PlanFile> PlanFile::open(const std::filesystem::path& path) {
  TARMAC_TRY(auto file, MappedFile::open(path));
  auto info = read_plan(file->bytes());
  if (!info) return with_file(std::move(info).error(), path);
  return PlanFile(std::move(file), *std::move(info));
}

Result<std::span<const std::byte>> PlanFile::section(std::string_view name) const {
  std::vector<std::string> names;
  for (const PlanSection& section : info_.sections) {
    if (section.name == name) return file_->bytes().subspan(section.offset_bytes, section.size_bytes);
    names.push_back(section.name);
  }
  return make_error(ErrorCode::kNotFound,
                    "the plan has no section '" + std::string(name) + "'; it has " + join(names), {},
                    file_->path().string());
}

Result<Model> PlanFile::model() const {
  TARMAC_TRY(const auto bytes, section(kModelSection));
  auto model = parse_model(bytes, file_);
  if (!model) return with_file(std::move(model).error(), file_->path());
  return model;
}

std::string PlanFile::contract_text() const {
  const auto bytes = section(kContractSection);
  return bytes ? std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size()) : std::string();
}

Status check_plan_fits(const PlanInfo& info, const std::string& engine_version,
                       const std::vector<std::string>& cpu_features) {
  if (info.engine_version != engine_version) {
    return make_error(ErrorCode::kMismatch, "the plan was built for " + info.engine_version +
                                                ", this machine has " + engine_version +
                                                "; rebuild it here with tarmac compile");
  }
  std::vector<std::string> missing;
  for (const std::string& feature : info.cpu_features) {
    if (std::find(cpu_features.begin(), cpu_features.end(), feature) == cpu_features.end())
      missing.push_back(feature);
  }
  if (missing.empty()) return {};
  return make_error(ErrorCode::kMismatch, "the plan was built for a processor with " +
                                              join(info.cpu_features) + "; this one has " +
                                              join(cpu_features) + " and lacks " + join(missing) +
                                              "; rebuild it here with tarmac compile");
}

Result<PlanInfo> inspect_plan(const std::filesystem::path& path) {
  TARMAC_TRY(const PlanFile plan, PlanFile::open(path));
  return plan.info();
}

}  // namespace tarmac
