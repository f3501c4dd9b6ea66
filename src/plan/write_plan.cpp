#include <algorithm>

#include "graph/model_io.h"
#include "plan/cpu_features.h"
#include "plan/digests.h"
#include "plan/layout.h"
#include "plan/local_secret.h"
#include "plan/manifest.h"
#include "plan/plan_file.h"
#include "plan/preprocessing.h"
#include "plan/tensor_spec.h"
#include "tarmac/version.h"
#include "tensor/npy.h"

namespace tarmac {
namespace {

/// Of each tensor in weights.bin: what vector instructions and engines like.
constexpr std::uint64_t kWeightAlignmentBytes = 64;

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

/// A file that temporal state begins with, checked.
Result<std::shared_ptr<const MappedFile>> open_first_state(const std::filesystem::path& path) {
  TARMAC_TRY(auto file, MappedFile::open(path));
  if (auto tensor = parse_npy(file->bytes(), file); !tensor) {
    tensor.error().context = path.string();
    return std::move(tensor).error();
  }
  return file;
}

struct Sections {
  std::vector<std::string> names;
  std::vector<DigestParts> parts;

  void add(std::string_view name, DigestParts content) {
    names.emplace_back(name);
    parts.push_back(std::move(content));
  }
  void add_text(std::string_view name, const std::string& text) {
    add(name, {std::as_bytes(std::span(text))});
  }
};

/// What a contract brings: labels and preprocessing for the manifest, files for sections.
struct ContractParts {
  std::vector<std::shared_ptr<const MappedFile>> first_states;
};
Result<ContractParts> take_contract(const PlanContent& content, PlanInfo& info) {
  ContractParts parts;
  if (content.contract_text.empty()) return parts;
  TARMAC_TRY(const Contract contract, parse_plan_contract(content.contract_text, content.contract_folder));
  TARMAC_TRY(const Preprocessors preprocessors, make_preprocessors(contract));
  info.labels = contract.labels;
  info.preprocessing = describe(preprocessors);
  info.preprocessing_fingerprint = to_hex(sha256(std::as_bytes(std::span(info.preprocessing))));
  if (!contract.sequence) return parts;
  for (const StateSpec& state : contract.sequence->state) {
    if (state.first.empty()) continue;
    TARMAC_TRY(parts.first_states.emplace_back(), open_first_state(state.first));
  }
  return parts;
}

Result<PlanLayout> lay_out(const Sections& sections) {
  TARMAC_TRY(const auto digests, sha256_each(sections.parts));
  PlanLayout layout;
  for (std::size_t i = 0; i < digests.size(); ++i) {
    std::uint64_t size = 0;
    for (const auto& part : sections.parts[i]) size += part.size();
    layout.entries.push_back({.name = sections.names[i], .size_bytes = size, .digest = digests[i]});
  }
  place_plan_sections(layout);
  return layout;
}

/// A machine without a place for the secret writes plans without a seal; a secret that others know is
/// refused.
Status authenticate(const std::filesystem::path& sign_key, PlanLayout& layout) {
  const std::string message = authenticated_message(layout);
  if (!sign_key.empty()) {
    TARMAC_TRY(layout.origin.signature, sign(sign_key, message));
  }
  const auto secret = LocalSecret::open_or_create();
  if (secret) {
    layout.origin.seal = secret->seal(message);
  } else if (secret.error().code == ErrorCode::kInvalidInput) {
    return secret.error();
  }
  return {};
}

Status write_sections(const std::filesystem::path& path, const Sections& sections, const PlanLayout& layout) {
  TARMAC_TRY(AtomicFile file, AtomicFile::create(path));
  TARMAC_CHECK_OK(file.write(encode_plan_header(layout)));
  for (std::size_t i = 0; i < sections.parts.size(); ++i) {
    TARMAC_CHECK_OK(file.write(std::string(layout.entries[i].offset_bytes - file.size(), '\0')));
    for (const auto& part : sections.parts[i]) TARMAC_CHECK_OK(file.write(part));
  }
  return file.commit();
}

}  // namespace

Status write_plan(const std::filesystem::path& path, const PlanContent& content) {
  PlanInfo info = content.info;
  TARMAC_TRY(const SplitModel model,
             split_model(*content.model, std::string(kWeightsSection), kWeightAlignmentBytes));
  TARMAC_TRY(info.inputs, tensor_specs(content.model->graph->inputs()));
  TARMAC_TRY(info.outputs, tensor_specs(content.model->graph->outputs()));
  TARMAC_TRY(info.model_digest, model_digest(*content.model));
  info.tool_version = version();
  info.cpu_features = cpu_features();
  TARMAC_TRY(const ContractParts contract, take_contract(content, info));
  TARMAC_TRY(const std::string manifest, write_manifest(info));
  Sections sections;
  sections.add_text(kManifestSection, manifest);
  if (!content.contract_text.empty()) sections.add_text(kContractSection, content.contract_text);
  for (std::size_t i = 0; i < contract.first_states.size(); ++i)
    sections.add(first_state_section(i), {contract.first_states[i]->bytes()});
  sections.add_text(kModelSection, model.program);
  if (!model.weights.empty()) sections.add(kWeightsSection, model.weights);
  if (!content.engine.empty()) sections.add_text(kEngineSection, content.engine);
  TARMAC_TRY(PlanLayout layout, lay_out(sections));
  TARMAC_CHECK_OK(authenticate(content.sign_key, layout));
  return write_sections(path, sections, layout);
}

}  // namespace tarmac
