#include <algorithm>
#include <sstream>
#include <unordered_map>

#include "targets/openvino/engine.h"

namespace tarmac::openvino {
namespace {

using Labels = std::vector<NodeLabels::const_iterator>;

/// The engine appends "/part" to the names of operators that it splits.
NodeLabels::const_iterator find_label(const NodeLabels& labels, std::string_view name) {
  while (true) {
    const auto found = labels.find(name);
    if (found != labels.end()) return found;
    const auto slash = name.rfind('/');
    if (slash == std::string_view::npos) return labels.end();
    name = name.substr(0, slash);
  }
}

Labels own_labels(const ov::Node& node, const NodeLabels& labels) {
  Labels result;
  const auto& info = node.get_rt_info();
  const auto names = info.find("originalLayersNames");
  if (names == info.end()) return result;
  std::istringstream list(names->second.as<std::string>());
  for (std::string name; std::getline(list, name, ',');) {
    const auto label = find_label(labels, name);
    if (label != labels.end() && (result.empty() || result.back() != label)) result.push_back(label);
  }
  return result;
}

/// Nodes without an ONNX name belong to the first named node that they feed.
Labels labels_of(const std::shared_ptr<const ov::Node>& node, const NodeLabels& labels, int depth = 0) {
  constexpr int kMaxDepth = 16;
  Labels result = own_labels(*node, labels);
  if (!result.empty() || depth == kMaxDepth) return result;
  for (const auto& output : node->outputs()) {
    for (const auto& reader : output.get_target_inputs()) {
      result = labels_of(reader.get_node()->shared_from_this(), labels, depth + 1);
      if (!result.empty()) return result;
    }
  }
  return result;
}

}  // namespace

std::vector<NodeTime> node_times(const ov::CompiledModel& model, const std::vector<ov::ProfilingInfo>& infos,
                                 const NodeLabels& labels) {
  const auto runtime_model = model.get_runtime_model();  // keeps the nodes alive
  std::unordered_map<std::string, std::shared_ptr<const ov::Node>> nodes;
  for (const auto& node : runtime_model->get_ops()) nodes.emplace(node->get_friendly_name(), node);
  std::vector<NodeTime> times;
  for (const auto& info : infos) {
    if (info.status != ov::ProfilingInfo::Status::EXECUTED) continue;
    NodeTime time{info.node_name, info.node_type, info.exec_type,
                  std::chrono::duration_cast<std::chrono::nanoseconds>(info.real_time).count(),
                  info.node_type == "Reorder"};
    // The model's own conversions are called after their Cast.
    const auto is_cast = [](const auto& label) { return label->second.starts_with("Cast"); };
    const auto node = nodes.find(info.node_name);
    const Labels found = node == nodes.end() ? Labels{} : labels_of(node->second, labels);
    if (!found.empty()) {
      time.node.clear();
      time.op_type.clear();
      for (const auto& label : found) {
        time.node += (time.node.empty() ? "" : " + ") + label->first;
        time.op_type += (time.op_type.empty() ? "" : "+") + label->second;
      }
    }
    if (info.node_type == "Convert") time.reorder = std::none_of(found.begin(), found.end(), is_cast);
    times.push_back(std::move(time));
  }
  return times;
}

}  // namespace tarmac::openvino
