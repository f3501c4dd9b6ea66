#include "deploy/deploy.h"

#include <fmt/format.h>

#include <memory>

#include "cli/commands/commands.h"
#include "cli/memory_probe.h"
#include "targets/target.h"

namespace tarmac::cli {
namespace {

struct DeployArgs {
  std::string contract;
  std::string output_dir;
};

std::string percent(double fraction) { return fmt::format("{:.2f} %", fraction * 100); }

std::string amount(double value, const std::string& unit) {
  if (unit == "fraction") return percent(value);
  if (unit == "ns") return format_time(value);
  if (unit == "bytes") return format_bytes(static_cast<std::uint64_t>(value));
  return fmt::format("{:.4g} {}", value, unit);
}

void print(Output& output, const DeployOutcome& outcome) {
  using Align = Table::Align;
  const report::DeployReport& report = outcome.report;
  Table runs({{"variant"}, {"target"}, {"accuracy", Align::kRight}, {"p50", Align::kRight}, {"p99", Align::kRight},
              {"samples/s", Align::kRight}});
  for (const report::RunResult& run : report.runs) {
    runs.add({run.variant, run.target, run.accuracy ? percent(run.accuracy->value) : "-",
              format_time(static_cast<double>(run.latency->p50_ns)), format_time(static_cast<double>(run.latency->p99_ns)),
              run.throughput ? fmt::format("{:.0f}", run.throughput->samples_per_s) : "-"});
  }
  runs.print(output);
  output.line();
  Table acceptance({{"acceptance"}, {"variant"}, {"target"}, {"measured", Align::kRight}, {"limit", Align::kRight}, {""}});
  for (const report::AcceptanceRow& row : report.acceptance) {
    acceptance.add({row.criterion, row.variant, row.target, row.measured ? amount(*row.measured, row.unit) : "not measured",
                    (row.bound == "at_least" ? ">= " : "<= ") + amount(row.limit, row.unit), row.passed ? "pass" : "FAIL"});
  }
  acceptance.print(output);
  for (const std::string& note : report.notes) output.line("note: {}", note);
  output.line();
  for (const auto& plan : outcome.plans) output.line("Plan:   {}", plan.string());
  output.line("Report: {}", outcome.report_html.string());
  output.line("{}", report.passed ? "PASSED" : "FAILED");
}

Status deploy(const DeployArgs& args, Run& run) {
  ContractOptions contract_options;
  for (const Target* target : all_targets()) contract_options.known_targets.push_back(target->name());
  TARMAC_TRY(const Contract contract, load_contract(args.contract, contract_options));
  DeployOptions options;
  options.output_folder = args.output_dir.empty() ? std::filesystem::path(contract.name + ".deploy") : std::filesystem::path(args.output_dir);
  options.measure_memory = measure_plan_memory;
  TARMAC_TRY(const DeployOutcome outcome, tarmac::deploy(contract, options, run.progress));
  run.output.json() = Json::parse(render_json(outcome.report));
  print(run.output, outcome);
  if (outcome.report.passed) return {};
  std::string reasons;
  for (const std::string& failure : outcome.report.failures) reasons += (reasons.empty() ? "" : "; ") + failure;
  return make_error(ErrorCode::kAcceptance, "acceptance not met: " + reasons, {}, args.contract);
}

}  // namespace

void add_deploy(Commands& commands) {
  const auto args = std::make_shared<DeployArgs>();
  CLI::App& command = commands.add("deploy", "Make a contract true: check, optimise, quantise, compile, evaluate, accept, report",
                                   {"tarmac deploy deploy.yaml", "tarmac deploy deploy.yaml -o out",
                                    "tarmac deploy deploy.yaml -o out --json > result.json"},
                                   [args](Run& run) { return deploy(*args, run); });
  command.add_option("contract", args->contract, "The contract")->type_name("deploy.yaml")->required();
  command.add_option("-o,--output-dir", args->output_dir, "Folder for plans and report (default: NAME.deploy)")->type_name("DIR");
}

}  // namespace tarmac::cli
