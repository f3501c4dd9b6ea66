#include "plan/plan_file.h"

#include <algorithm>
#include <cstring>

#include "graph/model_io.h"
#include "plan/layout.h"
#include "plan/local_secret.h"
#include "plan/manifest.h"
#include "tensor/npy.h"

namespace tarmac {
namespace {

constexpr std::uint64_t kMaxManifestBytes = std::uint64_t{16} << 20U;

Error with_file(Error error, const std::filesystem::path& path) {
  error.context = error.context.empty() ? path.string() : path.string() + ": " + error.context;
  return error;
}

const PlanEntry* find(const PlanLayout& layout, std::string_view name) {
  const auto it = std::find_if(layout.entries.begin(), layout.entries.end(),
                               [&](const PlanEntry& entry) { return entry.name == name; });
  return it == layout.entries.end() ? nullptr : &*it;
}

Status check_signature(const PlanLayout& layout, const std::string& message,
                       const std::filesystem::path& required_signer) {
  const auto& signature = layout.origin.signature;
  if (!required_signer.empty()) {
    TARMAC_TRY(const PublicKey required, read_public_key(required_signer));
    if (!signature || signature->signer != required) {
      return make_error(ErrorCode::kMismatch,
                        "a signature by " + to_hex(required) + " is required, the plan is " +
                            (signature ? "signed by " + to_hex(signature->signer) : "unsigned") +
                            "; get it from that signer, or sign it with tarmac compile --sign");
    }
  }
  if (signature && !verify(*signature, message)) {
    return make_error(ErrorCode::kInvalidModel, "the signature by " + to_hex(signature->signer) +
                                                    " does not hold: the plan was changed after signing; "
                                                    "get it again from who signed it");
  }
  return {};
}

/// Empty when the seal holds here.
std::string seal_distrust(const PlanLayout& layout, const std::string& message) {
  if (!layout.origin.seal) return "the plan has no seal";
  const auto secret = LocalSecret::open();
  if (!secret) return secret.error().str();
  return secret->holds(*layout.origin.seal, message) ? "" : "the plan was sealed elsewhere";
}

Result<PlanInfo> read_info(std::span<const std::byte> file, const PlanLayout& layout) {
  const PlanEntry* manifest = find(layout, kManifestSection);
  if (manifest == nullptr || find(layout, kModelSection) == nullptr ||
      manifest->size_bytes > kMaxManifestBytes) {
    return make_error(
        ErrorCode::kInvalidModel,
        "the plan needs the sections manifest.json (at most 16 MiB) and model.onnx; rebuild it");
  }
  const auto text = file.subspan(manifest->offset_bytes, manifest->size_bytes);
  TARMAC_TRY(PlanInfo info, read_manifest({reinterpret_cast<const char*>(text.data()), text.size()}));
  info.format_version = kPlanFormatVersion;
  info.file_bytes = layout.file_bytes;
  for (const PlanEntry& entry : layout.entries) {
    info.sections.push_back({entry.name, entry.offset_bytes, entry.size_bytes, to_hex(entry.digest)});
  }
  info.has_engine = find(layout, kEngineSection) != nullptr;
  if (layout.origin.signature) info.signed_by = to_hex(layout.origin.signature->signer);
  return info;
}

struct Checked {
  PlanInfo info;
  std::string engine_distrust;
};

Result<Checked> check(std::span<const std::byte> file, const std::filesystem::path& required_signer) {
  TARMAC_TRY(const PlanLayout layout, decode_plan(file));
  const std::string message = authenticated_message(layout);
  TARMAC_CHECK_OK(check_signature(layout, message, required_signer));
  Checked checked;
  TARMAC_TRY(checked.info, read_info(file, layout));
  const std::string unsealed = seal_distrust(layout, message);
  checked.info.sealed_here = unsealed.empty();
  if (!checked.info.has_engine) {
    checked.engine_distrust = "the plan holds no engine";
  } else if (required_signer.empty()) {
    checked.engine_distrust = unsealed;
  }
  return checked;
}

}  // namespace

bool is_plan(const std::filesystem::path& path) {
  if (path.extension() == ".plan") return true;
  const auto file = MappedFile::open(path);
  return file.ok() && (*file)->bytes().size() >= kPlanMagic.size() &&
         std::memcmp((*file)->bytes().data(), kPlanMagic.data(), kPlanMagic.size()) == 0;
}

Result<PlanFile> PlanFile::open(const std::filesystem::path& path,
                                const std::filesystem::path& required_signer) {
  TARMAC_TRY(auto file, MappedFile::open(path));
  auto checked = check(file->bytes(), required_signer);
  if (!checked) return with_file(std::move(checked).error(), path);
  return PlanFile(std::move(file), std::move(checked->info), std::move(checked->engine_distrust));
}

Result<std::span<const std::byte>> PlanFile::section(std::string_view name) const {
  std::string names;
  for (const PlanSection& section : info_.sections) {
    if (section.name == name) return file_->bytes().subspan(section.offset_bytes, section.size_bytes);
    names += (names.empty() ? "" : ", ") + section.name;
  }
  return make_error(ErrorCode::kNotFound,
                    "the plan has no section '" + std::string(name) + "'; it has " + names, {},
                    file_->path().string());
}

Result<Model> PlanFile::model() const {
  TARMAC_TRY(const auto program, section(kModelSection));
  const auto weights = section(kWeightsSection);
  auto model = weights ? parse_split_model(program, *weights, std::string(kWeightsSection), file_)
                       : parse_model(program, file_);
  if (!model) return with_file(std::move(model).error(), file_->path());
  return model;
}

std::string PlanFile::contract_text() const {
  const auto bytes = section(kContractSection);
  return bytes ? std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size()) : std::string();
}

std::string first_state_section(std::size_t index) { return "state." + std::to_string(index) + ".npy"; }

Result<std::map<std::string, Tensor>> PlanFile::first_states(const Contract& contract) const {
  std::map<std::string, Tensor> states;
  if (!contract.sequence) return states;
  std::size_t index = 0;
  for (const StateSpec& state : contract.sequence->state) {
    if (state.first.empty()) continue;
    const auto bytes = section(first_state_section(index++));
    auto tensor = bytes ? parse_npy(*bytes, file_) : Result<Tensor>(bytes.error());
    if (!tensor) {
      return make_error(ErrorCode::kInvalidModel,
                        "the plan lacks what its state begins with; rebuild it: " + tensor.error().str(),
                        state.input, file_->path().string());
    }
    states.emplace(state.input, *std::move(tensor));
  }
  return states;
}

Result<PlanInfo> inspect_plan(const std::filesystem::path& path,
                              const std::filesystem::path& required_signer) {
  TARMAC_TRY(const PlanFile plan, PlanFile::open(path, required_signer));
  return plan.info();
}

}  // namespace tarmac
