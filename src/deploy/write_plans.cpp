#include "deploy/write_plans.h"

#include <algorithm>

#include "contract/words.h"
#include "deploy/plan_details.h"
#include "deploy/plan_profiles.h"

namespace tarmac {
namespace {

Result<PlanContent> plan_content(const PlanFacts& facts, const Cell& cell,
                                 const report::DeployReport& report) {
  PlanContent content;
  content.model = &cell.variant->model;
  content.contract_text = facts.contract_text;
  content.contract_folder = facts.contract.file.parent_path();
  content.sign_key = facts.sign_key;
  PlanInfo& info = content.info;
  info.target = cell.spec->name;
  info.engine_version = cell.target->version();
  info.providers = cell.spec->providers;
  info.allow_fallback = cell.spec->allow_fallback;
  info.cores = cell.spec->cores.value_or(0);
  info.source_digest = facts.source_digest;
  info.origin_json = facts.origin_json;
  info.data_digest = facts.data_digest;
  // Engines without a form of their own compile when the plan is opened.
  if (auto engine = cell.executable->save_engine()) {
    content.engine = *std::move(engine);
    info.engine_notes = cell.executable->notes();
  }
  info.precision = cell.result.variant;
  info.precision_json = precision_json(cell.variant->model, report.precision, info.target, info.precision);
  info.tried_json = tried_json(facts.cells, cell);
  if (!facts.contract.profiles.empty()) {
    TARMAC_TRY(info.profiles, make_profiles({{facts.contract.profiles}, {}}, cell.variant->model));
  }
  return content;
}

bool is_beside(const Contract& contract, const Cell& cell) {
  return std::any_of(contract.precision.also.begin(), contract.precision.also.end(),
                     [&](DType type) { return cell.result.variant == to_precision_word(type); });
}

}  // namespace

Result<std::vector<PlannedFile>> plan_files(const PlanFacts& facts, std::vector<Cell>& cells,
                                            const std::vector<const Cell*>& chosen,
                                            const report::DeployReport& report,
                                            const std::filesystem::path& folder) {
  std::vector<PlannedFile> files;
  const auto add = [&](Cell& cell, const std::string& suffix) -> Status {
    TARMAC_TRY(PlanContent content, plan_content(facts, cell, report));
    files.push_back({&cell, folder / (facts.contract.name + "." + cell.spec->name + suffix + ".plan"),
                     std::move(content)});
    return {};
  };
  for (const Cell* one : chosen)
    TARMAC_CHECK_OK(add(cells[static_cast<std::size_t>(one - cells.data())], ""));
  for (Cell& cell : cells) {
    if (is_beside(facts.contract, cell)) TARMAC_CHECK_OK(add(cell, "." + cell.result.variant));
  }
  return files;
}

Status write_plans(const std::vector<PlannedFile>& files) {
  for (const PlannedFile& file : files) {
    auto status = write_plan(file.path, file.content);
    if (status) continue;
    std::error_code ignored;
    for (const PlannedFile& written : files) std::filesystem::remove(written.path, ignored);
    return status;
  }
  return {};
}

}  // namespace tarmac
