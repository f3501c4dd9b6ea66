#include "verify/corners.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace tarmac {
namespace {

/// A size that a profile leaves open, and where it stands.
struct Variable {
  std::string name;
  std::vector<std::int64_t> values;  ///< smallest, usual, largest, without repetition
  std::size_t usual = 0;
  std::vector<std::pair<std::string, std::size_t>> places;  ///< input and axis
};

std::string name_of(const TensorInfo& info, std::size_t axis) {
  if (info.type.shape && axis < info.type.shape->size() && !(*info.type.shape)[axis].symbol.empty())
    return (*info.type.shape)[axis].symbol;
  return fmt::format("{}[{}]", info.name, axis);
}

Status check_profile(std::span<const TensorInfo> inputs, const ShapeRanges& profile) {
  for (const auto& [name, spec] : profile) {
    const auto info =
        std::find_if(inputs.begin(), inputs.end(),
                     [&, name = name](const TensorInfo& candidate) { return candidate.name == name; });
    if (info == inputs.end()) {
      std::string names;
      for (const TensorInfo& known : inputs) names += (names.empty() ? "" : ", ") + known.name;
      return make_error(ErrorCode::kNotFound,
                        "a profile is about '" + name + "'; the model's inputs are: " + names, name);
    }
    if (info->type.shape && info->type.shape->size() != spec.opt.size()) {
      return make_error(ErrorCode::kInvalidInput,
                        "a profile gives " + to_string(spec.opt) + " for input '" + name + "' of type " +
                            to_string(info->type),
                        name);
    }
  }
  return {};
}

std::vector<Variable> variables_of(std::span<const TensorInfo> inputs, const ShapeRanges& profile) {
  std::vector<Variable> variables;
  for (const TensorInfo& info : inputs) {
    const auto entry = profile.find(info.name);
    if (entry == profile.end()) continue;
    const ProfileSpec& spec = entry->second;
    for (std::size_t axis = 0; axis < spec.opt.size(); ++axis) {
      if (spec.min[axis] == spec.max[axis]) continue;
      const std::string name = name_of(info, axis);
      auto variable = std::find_if(variables.begin(), variables.end(),
                                   [&](const Variable& known) { return known.name == name; });
      if (variable == variables.end()) {
        variable = variables.insert(variables.end(), {name, {}, 0, {}});
        variable->values.push_back(spec.min[axis]);
        if (spec.opt[axis] != spec.min[axis]) variable->values.push_back(spec.opt[axis]);
        variable->usual = variable->values.size() - 1;
        if (spec.max[axis] != spec.opt[axis]) variable->values.push_back(spec.max[axis]);
      }
      variable->places.emplace_back(info.name, axis);
    }
  }
  return variables;
}

using Choice = std::vector<std::size_t>;  ///< index into each variable's values

std::vector<Choice> all_combinations(const std::vector<Variable>& variables) {
  std::vector<Choice> choices = {{}};
  for (const Variable& variable : variables) {
    std::vector<Choice> longer;
    for (const Choice& choice : choices) {
      for (std::size_t i = 0; i < variable.values.size(); ++i) {
        longer.push_back(choice);
        longer.back().push_back(i);
      }
    }
    choices = std::move(longer);
  }
  return choices;
}

std::vector<Choice> extremes(const std::vector<Variable>& variables) {
  Choice smallest;
  Choice usual;
  Choice largest;
  for (const Variable& variable : variables) {
    smallest.push_back(0);
    usual.push_back(variable.usual);
    largest.push_back(variable.values.size() - 1);
  }
  std::vector<Choice> choices = {smallest, usual, largest};
  for (std::size_t i = 0; i < variables.size(); ++i) {
    for (const std::size_t value : {std::size_t{0}, variables[i].values.size() - 1}) {
      choices.push_back(usual);
      choices.back()[i] = value;
    }
  }
  return choices;
}

Corner corner_of(const ShapeRanges& profile, const std::vector<Variable>& variables, const Choice& choice) {
  Corner corner;
  for (const auto& [name, spec] : profile) corner.shapes.shapes[name] = spec.opt;
  for (std::size_t i = 0; i < variables.size(); ++i) {
    const std::int64_t size = variables[i].values[choice[i]];
    corner.name += fmt::format("{}{}={}", corner.name.empty() ? "" : ", ", variables[i].name, size);
    for (const auto& [input, axis] : variables[i].places) corner.shapes.shapes[input][axis] = size;
  }
  return corner;
}

}  // namespace

Result<Corners> profile_corners(std::span<const TensorInfo> inputs,
                                const std::vector<ShapeRanges>& profiles) {
  Corners result;
  std::set<std::map<std::string, Shape>> seen;
  for (const ShapeRanges& profile : profiles) {
    TARMAC_CHECK_OK(check_profile(inputs, profile));
    const std::vector<Variable> variables = variables_of(inputs, profile);
    std::size_t combinations = 1;
    for (const Variable& variable : variables)
      combinations = std::min(combinations * variable.values.size(), std::size_t{1000000});
    const bool every = combinations <= kMaxCorners;
    std::size_t taken = 0;
    for (const Choice& choice : every ? all_combinations(variables) : extremes(variables)) {
      Corner corner = corner_of(profile, variables, choice);
      if (result.corners.size() == kMaxCorners) break;
      ++taken;
      if (seen.insert(corner.shapes.shapes).second) result.corners.push_back(std::move(corner));
    }
    result.left_out += combinations - std::min(combinations, taken);
  }
  return result;
}

bool has_open_sizes(std::span<const TensorInfo> inputs) {
  return std::any_of(inputs.begin(), inputs.end(), [](const TensorInfo& info) {
    return info.type.shape &&
           std::any_of(info.type.shape->begin(), info.type.shape->end(),
                       [&](const Dim& dim) { return &dim != &info.type.shape->front() && !dim.known(); });
  });
}

std::vector<Corner> default_corners(std::span<const TensorInfo> inputs, std::int64_t size) {
  bool open_batch = false;
  for (const TensorInfo& info : inputs)
    open_batch =
        open_batch || (info.type.shape && !info.type.shape->empty() && !info.type.shape->front().known());
  // A symbol that is some input's batch is the batch wherever it stands.
  std::set<std::string> batch_symbols;
  for (const TensorInfo& info : inputs) {
    if (info.type.shape && !info.type.shape->empty() && !info.type.shape->front().known())
      batch_symbols.insert(info.type.shape->front().symbol);
  }
  batch_symbols.erase("");
  std::vector<Corner> corners;
  for (const std::int64_t batch :
       open_batch ? std::vector<std::int64_t>{1, 2, 5} : std::vector<std::int64_t>{1}) {
    Corner corner;
    if (open_batch) corner.name = fmt::format("batch={}", batch);
    if (has_open_sizes(inputs))
      corner.name += fmt::format("{}open sizes={}", corner.name.empty() ? "" : ", ", size);
    for (const TensorInfo& info : inputs) {
      if (!info.type.shape) continue;
      Shape& shape = corner.shapes.shapes[info.name];
      for (std::size_t axis = 0; axis < info.type.shape->size(); ++axis) {
        const Dim& dim = (*info.type.shape)[axis];
        const bool is_batch = axis == 0 || batch_symbols.contains(dim.symbol);
        shape.push_back(dim.known() ? *dim.size : is_batch ? batch : size);
      }
    }
    corners.push_back(std::move(corner));
  }
  return corners;
}

}  // namespace tarmac
