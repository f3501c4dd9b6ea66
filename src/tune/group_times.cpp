#include "tune/group_times.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "runtime/compile.h"
#include "runtime/inputs.h"

namespace tarmac {
namespace {

constexpr int kContexts = 3;  // ONNX Runtime gives one profile a context
constexpr int kWarmUp = 2;

using GroupByNode = std::map<std::string, std::size_t>;

/// Which group a node's time belongs to. Q/DQ nodes belong to the first group that reads what they make.
GroupByNode group_of_nodes(const FusionGroups& groups, const Graph& graph) {
  GroupByNode found;
  for (std::size_t i = 0; i < groups.groups.size(); ++i) {
    for (const std::string& node : groups.groups[i].nodes) found.emplace(node, i);
  }
  for (auto node = graph.nodes().rbegin(); node != graph.nodes().rend(); ++node) {
    const bool rounds = (*node)->is("QuantizeLinear") || (*node)->is("DequantizeLinear");
    if (!rounds || (*node)->output(0)->uses().empty()) continue;
    const auto reader = found.find((*node)->output(0)->uses().front().node->label());
    if (reader != found.end()) found.emplace((*node)->label(), reader->second);
  }
  return found;
}

/// Engines join the names of nodes that they fused with " + ".
std::optional<std::size_t> group_of(const NodeTime& time, const GroupByNode& groups) {
  constexpr std::string_view kJoint = " + ";
  std::string_view rest = time.node;
  while (true) {
    const std::size_t end = rest.find(kJoint);
    const auto found = groups.find(std::string(rest.substr(0, end)));
    if (found != groups.end()) return found->second;
    if (end == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(end + kJoint.size());
  }
}

}  // namespace

Result<std::vector<std::int64_t>> measure_group_times(const FusionGroups& groups, Model& model,
                                                      Target& target, CompileOptions options,
                                                      const std::map<std::string, Tensor>& inputs,
                                                      Progress& progress) {
  const GroupByNode by_node = group_of_nodes(groups, *model.graph);
  options.profile = true;
  TARMAC_TRY(const auto executable, compile_model(target, model, options, progress));
  std::vector<std::int64_t> best(groups.groups.size(), std::numeric_limits<std::int64_t>::max());
  progress.start("time the groups", kContexts);
  for (int i = 0; i < kContexts; ++i) {
    if (progress.cancelled()) return make_error(ErrorCode::kCancelled, "timing the groups was interrupted");
    TARMAC_TRY(const auto context, executable->create_context());
    TARMAC_CHECK_OK(bind_inputs(*context, inputs));
    for (int run = 0; run <= kWarmUp; ++run) TARMAC_CHECK_OK(context->run());
    TARMAC_TRY(const std::vector<NodeTime> times, context->profile());
    std::vector<std::int64_t> sums(best.size(), 0);
    for (const NodeTime& time : times) {
      if (const auto group = group_of(time, by_node)) sums[*group] += time.time_ns;
    }
    for (std::size_t g = 0; g < best.size(); ++g) best[g] = std::min(best[g], sums[g]);
    progress.advance();
  }
  progress.finish();
  return best;
}

}  // namespace tarmac
