#include "cli/optimize_model.h"

#include <optional>

#include "base/log.h"
#include "cli/compare.h"
#include "targets/evaluator.h"
#include "targets/operator_support.h"

namespace tarmac::cli {

Result<OptimizeReport> optimize_model(Model& model, OptimizeOptions options, std::vector<Target*> targets,
                                      Progress& progress) {
  const TargetSupport support(targets.empty() ? available_targets() : std::move(targets));
  options.support = &support;
  const auto engine = reference_target();
  std::optional<TargetEvaluator> evaluator;
  if (engine) {
    evaluator.emplace(**engine);
    options.evaluator = &*evaluator;
  } else {
    log(LogLevel::kWarning, "constants are not folded: " + engine.error().str());
  }
  options.progress = &progress;
  return optimize(model, options);
}

void print(Output& output, const OptimizeReport& report) {
  output.line("Optimised: {} nodes before, {} after",
              format_count(static_cast<std::int64_t>(report.nodes_before)),
              format_count(static_cast<std::int64_t>(report.nodes_after)));
  Table table({{"pass"}, {"changes", Table::Align::kRight}, {"time", Table::Align::kRight}});
  for (const PassRun& pass : report.passes) {
    table.add({pass.pass, std::to_string(pass.changes), format_time(static_cast<double>(pass.time_ns))});
  }
  table.print(output);
  for (const Change& change : report.declined)
    output.line("  not done: {} ({}): {}", change.node, change.pass, change.what);
}

Json to_json(const OptimizeReport& report) {
  const auto list = [](const std::vector<Change>& changes) {
    Json json = Json::array();
    for (const Change& change : changes)
      json.push_back({{"pass", change.pass}, {"node", change.node}, {"what", change.what}});
    return json;
  };
  Json json = {
      {"nodes_before", report.nodes_before}, {"nodes_after", report.nodes_after}, {"passes", Json::array()}};
  for (const PassRun& pass : report.passes) {
    json["passes"].push_back({{"pass", pass.pass}, {"changes", pass.changes}, {"time_ns", pass.time_ns}});
  }
  json["changes"] = list(report.changes);
  json["declined"] = list(report.declined);
  return json;
}

}  // namespace tarmac::cli
