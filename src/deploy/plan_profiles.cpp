#include "deploy/plan_profiles.h"

#include <algorithm>

#include "passes/infer_shapes.h"
#include "runtime/profiles.h"

namespace tarmac {
namespace {

Result<const Value*> find_input(const Model& model, const std::string& name, const std::string& what) {
  const Value* input = model.graph->find(name);
  if (input != nullptr && input->is_input()) return input;
  std::string names;
  for (const Value* known : model.graph->inputs()) names += (names.empty() ? "" : ", ") + known->name();
  return make_error(ErrorCode::kNotFound,
                    what + " names input '" + name + "'; the model's inputs are " + names);
}

Status check_ranges(const ShapeRanges& ranges, const Model& model) {
  for (const auto& [name, spec] : ranges) {
    TARMAC_TRY(const Value* const input, find_input(model, name, "the profile"));
    const auto& dims = input->type.shape;
    bool fits = !dims || dims->size() == spec.opt.size();
    for (std::size_t i = 0; dims && fits && i < dims->size(); ++i) {
      fits = !(*dims)[i].known() || (*(*dims)[i].size == spec.min[i] && *(*dims)[i].size == spec.max[i]);
    }
    if (fits) continue;
    return make_error(ErrorCode::kInvalidInput, "the profile of input '" + name + "', " +
                                                    to_string(spec.min) + " to " + to_string(spec.max) +
                                                    ", does not fit its type " + to_string(input->type));
  }
  return {};
}

Status check_bucket(const InputShapes& bucket, const Model& model) {
  for (const auto& [name, shape] : bucket) {
    TARMAC_TRY(const Value* const input, find_input(model, name, "the bucket"));
    const auto& dims = input->type.shape;
    bool fits = !dims || dims->size() == shape.size();
    for (std::size_t i = 0; dims && fits && i < dims->size(); ++i)
      fits = shape[i] > 0 && (!(*dims)[i].known() || *(*dims)[i].size == shape[i]);
    if (fits) continue;
    return make_error(ErrorCode::kInvalidInput, "the bucket's shape " + to_string(shape) + " of input '" +
                                                    name + "' does not fit its type " +
                                                    to_string(input->type));
  }
  return {};
}

void add_bucket(PlanProfile& profile, InputShapes bucket) {
  for (const auto& [name, range] : profile.shapes) bucket.emplace(name, range.opt);
  if (!bucket.empty() &&
      std::find(profile.buckets.begin(), profile.buckets.end(), bucket) == profile.buckets.end())
    profile.buckets.push_back(std::move(bucket));
}

}  // namespace

Result<std::vector<PlanProfile>> make_profiles(const ProfileRequest& request, const Model& model) {
  std::vector<PlanProfile> profiles;
  for (const ShapeRanges& ranges : request.ranges) {
    TARMAC_CHECK_OK(check_ranges(ranges, model));
    profiles.push_back({ranges, {}});
    add_bucket(profiles.back(), {});
  }
  if (profiles.empty() && !request.buckets.empty()) profiles.emplace_back();
  for (const InputShapes& bucket : request.buckets) {
    TARMAC_CHECK_OK(check_bucket(bucket, model));
    const auto home = std::find_if(profiles.begin(), profiles.end(), [&](const PlanProfile& profile) {
      return check_profiles({profile}, bucket).ok();
    });
    if (home == profiles.end()) {
      Error error = check_profiles(profiles, bucket).error();
      error.message = "no profile admits the bucket: " + error.message;
      return error;
    }
    add_bucket(*home, bucket);
  }
  return profiles;
}

Result<ShapeRanges> batch_profile(const Model& model, std::int64_t batch) {
  ShapeRanges ranges;
  std::string types;
  for (const Value* input : model.graph->inputs()) {
    if (input->initializer() != nullptr) continue;
    types += (types.empty() ? "'" : ", '") + input->name() + "' " + to_string(input->type);
    const auto& dims = input->type.shape;
    if (!dims || dims->empty() || dims->front().known()) continue;
    Shape shape{batch};
    for (std::size_t i = 1; i < dims->size(); ++i) {
      if (!(*dims)[i].known()) {
        return make_error(ErrorCode::kInvalidInput,
                          "input '" + input->name() +
                              "' leaves more open than the "
                              "batch: " +
                              to_string(input->type) +
                              "; give --profile with all its sizes instead of --batch");
      }
      shape.push_back(*(*dims)[i].size);
    }
    ranges[input->name()] = {shape, shape, shape};
  }
  if (!ranges.empty()) return ranges;
  return make_error(ErrorCode::kInvalidInput, "no input leaves its first axis open for a batch of " +
                                                  std::to_string(batch) + "; the inputs are " + types);
}

InputShapes settled_shapes(const std::vector<PlanProfile>& profiles, bool keep_batch) {
  InputShapes settled;
  if (profiles.empty()) return settled;
  for (const auto& [name, range] : profiles.front().shapes) {
    Shape shape = range.opt;
    for (std::size_t i = 0; i < shape.size(); ++i) {
      bool one = true;
      for (const PlanProfile& profile : profiles) {
        const auto other = profile.shapes.find(name);
        one = one && other != profile.shapes.end() && other->second.min[i] == shape[i] &&
              other->second.max[i] == shape[i];
      }
      if (!one || (keep_batch && i == 0 && shape[0] != 1)) shape[i] = kOpenSize;
    }
    settled.emplace(name, std::move(shape));
  }
  return settled;
}

}  // namespace tarmac
