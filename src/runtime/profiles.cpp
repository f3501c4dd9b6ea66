#include "runtime/profiles.h"

#include <algorithm>

namespace tarmac {
namespace {

bool admits(const ProfileSpec& range, const Shape& shape) {
  if (shape.size() != range.min.size()) return false;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < range.min[i] || shape[i] > range.max[i]) return false;
  }
  return true;
}

bool admits(const PlanProfile& profile, const std::string& input, const Shape& shape) {
  const auto range = profile.find(input);
  return range == profile.end() || admits(range->second, shape);
}

std::string ranges_of(const std::vector<PlanProfile>& profiles, const std::string& input) {
  std::string text;
  for (const PlanProfile& profile : profiles) {
    const auto range = profile.find(input);
    if (range == profile.end()) continue;
    text +=
        (text.empty() ? "" : ", or ") + to_string(range->second.min) + " to " + to_string(range->second.max);
  }
  return text;
}

}  // namespace

Status check_profiles(const std::vector<PlanProfile>& profiles, const std::map<std::string, Shape>& shapes) {
  const auto admits_all = [&](const PlanProfile& profile) {
    return std::all_of(shapes.begin(), shapes.end(),
                       [&](const auto& entry) { return admits(profile, entry.first, entry.second); });
  };
  if (profiles.empty() || std::any_of(profiles.begin(), profiles.end(), admits_all)) return {};
  std::string together;
  for (const auto& [input, shape] : shapes) {
    const auto admits_one = [&, input = input, shape = shape](const PlanProfile& profile) {
      return admits(profile, input, shape);
    };
    if (std::none_of(profiles.begin(), profiles.end(), admits_one)) {
      return make_error(ErrorCode::kOutOfRange,
                        "shape " + to_string(shape) + " of input '" + input +
                            "' lies outside the plan's profiles, which allow " + ranges_of(profiles, input),
                        input);
    }
    together += (together.empty() ? "" : ", ") + ("'" + input + "' " + to_string(shape));
  }
  return make_error(ErrorCode::kOutOfRange,
                    "no single profile of the plan allows the inputs' shapes together: " + together);
}

}  // namespace tarmac
