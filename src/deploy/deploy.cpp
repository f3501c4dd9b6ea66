#include "deploy/deploy.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "base/file.h"
#include "base/sha256.h"
#include "deploy/accept.h"
#include "deploy/compare_geometries.h"
#include "deploy/draw_scenes.h"
#include "deploy/evaluate_cells.h"
#include "deploy/export_source.h"
#include "deploy/facts.h"
#include "deploy/plan_details.h"
#include "deploy/robustness.h"
#include "deploy/samples.h"
#include "deploy/write_plans.h"
#include "runtime/memory.h"

namespace tarmac {
namespace {

/// Records how long each stage took.
class Stages {
 public:
  explicit Stages(report::DeployReport& report) : report_(report), start_(std::chrono::steady_clock::now()) {}
  void done(const std::string& name) {
    const auto now = std::chrono::steady_clock::now();
    report_.stages.push_back(
        {name, std::chrono::duration_cast<std::chrono::nanoseconds>(now - start_).count()});
    start_ = now;
  }

 private:
  report::DeployReport& report_;
  std::chrono::steady_clock::time_point start_;
};

Result<std::optional<Dataset>> open_data(const Contract& contract, const std::optional<DataSource>& source) {
  if (!source) return std::optional<Dataset>();
  TARMAC_TRY(Dataset data, Dataset::open(contract, *source));
  return std::optional(std::move(data));
}

Status record_file(const std::string& label, const std::string& variant, const std::filesystem::path& path,
                   report::DeployReport& report) {
  TARMAC_TRY(const auto digest, sha256_file(path));
  std::error_code failure;
  report.files.push_back(
      {label, variant, path.string(), std::filesystem::file_size(path, failure), to_hex(digest)});
  return {};
}

Status make_folder(const std::filesystem::path& folder) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (!failure) return {};
  return make_error(ErrorCode::kIo, "cannot make the output folder: " + failure.message(), {},
                    folder.string());
}

Status measure_memory(const DeployOptions& options, std::vector<PlannedFile>& plans,
                      report::DeployReport& report) {
  for (PlannedFile& plan : plans) {
    std::optional<std::uint64_t>& bytes = plan.cell->result.peak_memory_bytes;
    if (options.measure_memory) {
      TARMAC_TRY(bytes, options.measure_memory(plan.path));
    } else {
      TARMAC_TRY(const MemoryUse use, memory_use());
      bytes = use.peak_resident_bytes;
    }
  }
  if (!options.measure_memory) {
    report.notes.push_back(
        "peak memory is that of the deploying process, which held every variant on every target at once");
  }
  return {};
}

}  // namespace

Result<DeployOutcome> deploy(const Contract& asked, const DeployOptions& options, Progress& progress) {
  DeployOutcome outcome;
  report::DeployReport& report = outcome.report;
  Stages stages(report);
  TARMAC_TRY(const auto targets, find_targets(asked));
  TARMAC_TRY(const auto calibration, open_data(asked, asked.calibration));
  TARMAC_TRY(const auto evaluation, open_data(asked, asked.evaluation_data));
  if (calibration && evaluation) TARMAC_CHECK_OK(check_disjoint(*calibration, *evaluation, progress));
  TARMAC_CHECK_OK(make_folder(options.output_folder));
  stages.done("read contract and data");

  Contract contract = asked;
  std::string origin;
  if (contract.source) {
    TARMAC_TRY(ExportedModel exported,
               export_source(contract, options.output_folder, options.program, progress));
    contract.model = exported.path;
    origin = origin_json(exported.facts, exported.model_digest);
    report.exported = std::move(exported.facts);
    stages.done("export");
  }
  TARMAC_CHECK_OK(describe_deployment(contract, targets, report));

  TARMAC_TRY(Source source, load_source(contract));
  TARMAC_CHECK_OK(check_targets(contract, targets, source.model, report, progress));
  stages.done("check operators");
  TARMAC_TRY(const auto variants,
             make_variants(contract, std::move(source.model), evaluation ? &*evaluation : nullptr,
                           calibration ? &*calibration : nullptr, targets, report, progress));
  stages.done("optimise, prove and quantise");
  TARMAC_TRY(auto cells, compile_cells(contract, targets, variants, report, progress));
  stages.done("compile");

  if (contract.evaluation && evaluation)
    TARMAC_CHECK_OK(evaluate_cells(contract, *evaluation, cells, report, progress));
  TARMAC_CHECK_OK(compare_geometries(contract, cells, report, progress));
  if (contract.reference) TARMAC_CHECK_OK(compare_cells_with_reference(contract, cells, report, progress));
  stages.done("evaluate");
  TARMAC_TRY(const auto sample, timing_sample(contract, evaluation ? &*evaluation : nullptr, cells.front()));
  TARMAC_CHECK_OK(time_cells(cells, sample, options.timing_s, progress));
  stages.done("time");

  const auto final_cells = choose_final(contract, cells, report);
  report.baseline_variant = "original";
  report.final_variant = final_cells.front()->result.variant;
  if (!contract.robustness.empty() && evaluation) {
    TARMAC_CHECK_OK(try_faults(contract, *evaluation, cells, final_cells, report, progress));
    stages.done("try faults");
  }
  if (evaluation) {
    TARMAC_TRY(report.scenes, draw_scenes(contract, *evaluation, cells, *final_cells.front()));
  }
  TARMAC_CHECK_OK(record_file("original model", "original", contract.model, report));
  PlanFacts facts{contract, cells, {}, source.digest, origin, {}, options.sign_key};
  if (evaluation) {
    TARMAC_TRY(const Sha256Digest digest, evaluation->digest_all(progress));
    facts.data_digest = to_hex(digest);
  }
  TARMAC_TRY(facts.contract_text, read_file(contract.file));
  TARMAC_TRY(auto plans, plan_files(facts, cells, final_cells, report, options.output_folder));
  TARMAC_CHECK_OK(write_plans(plans));
  TARMAC_CHECK_OK(measure_memory(options, plans, report));
  accept(contract, cells, final_cells, report);
  // Once more, with what only they could be measured by.
  for (std::size_t i = 0; i < plans.size() && !report.acceptance.empty(); ++i) {
    const bool beside = i >= final_cells.size();
    plans[i].content.info.acceptance_json = acceptance_json(
        report, plans[i].content.info.target, beside ? plans[i].cell->result.variant : std::string());
  }
  TARMAC_CHECK_OK(write_plans(plans));
  for (const PlannedFile& plan : plans) {
    const report::RunResult& result = plan.cell->result;
    TARMAC_CHECK_OK(
        record_file(result.variant + " plan for " + result.target, result.variant, plan.path, report));
    outcome.plans.push_back(plan.path);
  }
  for (Cell& cell : cells) report.runs.push_back(std::move(cell.result));
  stages.done("write plans and measure memory");
  TARMAC_CHECK_OK(write_report(report, options.output_folder));
  outcome.report_html = options.output_folder / "report.html";
  return outcome;
}

}  // namespace tarmac
