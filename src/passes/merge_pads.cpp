#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace tarmac {
namespace {

using Sizes = std::vector<std::int64_t>;

/// What a Pad does, in whichever form its operator version writes it.
struct Padding {
  std::string mode;
  double value = 0.0;
  Sizes begin;  ///< by axis
  Sizes end;
};

bool none_negative(const Sizes& sizes) {
  return std::all_of(sizes.begin(), sizes.end(), [](std::int64_t size) { return size >= 0; });
}

/// nullopt when it is computed, or takes elements away.
std::optional<Padding> padding_of(const Node& pad) {
  Padding padding{pad.attribute_or<std::string>("mode", "constant"),
                  static_cast<double>(pad.attribute_or<float>("value", 0.0F)),
                  {},
                  {}};
  if (pad.input(2) != nullptr) {
    const auto value = uniform_value(pad.input(2));
    if (!value) return std::nullopt;
    padding.value = *value;
  }
  const auto pads = constant_integers(pad, "pads", 1);
  if (!pads || pads->size() % 2 != 0 || !none_negative(*pads)) return std::nullopt;
  const std::size_t count = pads->size() / 2;
  const auto middle = pads->begin() + static_cast<std::ptrdiff_t>(count);
  padding.begin.assign(pads->begin(), middle);
  padding.end.assign(middle, pads->end());
  if (pad.input(3) == nullptr) return padding;
  const auto rank = rank_of(pad.input(0));
  const auto listed = constant_integers(pad.input(3));
  const auto axes = rank && listed ? positive_axes(*listed, *rank) : std::nullopt;
  if (!axes || axes->size() != count) return std::nullopt;
  Padding all{padding.mode, padding.value, Sizes(*rank, 0), Sizes(*rank, 0)};
  for (std::size_t i = 0; i < count; ++i) {
    all.begin[static_cast<std::size_t>((*axes)[i])] = padding.begin[i];
    all.end[static_cast<std::size_t>((*axes)[i])] = padding.end[i];
  }
  return all;
}

/// Begins, then ends, of the axes from `first` on, added to `more` where there is any.
Sizes joined(const Padding& padding, std::size_t first, const Sizes& more) {
  Sizes pads(padding.begin.begin() + static_cast<std::ptrdiff_t>(first), padding.begin.end());
  pads.insert(pads.end(), padding.end.begin() + static_cast<std::ptrdiff_t>(first), padding.end.end());
  for (std::size_t i = 0; i < more.size(); ++i) pads[i] += more[i];
  return pads;
}

void merge_pads_of(Graph& graph, Node& node, const Node& first, std::int64_t opset, PassContext& context) {
  const auto inner = padding_of(first);
  const auto outer = padding_of(node);
  if (!inner || !outer || inner->mode != outer->mode || inner->begin.size() != outer->begin.size()) return;
  const bool same = outer->mode == "edge" || (outer->mode == "constant" && inner->value == outer->value);
  if (!same) return;
  context.changed(node, "does the work of Pad '" + first.label() + "' before it");
  set_integers(graph, node, "pads", 1, opset >= 11, joined(*outer, 0, joined(*inner, 0, {})));
  if (node.input(3) != nullptr) replace_input(node, 3, nullptr);
  trim_inputs(node);
  replace_input(node, 0, first.input(0));
}

/// Every window has an element that is no padding; engines refuse others.
bool windows_fit(const Node& node, const Sizes& pads) {
  const auto* kernel = node.attribute<Sizes>("kernel_shape");
  if (kernel == nullptr || pads.size() != 2 * kernel->size()) return false;
  for (std::size_t i = 0; i < pads.size(); ++i) {
    if (pads[i] >= (*kernel)[i % kernel->size()]) return false;
  }
  return true;
}

bool all_ones(const Sizes* sizes) {
  return sizes == nullptr || std::all_of(sizes->begin(), sizes->end(), [](auto size) { return size == 1; });
}

/// Whether padding its input by zeros is what the node's own padding by `pads` in all does.
bool pads_by_zeros(const Node& node, const Sizes& own, const Sizes& pads, const Node& pad) {
  if (node.op_type == "Conv") return true;
  const bool has_own = std::any_of(own.begin(), own.end(), [](std::int64_t size) { return size != 0; });
  if (node.attribute_or<std::int64_t>("ceil_mode", 0) != 0 || !windows_fit(node, pads) ||
      !all_ones(node.attribute<Sizes>("dilations")))
    return false;
  if (node.op_type == "AveragePool")
    return !has_own || node.attribute_or<std::int64_t>("count_include_pad", 0) != 0;
  // Its own padding is −∞: the same where every window has an element, and none is negative.
  const Node* source = pad.input(0)->producer();
  return node.op_type == "MaxPool" && !has_own && node.outputs().size() == 1 && source != nullptr &&
         is_non_negative(*source);
}

void merge_into_window(Node& node, Node& first, PassContext& context) {
  const auto padding = padding_of(first);
  if (!padding || padding->mode != "constant" || padding->value != 0.0 || padding->begin.size() < 3) return;
  if (padding->begin[0] + padding->begin[1] + padding->end[0] + padding->end[1] != 0) return;
  const auto auto_pad = node.attribute_or<std::string>("auto_pad", "NOTSET");
  if (auto_pad != "NOTSET" && auto_pad != "VALID") return;
  const std::size_t spatial = padding->begin.size() - 2;
  const auto* own = node.attribute<Sizes>("pads");
  const Sizes before = own != nullptr && auto_pad == "NOTSET" ? *own : Sizes(2 * spatial, 0);
  if (before.size() != 2 * spatial || !none_negative(before)) return;
  const Sizes pads = joined(*padding, 2, before);
  if (!pads_by_zeros(node, before, pads, first)) return;
  context.changed(node, "pads its input itself, without Pad '" + first.label() + "'");
  node.attributes.erase("auto_pad");
  node.attributes["pads"] = pads;
  if (node.op_type == "AveragePool") node.attributes["count_include_pad"] = std::int64_t{1};
  replace_input(node, 0, first.input(0));
}

void merge(Graph& graph, Node& node, std::int64_t opset, PassContext& context) {
  const bool has_window = node.is("Conv") || node.is("AveragePool") || node.is("MaxPool");
  if ((!has_window && !node.is("Pad")) || node.input(0) == nullptr) return;
  Node* first = node.input(0)->producer();
  if (first == nullptr || !first->is("Pad")) return;
  if (has_window) {
    merge_into_window(node, *first, context);
  } else {
    merge_pads_of(graph, node, *first, opset, context);
  }
}

}  // namespace

Status merge_pads(Model& model, PassContext& context) {
  if (model.opset() < 7) return {};  // AveragePool left its padding out of the mean
  visit_nodes(*model.graph, [&](Graph& graph, Node& node) { merge(graph, node, model.opset(), context); });
  return {};
}

}  // namespace tarmac
