#include "runtime/batch_sizes.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "runtime/profiles.h"

namespace tarmac {
namespace {

Error no_batch_axis(const TensorSpec& spec, const char* what) {
  return make_error(ErrorCode::kUsage,
                    std::string(what) + " '" + spec.name + "' (" + spec.type +
                        ") has no first axis that could be the batch; run the model with one item at a time",
                    spec.name);
}

Status check_axis(const TensorSpec& spec, const char* what) {
  if (spec.shape && spec.shape->empty()) return no_batch_axis(spec, what);
  if (bit_width(spec.dtype) >= 8) return {};
  return make_error(ErrorCode::kUsage,
                    std::string(what) + " '" + spec.name + "' (" + spec.type +
                        ") cannot be cut into items: its elements are no whole bytes",
                    spec.name);
}

const std::int64_t* first_size(const TensorSpec& spec) {
  return spec.shape ? std::get_if<std::int64_t>(&spec.shape->front()) : nullptr;
}

/// Whether two shapes agree behind the first axis.
bool same_behind_batch(const Shape& a, const Shape& b) {
  return a.size() == b.size() && !a.empty() && std::equal(a.begin() + 1, a.end(), b.begin() + 1);
}

bool admits_behind_batch(const ProfileSpec& range, const Shape& shape) {
  if (range.min.size() != shape.size() || shape.empty()) return false;
  for (std::size_t i = 1; i < shape.size(); ++i) {
    if (shape[i] < range.min[i] || shape[i] > range.max[i]) return false;
  }
  return true;
}

/// The batch of a bucket that the item's shapes fall into; none where they do not.
std::optional<std::int64_t> batch_of(const InputShapes& bucket, const NamedTensors& item) {
  std::optional<std::int64_t> batch;
  for (const auto& [input, shape] : bucket) {
    const auto tensor = item.find(input);
    if (tensor == item.end()) continue;
    if (!same_behind_batch(shape, tensor->second.shape())) return std::nullopt;
    if (batch && *batch != shape.front()) return std::nullopt;
    batch = shape.front();
  }
  return batch;
}

}  // namespace

Result<std::int64_t> fixed_batch(std::span<const TensorSpec> inputs, std::span<const TensorSpec> outputs) {
  std::int64_t fixed = 0;
  const TensorSpec* by = nullptr;
  for (const TensorSpec& input : inputs) {
    TARMAC_CHECK_OK(check_axis(input, "input"));
    const std::int64_t* size = first_size(input);
    if (size == nullptr) continue;
    if (by != nullptr && *size != fixed) {
      return make_error(
          ErrorCode::kUsage,
          "inputs '" + by->name + "' (" + by->type + ") and '" + input.name + "' (" + input.type +
              ") have different first axes, so that neither is the batch; run the model with one "
              "item at a time",
          input.name);
    }
    fixed = *size;
    by = &input;
  }
  for (const TensorSpec& output : outputs) {
    TARMAC_CHECK_OK(check_axis(output, "output"));
    const std::int64_t* size = first_size(output);
    if (size != nullptr && *size != fixed) return no_batch_axis(output, "output");
  }
  return fixed;
}

Status check_item(std::span<const TensorSpec> inputs, const NamedTensors& item) {
  for (const auto& [name, tensor] : item) {
    const auto spec = std::find_if(inputs.begin(), inputs.end(),
                                   [&, name = name](const TensorSpec& input) { return input.name == name; });
    if (spec == inputs.end()) {
      std::string names;
      for (const TensorSpec& input : inputs) names += (names.empty() ? "'" : ", '") + input.name + "'";
      return make_error(ErrorCode::kNotFound, "there is no input '" + name + "': the model has " + names,
                        name);
    }
    const Shape& shape = tensor.shape();
    bool fits = tensor.dtype() == spec->dtype && !shape.empty() && shape[0] == 1;
    if (fits && spec->shape) {
      fits = shape.size() == spec->shape->size();
      for (std::size_t i = 1; fits && i < shape.size(); ++i) {
        const auto* size = std::get_if<std::int64_t>(&(*spec->shape)[i]);
        fits = size == nullptr || *size == shape[i];
      }
    }
    if (fits) continue;
    return make_error(ErrorCode::kInvalidInput,
                      "an item for input '" + name + "' (" + spec->type + ") is " +
                          to_string(tensor.dtype()) + to_string(shape) +
                          "; its dtype and sizes must fit, its first axis must be 1",
                      name);
  }
  for (const TensorSpec& input : inputs) {
    if (item.find(input.name) == item.end())
      return make_error(ErrorCode::kInvalidInput, "an item lacks input '" + input.name + "'", input.name);
  }
  return {};
}

Result<BatchSizes> BatchSizes::create(std::int64_t fixed, const PlanInfo* plan, const NamedTensors& item) {
  BatchSizes sizes;
  const Range open{1, std::numeric_limits<std::int64_t>::max()};
  const Range model = fixed != 0 ? Range{fixed, fixed} : open;
  if (plan == nullptr || plan->profiles.empty()) {
    sizes.admitted_.push_back(model);
    return sizes;
  }
  std::map<std::string, Shape> shapes;
  for (const auto& [input, tensor] : item) shapes.emplace(input, tensor.shape());
  for (const PlanProfile& profile : plan->profiles) {
    Range range = model;
    for (const auto& [input, shape] : shapes) {
      const auto limits = profile.shapes.find(input);
      if (limits == profile.shapes.end()) continue;
      if (!admits_behind_batch(limits->second, shape)) {
        range = Range{};
        break;
      }
      range.min = std::max(range.min, limits->second.min.front());
      range.max = std::min(range.max, limits->second.max.front());
    }
    if (range.min > range.max) continue;
    sizes.admitted_.push_back(range);
    for (const InputShapes& bucket : profile.buckets) {
      const auto batch = batch_of(bucket, item);
      if (batch && *batch >= range.min && *batch <= range.max) sizes.ready_.push_back(*batch);
    }
  }
  if (sizes.admitted_.empty()) {
    TARMAC_CHECK_OK(check_profiles(plan->profiles, shapes));
    return make_error(ErrorCode::kOutOfRange, "no profile of the plan allows the item's shapes in any batch");
  }
  std::sort(sizes.ready_.begin(), sizes.ready_.end());
  return sizes;
}

std::int64_t BatchSizes::most(std::int64_t wanted) const {
  if (!ready_.empty()) return std::min(wanted, ready_.back());
  std::int64_t largest = 1;
  for (const Range& range : admitted_) largest = std::max(largest, range.max);
  return std::min(wanted, largest);
}

std::int64_t BatchSizes::batch_for(std::int64_t items) const {
  const auto ready = std::lower_bound(ready_.begin(), ready_.end(), items);
  if (ready != ready_.end()) return *ready;
  std::int64_t smallest = std::numeric_limits<std::int64_t>::max();
  for (const Range& range : admitted_) {
    if (items <= range.max) smallest = std::min(smallest, std::max(items, range.min));
  }
  return smallest;
}

}  // namespace tarmac
