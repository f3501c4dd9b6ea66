// What compile says of a finished plan, fresh or from the cache.
#pragma once

#include "cli/program.h"
#include "plan/plan_file.h"

namespace tarmac::cli {

/// The table of candidates, from PlanInfo::tried_json or what a failed build tried.
void print_tried(const Json& tried, Output& output);

/// Candidates, choice, precision and size, as text and JSON.
void print_plan(const PlanInfo& info, Output& output);

}  // namespace tarmac::cli
