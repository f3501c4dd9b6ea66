// The plan files of a deployment.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "deploy/cells.h"
#include "plan/plan_file.h"
#include "report/report.h"

namespace tarmac {

/// What all plans of a deployment share.
struct PlanFacts {
  const Contract& contract;
  const std::vector<Cell>& cells;
  std::string contract_text;
  std::string source_digest;
  std::string origin_json;
  std::string data_digest;
  std::filesystem::path sign_key;
};

struct PlannedFile {
  Cell* cell = nullptr;
  std::filesystem::path path;
  PlanContent content;
};

/// NAME.TARGET.plan in `folder` for each of `chosen`, and NAME.TARGET.PRECISION.plan for each cell of a type
/// that the contract's precision.also names. Errors: a profile's.
Result<std::vector<PlannedFile>> plan_files(const PlanFacts& facts, std::vector<Cell>& cells,
                                            const std::vector<const Cell*>& chosen,
                                            const report::DeployReport& report,
                                            const std::filesystem::path& folder);

/// All plans or none: a failure removes those already written. Errors: write_plan()'s.
Status write_plans(const std::vector<PlannedFile>& files);

}  // namespace tarmac
