#include <nlohmann/json.hpp>
#include <string_view>

#include "base/file.h"
#include "targets/onnxruntime/engine.h"

namespace tarmac::onnxruntime {
namespace {

constexpr std::string_view kKernelSuffix = "_kernel_time";

/// The engine puts words around the names of nodes that it rewrites: "fused x", "x_nchwc", "x/duplicated".
std::string onnx_name(const std::string& name, const NodeLabels& labels) {
  if (labels.count(name) != 0) return name;
  std::string_view best;
  for (const auto& [label, operator_name] : labels) {
    if (label.size() > best.size() && name.find(label) != std::string::npos) best = label;
  }
  // Short labels such as "0" are part of too many names to tell anything.
  return best.size() * 2 > name.size() ? std::string(best) : name;
}

}  // namespace

Result<std::vector<NodeTime>> read_profile(const std::string& path, const NodeLabels& labels) {
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
    const std::string label = onnx_name(name.substr(0, name.size() - kKernelSuffix.size()), labels);
    const std::string kernel = args.value("op_name", "") + " (" + args.value("provider", "") + ")";
    const auto found = labels.find(label);
    times.push_back({label, found != labels.end() ? found->second : args.value("op_name", ""), kernel,
                     event.value("dur", std::int64_t{0}) * 1000});
  }
  return times;
}

}  // namespace tarmac::onnxruntime
