#include "cli/optimize_model.h"

namespace tarmac::cli {

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

}  // namespace tarmac::cli
