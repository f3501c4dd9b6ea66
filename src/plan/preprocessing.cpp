#include "plan/preprocessing.h"

namespace tarmac {

Result<Contract> parse_plan_contract(const std::string& text, const std::filesystem::path& plan) {
  ContractOptions options;
  options.files_must_exist = false;
  return parse_contract(text, plan / "contract.yaml", options);
}

Result<Preprocessors> make_preprocessors(const Contract& contract) {
  Preprocessors preprocessors;
  for (const InputSpec& input : contract.inputs) {
    if (!input.is_picture()) continue;
    TARMAC_TRY(Preprocessor preprocessor, Preprocessor::make(input));
    preprocessors.emplace(input.name, std::move(preprocessor));
  }
  return preprocessors;
}

std::string describe(const Preprocessors& preprocessors) {
  std::string text;
  for (const auto& [name, preprocessor] : preprocessors)
    text += name + ": " + preprocessor.description() + "\n";
  return text;
}

Result<Preprocessors> load_preprocessors(const PlanFile& plan) {
  const std::string text = plan.contract_text();
  if (text.empty()) return Preprocessors{};
  TARMAC_TRY(const Contract contract, parse_plan_contract(text, plan.file()->path()));
  TARMAC_TRY(Preprocessors preprocessors, make_preprocessors(contract));
  if (const std::string here = describe(preprocessors); here != plan.info().preprocessing) {
    return make_error(ErrorCode::kMismatch,
                      "the plan was accepted with the preprocessing \"" + plan.info().preprocessing +
                          "\", this program makes \"" + here + "\" of its contract; rebuild the plan",
                      {}, plan.file()->path().string());
  }
  return preprocessors;
}

}  // namespace tarmac
