// The preprocessing that a plan carries: its contract's picture inputs.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "contract/preprocess.h"
#include "plan/plan_file.h"
#include "tarmac/contract.h"

namespace tarmac {

/// The contract inside (or for) a plan; the files that it names need not be on this machine.
Result<Contract> parse_plan_contract(const std::string& text, const std::filesystem::path& plan);

/// By input name.
using Preprocessors = std::map<std::string, Preprocessor, std::less<>>;

/// One for each picture input of the contract.
Result<Preprocessors> make_preprocessors(const Contract& contract);

/// "input: steps", one line an input: equal text means equal results.
std::string describe(const Preprocessors& preprocessors);

/// The plan's; none without a contract. kMismatch when this program would preprocess otherwise than the one
/// that wrote the plan.
Result<Preprocessors> load_preprocessors(const PlanFile& plan);

}  // namespace tarmac
