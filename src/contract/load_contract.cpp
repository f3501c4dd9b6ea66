#include <algorithm>

#include "base/file.h"
#include "contract/sections.h"

namespace tarmac {
namespace {

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 20U;
constexpr double kUsualMinScore = 0.25;

Status parse_version(const Field& field) {
  if (auto version = field.integer(1, 1); !version)
    return field.wrong("1, the only version this program reads");
  return {};
}

Result<Contract> parse_sections(const Field& root) {
  TARMAC_CHECK_OK(root.allow_keys({"version", "name", "model", "inputs", "labels", "data", "evaluation",
                                   "reference", "targets", "precision", "profiles", "acceptance", "sequence",
                                   "detections", "robustness"}));
  Contract contract;
  contract.file = root.source().file;
  TARMAC_TRY(const Field version, root.require("version"));
  TARMAC_CHECK_OK(parse_version(version));
  TARMAC_TRY(const Field name, root.require("name"));
  TARMAC_TRY(contract.name, name.identifier("a name of letters, digits, '_', '-' and '.'"));
  TARMAC_TRY(const Field model, root.require("model"));
  TARMAC_TRY(const Field inputs, root.require("inputs"));
  TARMAC_TRY(contract.inputs, parse_inputs(inputs));
  TARMAC_CHECK_OK(parse_model(model, contract));

  if (const auto field = root.find("labels")) {
    TARMAC_TRY(contract.labels, parse_labels(*field));
  }
  if (const auto field = root.find("data")) TARMAC_CHECK_OK(parse_data(*field, contract));
  if (const auto field = root.find("sequence")) {
    TARMAC_TRY(contract.sequence, parse_sequence(*field, contract));
  }
  if (const auto field = root.find("detections")) {
    TARMAC_TRY(contract.detections, parse_detections(*field, contract, kUsualMinScore));
  }
  if (const auto field = root.find("evaluation")) {
    TARMAC_TRY(contract.evaluation, parse_evaluation(*field, contract));
  }
  if (const auto field = root.find("robustness")) {
    TARMAC_TRY(contract.robustness, parse_robustness(*field, contract));
  }
  if (const auto field = root.find("reference")) {
    TARMAC_TRY(contract.reference, parse_reference(*field));
  }
  contract.targets.resize(1);
  contract.targets[0].name = "openvino";
  if (const auto field = root.find("targets")) {
    TARMAC_TRY(contract.targets, parse_targets(*field));
  }
  if (const auto field = root.find("precision")) {
    TARMAC_TRY(contract.precision, parse_precision(*field, contract));
  }
  if (const auto field = root.find("profiles")) {
    TARMAC_TRY(contract.profiles, parse_profiles(*field, contract));
  }
  take_profile_sizes(contract);
  if (const auto field = root.find("acceptance")) {
    TARMAC_TRY(contract.acceptance, parse_acceptance(*field, contract));
  }
  return contract;
}

}  // namespace

bool InputSpec::is_raw() const {
  const auto* decode = is_picture() ? std::get_if<DecodeStep>(&preprocess.front()) : nullptr;
  return decode != nullptr && decode->raw.has_value();
}

const InputSpec* Contract::find_input(std::string_view input_name) const {
  const auto found = std::find_if(inputs.begin(), inputs.end(),
                                  [&](const InputSpec& input) { return input.name == input_name; });
  return found == inputs.end() ? nullptr : &*found;
}

Result<Contract> parse_contract(std::string_view text, const std::filesystem::path& file,
                                const ContractOptions& options) {
  TARMAC_TRY(const YamlNode tree, parse_yaml(text, file.string()));
  const ContractSource source{file, options};
  return parse_sections(Field(tree, "", source));
}

Result<Contract> load_contract(const std::filesystem::path& file, const ContractOptions& options) {
  TARMAC_TRY(const std::string text, read_file(file, kMaxFileBytes));
  return parse_contract(text, file, options);
}

}  // namespace tarmac
