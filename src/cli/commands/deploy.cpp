#include "deploy/deploy.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "base/child_process.h"
#include "cli/args/output_args.h"
#include "cli/args/target_args.h"
#include "cli/commands/commands.h"
#include "cli/memory_probe.h"
#include "report/json.h"

namespace tarmac::cli {
namespace {

struct DeployArgs {
  std::string contract;
  std::string output_dir;
  std::string key;
};

/// A measured or demanded number in its unit.
std::string format_value(double value, const std::string& unit) {
  // Numerical errors are far below a hundredth of a percent; a 0.00 would hide them.
  const bool tiny = value != 0 && std::abs(value) < 5e-5;
  if (unit == "fraction")
    return tiny ? fmt::format("{:.2g} %", 100 * value) : fmt::format("{:.2f} %", 100 * value);
  if (unit == "ns") return format_time(value);
  if (unit == "bytes") return format_bytes(static_cast<std::uint64_t>(value));
  return fmt::format("{:.4g}{}{}", value, unit.empty() ? "" : " ", unit);
}

void print_export(Output& output, const report::DeployReport& report) {
  if (!report.exported) return;
  const report::ExportFacts& made = *report.exported;
  output.line("Exported{} from {} {} ({}) by {}: opset {}, {} nodes", made.reused ? " earlier" : "",
              made.format, made.source, made.framework, made.exporter, made.opset, made.nodes_after);
  Table table({{"output"}, {"max error", Table::Align::kRight}, {"mean error", Table::Align::kRight}});
  const auto share = [](const std::optional<double>& value) {
    return value ? format_value(*value, "fraction") : "infinite";
  };
  for (const report::ExportedOutput& row : made.outputs)
    table.add({row.name, share(row.max_rel), share(row.mean_rel)});
  table.print(output);
  for (const std::string& note : made.notes) output.line("Note: {}", note);
}

std::string percent(const std::optional<double>& value) {
  return value ? fmt::format("{:.2f} %", 100 * *value) : "-";
}

/// What detection in space says beside its mAP.
void add_space_columns(std::vector<Table::Column>& columns) {
  columns.push_back({"score", Table::Align::kRight});
  columns.push_back({"velocity error", Table::Align::kRight});
}

void add_space(std::vector<std::string>& row, const report::AccuracyResult& accuracy) {
  row.push_back(percent(accuracy.nds));
  row.push_back(accuracy.errors && accuracy.errors->velocity
                    ? fmt::format("{:.3f} m/s", *accuracy.errors->velocity)
                    : "-");
}

void print_runs(Output& output, const report::DeployReport& report) {
  const auto evaluated = std::find_if(report.runs.begin(), report.runs.end(),
                                      [](const report::RunResult& run) { return run.accuracy.has_value(); });
  const bool in_space = evaluated != report.runs.end() && evaluated->accuracy->nds.has_value();
  std::vector<Table::Column> columns = {
      {"variant"},
      {"target"},
      {evaluated == report.runs.end() ? "accuracy" : evaluated->accuracy->name, Table::Align::kRight}};
  if (in_space) add_space_columns(columns);
  columns.insert(columns.end(), {{"mean", Table::Align::kRight},
                                 {"p50", Table::Align::kRight},
                                 {"p99", Table::Align::kRight},
                                 {"samples/s", Table::Align::kRight},
                                 {"peak memory", Table::Align::kRight},
                                 {""}});
  Table table(std::move(columns));
  for (const report::RunResult& run : report.runs) {
    const auto time = [&](auto member) {
      return run.latency ? format_time(static_cast<double>((*run.latency).*member)) : std::string("-");
    };
    std::vector<std::string> row = {
        run.variant, run.target, percent(run.accuracy ? std::optional(run.accuracy->value) : std::nullopt)};
    if (in_space) add_space(row, run.accuracy ? *run.accuracy : report::AccuracyResult());
    row.insert(row.end(),
               {time(&LatencySummary::mean_ns), time(&LatencySummary::p50_ns), time(&LatencySummary::p99_ns),
                run.throughput ? fmt::format("{:.0f}", run.throughput->samples_per_s) : "-",
                run.peak_memory_bytes ? format_bytes(*run.peak_memory_bytes) : "-", run.failure});
    table.add(std::move(row));
  }
  table.print(output);
}

void print_robustness(Output& output, const report::DeployReport& report) {
  if (report.robustness.empty()) return;
  output.line("Robustness: what is deployed, under each fault");
  const report::AccuracyResult& first = report.robustness.front().accuracy;
  std::vector<Table::Column> columns = {
      {"fault"}, {"target"}, {"variant"}, {first.name, Table::Align::kRight}, {"lost", Table::Align::kRight}};
  if (first.nds) add_space_columns(columns);
  Table table(std::move(columns));
  for (const report::RobustnessRow& row : report.robustness) {
    std::vector<std::string> cells = {row.fault, row.target, row.variant, percent(row.accuracy.value),
                                      row.drop ? format_value(*row.drop, "fraction") : "-"};
    if (first.nds) add_space(cells, row.accuracy);
    table.add(std::move(cells));
  }
  table.print(output);
}

void print_acceptance(Output& output, const report::DeployReport& report) {
  if (report.acceptance.empty()) return;
  output.line("Acceptance");
  Table table({{"criterion"},
               {"target"},
               {"variant"},
               {"limit", Table::Align::kRight},
               {"measured", Table::Align::kRight},
               {""}});
  for (const report::AcceptanceRow& row : report.acceptance) {
    table.add({row.metric.empty() ? row.criterion : row.criterion + " (" + row.metric + ")", row.target,
               row.variant, (row.bound == "at_least" ? ">= " : "<= ") + format_value(row.limit, row.unit),
               row.measured ? format_value(*row.measured, row.unit) : "not measured",
               row.passed ? "pass" : "FAIL"});
  }
  table.print(output);
}

Status deploy_command(const DeployArgs& args, Run& run) {
  ContractOptions contract_options;
  contract_options.known_targets = target_names();
  TARMAC_TRY(const Contract contract, load_contract(args.contract, contract_options));
  DeployOptions options;
  options.output_folder = args.output_dir.empty() ? contract.name + ".deploy" : args.output_dir;
  TARMAC_CHECK_OK(make_output_folder(options.output_folder));
  options.measure_memory = [&](const std::filesystem::path& plan) {
    return measure_plan_memory(plan, run.progress);
  };
  options.sign_key = args.key;
  std::error_code ignored;
  options.program = std::filesystem::read_symlink(kThisProgram, ignored);
  TARMAC_TRY(const DeployOutcome outcome, deploy(contract, options, run.progress));
  const report::DeployReport& report = outcome.report;

  Json& json = run.output.json() = report::to_json(report, false);
  json["plans"] = Json::array();
  for (const auto& plan : outcome.plans) json["plans"].push_back(plan.string());
  json["report_html"] = outcome.report_html.string();
  print_export(run.output, report);
  print_runs(run.output, report);
  print_robustness(run.output, report);
  print_acceptance(run.output, report);
  for (const auto& note : report.notes) run.output.line("Note: {}", note);
  for (const auto& plan : outcome.plans) run.output.line("Plan: {}", plan.string());
  run.output.line("Report: {}", outcome.report_html.string());
  run.output.line("{}", report.passed ? "PASSED" : "FAILED");
  if (report.passed) return {};
  return make_error(ErrorCode::kAcceptance,
                    fmt::format("acceptance not met: {}", fmt::join(report.failures, "; ")), {},
                    args.contract);
}

}  // namespace

void add_deploy(Commands& commands) {
  const auto args = std::make_shared<DeployArgs>();
  CLI::App& command = commands.add(
      "deploy",
      "Do all that a contract asks for: check, optimise, quantise, compile, evaluate, time, accept, report",
      {"tarmac deploy deploy.yaml", "tarmac deploy examples/traffic_light/deploy.yaml -o build/demo",
       "tarmac deploy deploy.yaml -o out --json"},
      [args](Run& run) { return deploy_command(*args, run); });
  command.add_option("contract", args->contract, "The contract, deploy.yaml")->type_name("FILE")->required();
  command
      .add_option("-o,--output-dir", args->output_dir,
                  "Folder for plans, report.html and report.json (default: NAME.deploy)")
      ->type_name("DIR");
  command.add_option("--sign", args->key, "PEM file of the Ed25519 private key to sign the plans with")
      ->type_name("KEY");
}

}  // namespace tarmac::cli
