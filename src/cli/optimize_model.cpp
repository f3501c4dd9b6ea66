#include "cli/optimize_model.h"

#include "base/log.h"
#include "verify/reference_engine.h"

namespace tarmac::cli {

EngineOptions::EngineOptions(OptimizeOptions options, std::vector<Target*> targets)
    : support_(targets.empty() ? available_targets() : std::move(targets)), options_(std::move(options)) {
  options_.support = &support_;
  const auto engine = reference_target();
  if (engine) {
    evaluator_.emplace(**engine);
    options_.evaluator = &*evaluator_;
  } else {
    log(LogLevel::kWarning, "constants are not folded: " + engine.error().str());
  }
}

Result<OptimizeReport> optimize_model(Model& model, OptimizeOptions options, std::vector<Target*> targets,
                                      Progress& progress) {
  options.progress = &progress;
  return optimize(model, EngineOptions(std::move(options), std::move(targets)).options());
}

Status lift_again(Model& model, OptimizeOptions options, std::vector<Target*> targets, Progress& progress) {
  std::set<std::string> wanted;
  for (const Pass& pass : all_passes()) {
    const std::string name = pass.name;
    if (name.starts_with("lift_") && (options.only.empty() || options.only.contains(name)))
      wanted.insert(name);
  }
  if (wanted.empty()) return {};
  wanted.insert({"infer_shapes", "fold_constants", "eliminate_no_ops", "merge_casts", "merge_reshapes",
                 "eliminate_common_subexpressions", "eliminate_dead_code"});
  options.only = std::move(wanted);
  options.opset.reset();
  options.trace.clear();
  TARMAC_TRY(const OptimizeReport done,
             optimize_model(model, std::move(options), std::move(targets), progress));
  (void)done;
  return {};
}

void print(Output& output, const OptimizeReport& report) {
  output.line("Optimised: {} nodes before, {} after",
              format_count(static_cast<std::int64_t>(report.nodes_before)),
              format_count(static_cast<std::int64_t>(report.nodes_after)));
  Table table({{"pass"}, {"changes", Table::Align::kRight}, {"time", Table::Align::kRight}});
  std::size_t idle = 0;
  std::int64_t idle_ns = 0;
  for (const PassRun& pass : report.passes) {
    if (pass.changes == 0) {
      ++idle;
      idle_ns += pass.time_ns;
      continue;
    }
    table.add({pass.pass, std::to_string(pass.changes), format_time(static_cast<double>(pass.time_ns))});
  }
  table.add({fmt::format("{} others", idle), "0", format_time(static_cast<double>(idle_ns))});
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
