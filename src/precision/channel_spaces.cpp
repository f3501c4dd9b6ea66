#include "precision/channel_spaces.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>

#include "passes/rewrite.h"
#include "passes/slice_range.h"
#include "precision/weight_channels.h"

namespace tarmac {
namespace {

template <std::size_t N>
bool is_one_of(const Node& node, const std::array<std::string_view, N>& names) {
  return node.domain.empty() && std::find(names.begin(), names.end(), node.op_type) != names.end();
}

/// f(s·x) = s·f(x) for s > 0, element by element.
bool is_homogeneous(const Node& node) {
  static constexpr std::array<std::string_view, 6> kOps = {"Abs",       "Dropout", "Identity",
                                                           "LeakyRelu", "Neg",     "Relu"};
  return is_one_of(node, kOps) || (node.is("PRelu") && constant_of(node.input(1)) != nullptr);
}

bool is_pool(const Node& node) {
  static constexpr std::array<std::string_view, 4> kOps = {"AveragePool", "GlobalAveragePool",
                                                           "GlobalMaxPool", "MaxPool"};
  return is_one_of(node, kOps);
}

bool is_reduction(const Node& node) {
  static constexpr std::array<std::string_view, 3> kOps = {"ReduceMax", "ReduceMean", "ReduceSum"};
  return is_one_of(node, kOps);
}

bool is_sum(const Node& node) {
  static constexpr std::array<std::string_view, 6> kOps = {"Add", "Max", "Mean", "Min", "Sub", "Sum"};
  return is_one_of(node, kOps);
}

bool is_reshape(const Node& node) {
  static constexpr std::array<std::string_view, 4> kOps = {"Flatten", "Reshape", "Squeeze", "Unsqueeze"};
  return is_one_of(node, kOps);
}

/// Further operators that may hand channels on.
bool carries(const Node& node) {
  static constexpr std::array<std::string_view, 8> kOps = {"Concat", "Div",   "Mul",   "Pad",
                                                           "Resize", "Slice", "Split", "Transpose"};
  return is_one_of(node, kOps) || is_homogeneous(node) || is_pool(node) || is_reduction(node) ||
         is_sum(node) || is_reshape(node);
}

/// The axis behind the node of what is `axis` before it; the other way round with `backwards`.
std::optional<std::size_t> moved_axis(const Node& node, std::size_t axis, bool backwards) {
  if (node.is("Transpose")) {
    const auto rank = rank_of(node.input(0));
    const auto perm = rank ? permutation_of(node, *rank) : std::nullopt;
    if (!perm || axis >= perm->size()) return std::nullopt;
    if (backwards) return static_cast<std::size_t>((*perm)[axis]);
    return static_cast<std::size_t>(std::find(perm->begin(), perm->end(), static_cast<std::int64_t>(axis)) -
                                    perm->begin());
  }
  // What is left out or put in behind axis 1 does not move it.
  if ((is_reshape(node) || is_reduction(node)) && axis != 1) return std::nullopt;
  return axis;
}

/// Product of the sizes from axis `from` on.
std::optional<std::size_t> elements_from(const Value* value, std::size_t from) {
  std::size_t product = 1;
  for (std::size_t i = from; i < value->type.shape->size(); ++i) {
    const auto& size = (*value->type.shape)[i].size;
    if (!size || *size < 1) return std::nullopt;
    product *= static_cast<std::size_t>(*size);
  }
  return product;
}

bool pads_with_zeros_beside(const Node& pad, std::size_t axis) {
  const auto pads = constant_integers(pad, "pads", 1);
  if (!pads || pad.input(3) != nullptr) return false;
  const std::size_t rank = pads->size() / 2;
  if (axis >= rank || (*pads)[axis] != 0 || (*pads)[axis + rank] != 0) return false;
  return pad.attribute_or<std::string>("mode", "constant") != "constant" ||
         (pad.attribute_or<float>("value", 0.0F) == 0.0F &&
          (pad.input(2) == nullptr || uniform_value(pad.input(2)) == 0.0));
}

bool reduces_beside(const Node& reduction, std::size_t axis) {
  const auto rank = rank_of(reduction.input(0));
  const auto given = constant_integers(reduction, "axes", 1);
  const auto axes = rank && given ? positive_axes(*given, *rank) : std::nullopt;
  return axes && !axes->empty() && std::all_of(axes->begin(), axes->end(), [&](std::int64_t reduced) {
           return reduced > static_cast<std::int64_t>(axis);
         });
}

/// Whether channels along `axis` come out as they went in, each scaled as before.
bool keeps_channels(const Node& node, std::size_t axis) {
  if (is_homogeneous(node) || node.is("Transpose")) return true;
  if (is_pool(node)) return axis == 1 && node.outputs().size() == 1;
  if (is_reduction(node)) return reduces_beside(node, axis);
  if (node.is("Pad")) return pads_with_zeros_beside(node, axis);
  return node.is("Resize") && node.attribute_or<std::string>("coordinate_transformation_mode",
                                                             "half_pixel") != "tf_crop_and_resize";
}

std::optional<std::size_t> axis_attribute(const Node& node, const Value* of) {
  const auto rank = rank_of(of);
  const auto axes = rank ? positive_axes({node.attribute_or<std::int64_t>("axis", 0)}, *rank) : std::nullopt;
  return axes ? std::optional(static_cast<std::size_t>(axes->front())) : std::nullopt;
}

/// A factor of channels that has no scale of its own to give away: between fixed limits.
bool is_gate(const Value* value) {
  static constexpr std::array<std::string_view, 5> kOps = {"Clip", "HardSigmoid", "Sigmoid", "Softmax",
                                                           "Tanh"};
  return value->producer() != nullptr && is_one_of(*value->producer(), kOps);
}

bool is_float_bias(const Value* value, std::size_t channels) {
  if (value == nullptr) return true;
  const Tensor* bias = constant_of(value);
  return bias != nullptr && bias->dtype() == DType::kFloat32 && !bias->shape().empty() &&
         static_cast<std::size_t>(bias->count()) == channels &&
         static_cast<std::size_t>(bias->shape().back()) == channels;
}

}  // namespace

ChannelSpaces::ChannelSpaces(const Graph& graph) : graph_(graph) {
  find_axes();
  number_channels();
  for (const auto& node : graph.nodes()) visit(*node);
}

std::optional<std::size_t> ChannelSpaces::axis(const Value* value) const {
  const Channels* channels = find(value);
  return channels == nullptr ? std::nullopt : std::optional(channels->axis);
}

std::vector<std::size_t> ChannelSpaces::classes(const Value* value) const {
  std::vector<std::size_t> found;
  if (const Channels* channels = find(value); channels != nullptr) {
    for (std::size_t c = 0; c < channels->count; ++c) found.push_back(root(channels->first + c));
  }
  return found;
}

void ChannelSpaces::find_axes() {
  for (const auto& node : graph_.nodes()) {
    const auto axis = weight_channels(*node) ? activation_axis(*node) : std::nullopt;
    if (!axis) continue;
    axes_.emplace(node->input(0), *axis);
    axes_.emplace(node->output(0), *axis);
  }
  bool changed = true;
  while (changed) {
    changed = false;
    for (const auto& node : graph_.nodes()) changed |= carry_axis(*node);
    for (auto node = graph_.nodes().rbegin(); node != graph_.nodes().rend(); ++node)
      changed |= carry_axis(**node);
  }
}

bool ChannelSpaces::carry_axis(const Node& node) {
  if (!carries(node)) return false;
  const bool many = is_sum(node) || node.is("Concat") || node.is("Mul") || node.is("Div");
  bool changed = false;
  for (std::size_t i = 0; i < (many ? node.inputs().size() : 1); ++i) {
    const Value* input = node.input(i);
    for (const Value* output : node.outputs()) {
      if (input == nullptr || output == nullptr || constant_of(input) != nullptr) continue;
      if (many && rank_of(input) != rank_of(output)) continue;
      const auto before = axes_.find(input);
      const auto behind = axes_.find(output);
      if ((before == axes_.end()) == (behind == axes_.end())) continue;
      const bool backwards = before == axes_.end();
      const auto axis = moved_axis(node, backwards ? behind->second : before->second, backwards);
      if (axis) changed |= axes_.emplace(backwards ? input : output, *axis).second;
    }
  }
  return changed;
}

void ChannelSpaces::number_channels() {
  // In the order of the nodes, not of addresses: equal models get equal numbers.
  for (const auto& node : graph_.nodes()) {
    for (const auto* values : {&node->inputs(), &node->outputs()}) {
      for (const Value* value : *values) number_channels(value);
    }
  }
  fixed_.assign(parent_.size(), false);
  for (const auto& [value, channels] : channels_) {
    const auto& uses = value->uses();
    const bool nested =
        std::any_of(uses.begin(), uses.end(), [&](const Use& use) { return &use.node->graph() != &graph_; });
    if (value->is_input() || value->is_output() || nested || value->producer() == nullptr) fix(value);
  }
}

void ChannelSpaces::number_channels(const Value* value) {
  const auto axis = axes_.find(value);
  if (axis == axes_.end() || find(value) != nullptr || constant_of(value) != nullptr) return;
  const Type& type = value->type;
  if (!type.is_tensor() || type.dtype != DType::kFloat32 || rank_of(value) <= axis->second) return;
  const auto& size = (*type.shape)[axis->second].size;
  if (!size || *size < 1) return;
  channels_[value] = {axis->second, parent_.size(), static_cast<std::size_t>(*size)};
  for (std::int64_t c = 0; c < *size; ++c) parent_.push_back(parent_.size());
}

void ChannelSpaces::visit(Node& node) {
  if (node.is("Shape") || node.is("Size")) return;  // they read no element
  const Channels* input = find(node.input(0));
  if (weight_channels(node)) {
    visit_weighted(node);
  } else if (is_sum(node)) {
    visit_sum(node);
  } else if (node.is("Mul") || node.is("Div")) {
    visit_product(node);
  } else if (node.is("Concat")) {
    visit_concat(node);
  } else if (node.is("Split")) {
    visit_split(node);
  } else if (node.is("Slice")) {
    visit_slice(node);
  } else if (is_reshape(node)) {
    visit_reshape(node);
  } else if (const Channels* output = find(node.output(0));
             input != nullptr && output != nullptr && carries(node) && keeps_channels(node, input->axis) &&
             output->axis == moved_axis(node, input->axis, false) && output->count == input->count) {
    tie(input->first, output->first, input->count);
  } else {
    fix(node);
  }
}

void ChannelSpaces::visit_weighted(Node& node) {
  const auto weights = *weight_channels(node);
  const Value* stored = node.input(1);
  if (constant_of(stored)->dtype() != DType::kFloat32) return fix(node);
  if (stored->uses().size() != 1) return fix(node);
  if (!is_float_bias(node.input(2), weights.output_count())) return fix(node);
  const auto fits = [&](const Value* value, std::size_t count) {
    const Channels* channels = find(value);
    return channels != nullptr && channels->count == count && channels->axis == activation_axis(node);
  };
  if (!fits(node.input(0), weights.input_count())) fix(node.input(0));
  if (!fits(node.output(0), weights.output_count())) fix(node.output(0));
  weighted_.push_back(&node);
}

void ChannelSpaces::visit_sum(Node& node) {
  const Value* output = node.output(0);
  const bool takes_constant = node.is("Add") || node.is("Sub");
  for (std::size_t i = 0; i < node.inputs().size(); ++i) {
    const Value* input = node.input(i);
    if (find(input) != nullptr && find(output) != nullptr) {
      tie(input, output);
    } else if (const Tensor* constant = constant_of(input);
               takes_constant && constant != nullptr && constant->dtype() == DType::kFloat32 &&
               find(output) != nullptr && constant->shape().size() <= rank_of(output)) {
      constant_sums_.push_back(&node);
    } else {
      return fix(node);
    }
  }
}

void ChannelSpaces::visit_product(const Node& node) {
  const Value* output = node.output(0);
  for (std::size_t i = 0; i < 2; ++i) {
    const Value* factor = node.input(1 - i);
    if (i == 1 && node.is("Div")) break;
    if (constant_of(factor) == nullptr && !is_gate(factor)) continue;
    if (constant_of(node.input(i)) != nullptr) continue;
    tie(node.input(i), output);
    return fix(factor);
  }
  fix(node);
}

void ChannelSpaces::visit_concat(const Node& node) {
  const Value* output = node.output(0);
  const Channels* whole = find(output);
  const auto along = axis_attribute(node, output);
  const bool known = whole != nullptr && along &&
                     std::all_of(node.inputs().begin(), node.inputs().end(), [&](const Value* input) {
                       return find(input) != nullptr && find(input)->axis == whole->axis;
                     });
  if (!known) return fix(node);
  std::size_t first = whole->first;
  for (const Value* input : node.inputs()) {
    if (along != whole->axis) {
      tie(input, output);
    } else {
      tie(find(input)->first, first, find(input)->count);
      first += find(input)->count;
    }
  }
}

void ChannelSpaces::visit_split(const Node& node) {
  const Channels* whole = find(node.input(0));
  const auto along = axis_attribute(node, node.input(0));
  const bool known =
      whole != nullptr && along &&
      std::all_of(node.outputs().begin(), node.outputs().end(), [&](const Value* output) {
        return output != nullptr && find(output) != nullptr && find(output)->axis == whole->axis;
      });
  if (!known) return fix(node);
  std::size_t first = whole->first;
  for (const Value* output : node.outputs()) {
    if (along != whole->axis) {
      tie(node.input(0), output);
    } else {
      tie(first, find(output)->first, find(output)->count);
      first += find(output)->count;
    }
  }
}

void ChannelSpaces::visit_slice(const Node& node) {
  const Channels* whole = find(node.input(0));
  const Channels* part = find(node.output(0));
  const auto ranges = slice_ranges(node);
  if (whole == nullptr || part == nullptr || whole->axis != part->axis || !ranges) return fix(node);
  const auto along = std::find_if(ranges->begin(), ranges->end(), [&](const SliceRange& range) {
    return range.axis == static_cast<std::int64_t>(whole->axis);
  });
  if (along == ranges->end()) return tie(node.input(0), node.output(0));
  const Selection taken = select(*along, static_cast<std::int64_t>(whole->count));
  if (taken.count != static_cast<std::int64_t>(part->count)) return fix(node);
  for (std::int64_t i = 0; i < taken.count; ++i) {
    tie(whole->first + static_cast<std::size_t>(taken.start + i * taken.step),
        part->first + static_cast<std::size_t>(i), 1);
  }
}

void ChannelSpaces::visit_reshape(const Node& node) {
  const Value* input = node.input(0);
  const Value* output = node.output(0);
  const Channels* before = find(input);
  const Channels* behind = find(output);
  if (before == nullptr || behind == nullptr || before->axis != 1 || behind->axis != 1) return fix(node);
  const auto elements = elements_from(input, 1);
  if (!elements || elements != elements_from(output, 1)) return fix(node);
  const std::size_t run_before = *elements / before->count;
  const std::size_t run_behind = *elements / behind->count;
  const std::size_t step = std::gcd(run_before, run_behind);
  for (std::size_t i = 0; i < *elements; i += step)
    tie(before->first + i / run_before, behind->first + i / run_behind, 1);
}

const ChannelSpaces::Channels* ChannelSpaces::find(const Value* value) const {
  const auto found = channels_.find(value);
  return found == channels_.end() ? nullptr : &found->second;
}

std::size_t ChannelSpaces::root(std::size_t channel) const {
  while (parent_[channel] != channel) channel = parent_[channel] = parent_[parent_[channel]];
  return channel;
}

void ChannelSpaces::tie(std::size_t a, std::size_t b, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t from = root(a + i);
    const std::size_t to = root(b + i);
    parent_[from] = to;
    fixed_[to] = fixed_[to] || fixed_[from];
  }
}

void ChannelSpaces::tie(const Value* a, const Value* b) {
  const Channels* of_a = find(a);
  const Channels* of_b = find(b);
  if (of_a != nullptr && of_b != nullptr && of_a->count == of_b->count && of_a->axis == of_b->axis &&
      rank_of(a) == rank_of(b)) {
    tie(of_a->first, of_b->first, of_a->count);
  } else {
    fix(a);
    fix(b);
  }
}

void ChannelSpaces::fix(const Value* value) {
  const Channels* channels = find(value);
  if (channels == nullptr) return;
  for (std::size_t c = 0; c < channels->count; ++c) fixed_[root(channels->first + c)] = true;
}

void ChannelSpaces::fix(const Node& node) {
  for (const auto* values : {&node.inputs(), &node.outputs()}) {
    for (const Value* value : *values) fix(value);
  }
}

}  // namespace tarmac
