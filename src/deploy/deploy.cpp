#include "deploy/deploy.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "base/file.h"
#include "base/sha256.h"
#include "deploy/accept.h"
#include "deploy/compare_geometries.h"
#include "deploy/evaluate_cells.h"
#include "deploy/facts.h"
#include "plan/plan_file.h"
#include "runtime/inputs.h"
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

/// What every cell is timed with: a real sample, or made-up values where the contract has no data.
Result<std::map<std::string, Tensor>> timing_sample(const Contract& contract,
                                                    const std::optional<Dataset>& data, const Cell& cell) {
  if (data && data->size() > 0) return data->load(0);
  ShapeChoice shapes;
  for (const auto& [name, profile] : contract.profiles) shapes.shapes[name] = profile.opt;
  return random_inputs(cell.executable->inputs(), shapes, 1);
}

Status record_file(const std::string& label, const std::string& variant, const std::filesystem::path& path,
                   report::DeployReport& report) {
  TARMAC_TRY(const auto digest, sha256_file(path));
  std::error_code failure;
  report.files.push_back(
      {label, variant, path.string(), std::filesystem::file_size(path, failure), to_hex(digest)});
  return {};
}

PlanContent plan_content(const Contract& contract, const Cell& cell, const std::string& contract_text,
                         const std::string& source_digest) {
  PlanContent content;
  content.model = &cell.variant->model;
  content.contract_text = contract_text;
  PlanInfo& info = content.info;
  info.target = cell.spec->name;
  info.engine_version = cell.target->version();
  info.providers = cell.spec->providers;
  info.allow_fallback = cell.spec->allow_fallback;
  info.cores = cell.spec->cores.value_or(0);
  info.source_digest = source_digest;
  info.precision = cell.result.variant == "int8" ? "int8" : "fp32";
  if (!contract.profiles.empty()) info.profiles.push_back(contract.profiles);
  return content;
}

/// All plans or none: a failure removes those already written.
Result<std::vector<std::filesystem::path>> write_plans(const Contract& contract,
                                                       const std::vector<const Cell*>& cells,
                                                       const std::filesystem::path& folder,
                                                       const std::string& source_digest,
                                                       report::DeployReport& report) {
  TARMAC_TRY(const std::string contract_text, read_file(contract.file));
  std::vector<std::filesystem::path> plans;
  for (const Cell* cell : cells) {
    const auto path = folder / (contract.name + "." + cell->spec->name + ".plan");
    if (auto status = write_plan(path, plan_content(contract, *cell, contract_text, source_digest));
        !status) {
      std::error_code ignored;
      for (const auto& written : plans) std::filesystem::remove(written, ignored);
      return std::move(status).error();
    }
    plans.push_back(path);
    TARMAC_CHECK_OK(record_file(cell->result.variant + " plan for " + cell->spec->name, cell->result.variant,
                                path, report));
  }
  return plans;
}

Result<std::vector<std::uint64_t>> measure_memory(const DeployOptions& options,
                                                  const std::vector<std::filesystem::path>& plans,
                                                  report::DeployReport& report) {
  std::vector<std::uint64_t> bytes;
  for (const auto& plan : plans) {
    if (options.measure_memory) {
      TARMAC_TRY(bytes.emplace_back(), options.measure_memory(plan));
    } else {
      TARMAC_TRY(const MemoryUse use, memory_use());
      bytes.push_back(use.peak_resident_bytes);
    }
  }
  if (!options.measure_memory) {
    report.notes.push_back(
        "peak memory is that of the deploying process, which held every variant on every target at once");
  }
  return bytes;
}

}  // namespace

Result<DeployOutcome> deploy(const Contract& contract, const DeployOptions& options, Progress& progress) {
  DeployOutcome outcome;
  report::DeployReport& report = outcome.report;
  Stages stages(report);
  TARMAC_TRY(const auto targets, find_targets(contract));
  TARMAC_CHECK_OK(describe_deployment(contract, targets, report));
  TARMAC_TRY(const auto calibration, open_data(contract, contract.calibration));
  TARMAC_TRY(const auto evaluation, open_data(contract, contract.evaluation_data));
  if (calibration && evaluation) TARMAC_CHECK_OK(check_disjoint(*calibration, *evaluation, progress));
  stages.done("read contract and data");

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
  TARMAC_TRY(const auto sample, timing_sample(contract, evaluation, cells.front()));
  TARMAC_CHECK_OK(time_cells(cells, sample, options.timing_s, progress));
  stages.done("time");

  std::error_code failure;
  std::filesystem::create_directories(options.output_folder, failure);
  if (failure) {
    return make_error(ErrorCode::kIo, "cannot make the output folder: " + failure.message(), {},
                      options.output_folder.string());
  }
  const auto final_cells = choose_final(contract, cells, report);
  report.baseline_variant = "original";
  report.final_variant = final_cells.front()->result.variant;
  TARMAC_CHECK_OK(record_file("original model", "original", contract.model, report));
  TARMAC_TRY(outcome.plans, write_plans(contract, final_cells, options.output_folder, source.digest, report));
  TARMAC_TRY(const auto memory, measure_memory(options, outcome.plans, report));
  accept(contract, cells, final_cells, memory, report);
  for (std::size_t i = 0; i < final_cells.size(); ++i) {
    for (Cell& cell : cells) {
      if (&cell == final_cells[i]) cell.result.peak_memory_bytes = memory[i];
    }
  }
  for (Cell& cell : cells) report.runs.push_back(std::move(cell.result));
  stages.done("write plans and measure memory");
  TARMAC_CHECK_OK(write_report(report, options.output_folder));
  outcome.report_html = options.output_folder / "report.html";
  return outcome;
}

}  // namespace tarmac
