#include "cli/bench/node_profile.h"

#include <algorithm>
#include <map>

#include "cli/bench/timing.h"

namespace tarmac::cli {
namespace {

constexpr int kProfiledRuns = 10;
constexpr std::size_t kShownNodes = 15;

}  // namespace

Result<NodeProfile> profile_nodes(const BenchArgs& args, const Subject& subject, Run& run) {
  SessionOptions options = session_options(args, subject.setup);
  options.profile = true;
  TARMAC_TRY(Session session, Session::open(subject.setup.model, options));
  for (const auto& [name, tensor] : subject.works.front()->inputs())
    TARMAC_CHECK_OK(session.set_input(name, tensor));
  TARMAC_CHECK_OK(session.run());
  NodeProfile profile;
  std::map<std::pair<std::string, std::string>, NodeTime> sums;
  for (int i = 0; i < kProfiledRuns; ++i) {
    if (run.progress.cancelled()) return make_error(ErrorCode::kCancelled, "interrupted");
    TARMAC_CHECK_OK(session.run());
    TARMAC_TRY(const auto nodes, session.profile());
    profile.reorders = 0;
    for (const NodeTime& node : nodes) {
      if (node.reorder) {
        ++profile.reorders;
        profile.reorder_ns += node.time_ns;
      }
      NodeTime& sum = sums[{node.node, node.kernel}];
      sum = {node.node, node.op_type, node.kernel, sum.time_ns + node.time_ns, node.reorder};
    }
  }
  profile.reorder_ns /= kProfiledRuns;
  for (auto& [key, node] : sums) {
    node.time_ns /= kProfiledRuns;
    profile.nodes.push_back(std::move(node));
  }
  std::stable_sort(profile.nodes.begin(), profile.nodes.end(),
                   [](const auto& a, const auto& b) { return a.time_ns > b.time_ns; });
  return profile;
}

void print(Output& output, const NodeProfile& profile) {
  std::int64_t total_ns = 0;
  for (const NodeTime& node : profile.nodes) total_ns += node.time_ns;
  Table table(
      {{"node"}, {"operator"}, {"kernel"}, {"time", Table::Align::kRight}, {"share", Table::Align::kRight}});
  for (std::size_t i = 0; i < std::min(kShownNodes, profile.nodes.size()); ++i) {
    const NodeTime& node = profile.nodes[i];
    const double share =
        total_ns > 0 ? 100 * static_cast<double>(node.time_ns) / static_cast<double>(total_ns) : 0;
    table.add(
        {node.node, node.op_type, node.kernel, time_text(node.time_ns), fmt::format("{:.1f} %", share)});
  }
  output.line("Slowest of {} nodes (profiled, {} in all):", profile.nodes.size(), time_text(total_ns));
  table.print(output);
  output.line("The engine put in {} changes of memory layout or dtype, {} in all.", profile.reorders,
              time_text(profile.reorder_ns));
}

void add_to(Json& json, const NodeProfile& profile) {
  json["nodes"] = Json::array();
  for (const NodeTime& node : profile.nodes) {
    json["nodes"].push_back({{"node", node.node},
                             {"operator", node.op_type},
                             {"kernel", node.kernel},
                             {"time_ns", node.time_ns},
                             {"reorder", node.reorder}});
  }
  json["reorders"] = {{"count", profile.reorders}, {"time_ns", profile.reorder_ns}};
}

}  // namespace tarmac::cli
