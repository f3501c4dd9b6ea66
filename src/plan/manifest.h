// The manifest of a plan: PlanInfo as JSON.
#pragma once

#include <string>
#include <string_view>

#include "tarmac/plan.h"
#include "tarmac/result.h"

namespace tarmac {

/// The manifest's bytes. Errors: kInvalidInput when precision_json or acceptance_json is not JSON.
Result<std::string> write_manifest(const PlanInfo& info);

/// Reads a manifest; keys it does not know are passed over, so that later versions may add some. Errors:
/// kInvalidModel naming the key, what was found and what was expected.
Result<PlanInfo> read_manifest(std::string_view text);

}  // namespace tarmac
