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
  const auto range = profile.shapes.find(input);
  return range == profile.shapes.end() || admits(range->second, shape);
}

std::string ranges_of(const std::vector<PlanProfile>& profiles, const std::string& input) {
  std::string text;
  for (const PlanProfile& profile : profiles) {
    const auto range = profile.shapes.find(input);
    if (range == profile.shapes.end()) continue;
    text +=
        (text.empty() ? "" : ", or ") + to_string(range->second.min) + " to " + to_string(range->second.max);
  }
  return text;
}

Error outside(const std::vector<PlanProfile>& profiles, const std::string& input, const Shape& shape) {
  return make_error(ErrorCode::kOutOfRange,
                    "shape " + to_string(shape) + " of input '" + input +
                        "' lies outside the plan's profiles, which allow " + ranges_of(profiles, input),
                    input);
}

/// "'a' [1, 4], 'b' [1, 2]"
std::string describe(const std::map<std::string, Shape>& shapes) {
  std::string text;
  for (const auto& [input, shape] : shapes)
    text += (text.empty() ? "'" : ", '") + input + "' " + to_string(shape);
  return text;
}

bool admits_alone(const std::vector<PlanProfile>& profiles, const std::string& input, const Shape& shape) {
  return profiles.empty() || std::any_of(profiles.begin(), profiles.end(), [&](const PlanProfile& profile) {
           return admits(profile, input, shape);
         });
}

}  // namespace

Status check_profiles(const std::vector<PlanProfile>& profiles, const std::string& input,
                      const Shape& shape) {
  if (admits_alone(profiles, input, shape)) return {};
  return outside(profiles, input, shape);
}

bool is_bucket(const std::vector<PlanProfile>& profiles, const std::map<std::string, Shape>& shapes) {
  const auto is_this = [&](const InputShapes& bucket) {
    return std::all_of(shapes.begin(), shapes.end(), [&](const auto& entry) {
      const auto named = bucket.find(entry.first);
      return named == bucket.end() || named->second == entry.second;
    });
  };
  return std::any_of(profiles.begin(), profiles.end(), [&](const PlanProfile& profile) {
    return std::any_of(profile.buckets.begin(), profile.buckets.end(), is_this);
  });
}

Error not_a_bucket(const std::vector<PlanProfile>& profiles, const std::map<std::string, Shape>& shapes) {
  std::string buckets;
  for (const PlanProfile& profile : profiles) {
    for (const InputShapes& bucket : profile.buckets)
      buckets += (buckets.empty() ? "" : "; ") + describe(bucket);
  }
  return make_error(ErrorCode::kOutOfRange,
                    "the shapes " + describe(shapes) +
                        " are not made ready, and the session is strict; ready are " +
                        (buckets.empty() ? "none: compile a plan with buckets" : buckets));
}

Status check_profiles(const std::vector<PlanProfile>& profiles, const std::map<std::string, Shape>& shapes) {
  const auto admits_all = [&](const PlanProfile& profile) {
    return std::all_of(shapes.begin(), shapes.end(),
                       [&](const auto& entry) { return admits(profile, entry.first, entry.second); });
  };
  if (profiles.empty() || std::any_of(profiles.begin(), profiles.end(), admits_all)) return {};
  for (const auto& [input, shape] : shapes) TARMAC_CHECK_OK(check_profiles(profiles, input, shape));
  return make_error(ErrorCode::kOutOfRange,
                    "no single profile of the plan allows the inputs' shapes together: " + describe(shapes));
}

}  // namespace tarmac
