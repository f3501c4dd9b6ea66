#include <algorithm>
#include <fstream>
#include <system_error>

#include "plan/cpu_features.h"
#include "plan/plan_file.h"

namespace tarmac {
namespace {

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text.empty() ? "none" : text;
}

/// As NVIDIA's kernel driver lists them.
std::vector<std::string> gpus() {
  std::vector<std::string> models;
  std::error_code failure;
  const std::filesystem::directory_iterator end;
  for (std::filesystem::directory_iterator at("/proc/driver/nvidia/gpus", failure); !failure && at != end;
       at.increment(failure)) {
    std::ifstream file(at->path() / "information");
    for (std::string line; std::getline(file, line);) {
      if (!line.starts_with("Model:")) continue;
      const std::size_t begin = line.find_first_not_of(" \t", 6);
      if (begin != std::string::npos) models.push_back(line.substr(begin));
    }
  }
  return models;
}

bool contains(const std::vector<std::string>& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

}  // namespace

Machine this_machine(std::string engine_version) {
  return {std::move(engine_version), cpu_features(), gpus()};
}

Status check_plan_fits(const PlanInfo& info, const Machine& machine) {
  constexpr const char* kRemedy = "; rebuild it here with tarmac compile";
  if (info.engine_version != machine.engine_version) {
    return make_error(ErrorCode::kMismatch, "the plan was built for " + info.engine_version +
                                                ", this machine has " + machine.engine_version + kRemedy);
  }
  if (!info.gpu.empty() && !contains(machine.gpus, info.gpu)) {
    return make_error(ErrorCode::kMismatch, "the plan was built for the GPU " + info.gpu +
                                                ", this machine's GPUs are: " + join(machine.gpus) + kRemedy);
  }
  std::vector<std::string> missing;
  for (const std::string& feature : info.cpu_features) {
    if (!contains(machine.cpu_features, feature)) missing.push_back(feature);
  }
  if (missing.empty()) return {};
  return make_error(ErrorCode::kMismatch,
                    "the plan was built for a processor with " + join(info.cpu_features) + "; this one has " +
                        join(machine.cpu_features) + " and lacks " + join(missing) + kRemedy);
}

}  // namespace tarmac
