#include <nlohmann/json.hpp>
#include <string_view>

#include "base/file.h"
#include "targets/onnxruntime/engine.h"

namespace tarmac::onnxruntime {
namespace {

constexpr std::string_view kKernelSuffix = "_kernel_time";
constexpr std::string_view kBlockedSuffix = "_nchwc";
constexpr std::string_view kMovedSuffix = "_token_";
constexpr int kMaxFused = 4;

struct Origin {
  std::string nodes;    ///< labels of the ONNX nodes that the kernel computes, joined by " + "
  std::string op_type;  ///< their operators, joined by "+"
};

/// A kernel that computes `last` and, fused before it, the nodes back to one of operator `kernel_op`.
Origin fused_chain(const EngineModel& model, const std::string& last, const std::string& kernel_op) {
  const auto& labels = model.labels;
  Origin chain{last, labels.at(last)};
  std::string label = last;
  for (int i = 0; i < kMaxFused && labels.at(label) != kernel_op; ++i) {
    const auto feeder = model.origins.feeder.find(label);
    if (feeder == model.origins.feeder.end() || labels.count(feeder->second) == 0)
      return {last, labels.at(last)};
    label = feeder->second;
    chain = {label + " + " + chain.nodes, labels.at(label) + "+" + chain.op_type};
  }
  return labels.at(label) == kernel_op ? chain : Origin{last, labels.at(last)};
}

/// Without "_token_12", which it gets when its layout is changed.
std::string without_number(const std::string& name) {
  const auto end = name.find_last_not_of("0123456789");
  const bool numbered = end != std::string::npos && end + 1 < name.size();
  if (!numbered || !name.substr(0, end + 1).ends_with(kMovedSuffix)) return name;
  return name.substr(0, end + 1 - kMovedSuffix.size());
}

/// The engine names kernels after the node; in blocked layout after the tensor they make ("x_nchwc"); and
/// where it rewrote nodes with words around a label.
Origin origin_of(const std::string& name, const std::string& kernel_op, const EngineModel& model) {
  if (const auto exact = model.labels.find(name); exact != model.labels.end()) return {name, exact->second};
  if (name.ends_with(kBlockedSuffix)) {
    const auto made = model.origins.producer.find(name.substr(0, name.size() - kBlockedSuffix.size()));
    if (made != model.origins.producer.end()) return fused_chain(model, made->second, kernel_op);
  }
  const std::pair<const std::string, std::string>* best = nullptr;
  for (const auto& label : model.labels) {
    if ((best == nullptr || label.first.size() > best->first.size()) &&
        name.find(label.first) != std::string::npos)
      best = &label;
  }
  // Short labels such as "0" are part of too many names to tell anything.
  if (best != nullptr && best->first.size() * 2 > name.size()) return {best->first, best->second};
  return {name, kernel_op};
}

}  // namespace

Result<std::vector<NodeTime>> read_profile(const std::string& path, const EngineModel& model) {
  TARMAC_TRY(const std::string text, read_file(path, std::uint64_t{1} << 30U));
  const auto events = nlohmann::json::parse(text, nullptr, false);
  if (!events.is_array())
    return make_error(ErrorCode::kInternal, "ONNX Runtime wrote a profile that is not a list", {}, path);
  std::int64_t begin_us = -1;
  for (const auto& event : events) {
    if (event.value("name", "") == "model_run")
      begin_us = std::max(begin_us, event.value("ts", std::int64_t{-1}));
  }
  std::vector<NodeTime> times;
  for (const auto& event : events) {
    const std::string name = event.value("name", "");
    if (event.value("cat", "") != "Node" || !name.ends_with(kKernelSuffix)) continue;
    if (event.value("ts", std::int64_t{-1}) < begin_us) continue;  // of an earlier run
    const auto args = event.value("args", nlohmann::json::object());
    const std::string kernel_op = args.value("op_name", "");
    Origin origin =
        origin_of(without_number(name.substr(0, name.size() - kKernelSuffix.size())), kernel_op, model);
    times.push_back({std::move(origin.nodes), std::move(origin.op_type),
                     kernel_op + " (" + args.value("provider", "") + ")",
                     event.value("dur", std::int64_t{0}) * 1000,
                     kernel_op == "ReorderInput" || kernel_op == "ReorderOutput"});
  }
  return times;
}

}  // namespace tarmac::onnxruntime
