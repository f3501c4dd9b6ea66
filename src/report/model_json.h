// Models, plans and what was done to them as JSON: the keys that the commands' --json and the bindings share.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "passes/pass_manager.h"
#include "precision/convert.h"
#include "targets/target.h"
#include "tarmac/model.h"
#include "tarmac/plan.h"
#include "verify/compare_outputs.h"
#include "verify/find_culprit.h"

namespace tarmac {

/// Text that a plan carries as JSON; null when there is none.
nlohmann::ordered_json embedded(const std::string& text);

/// The shape is null where the rank is unknown, a size is its symbol where it is open.
nlohmann::ordered_json to_json(const std::vector<TensorSpec>& specs);
nlohmann::ordered_json to_json(const ModelInfo& info);
nlohmann::ordered_json to_json(const PlanInfo& info);

/// "Conv", "domain::Op".
std::string operator_name(const NodeVerdict& verdict);
nlohmann::ordered_json to_json(const std::vector<NodeVerdict>& verdicts);

nlohmann::ordered_json to_json(const OptimizeReport& report);
/// By output. What is not finite is null once printed.
nlohmann::ordered_json to_json(const std::vector<OutputComparison>& comparison);
nlohmann::ordered_json to_json(const PrecisionReport& report);
nlohmann::ordered_json to_json(const EquivalenceReport& report);
nlohmann::ordered_json to_json(const Culprit& culprit);

}  // namespace tarmac
