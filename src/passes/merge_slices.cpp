#include <algorithm>
#include <limits>

#include "passes/passes.h"
#include "passes/rewrite.h"
#include "passes/slice_range.h"

namespace tarmac {
namespace {

/// What `second` takes of what `first` takes, as one range of the axis.
std::optional<SliceRange> compose(const SliceRange& first, const SliceRange& second, const Dim& dim) {
  if (dim.known()) {
    const Selection outer = select(first, *dim.size);
    const Selection inner = select(second, outer.count);
    return to_range(first.axis,
                    {outer.start + inner.start * outer.step, outer.step * inner.step, inner.count},
                    *dim.size);
  }
  // Of an axis of unknown size only plain ranges compose: [s₁+s₂, min(e₁, s₁+e₂)).
  if (first.step != 1 || second.step != 1 || first.start < 0 || first.end < 0 || second.start < 0 ||
      second.end < 0)
    return std::nullopt;
  const auto add = [](std::int64_t a, std::int64_t b) {
    return a > std::numeric_limits<std::int64_t>::max() - b ? std::numeric_limits<std::int64_t>::max()
                                                            : a + b;
  };
  return SliceRange{first.axis, add(first.start, second.start),
                    std::min(first.end, add(first.start, second.end)), 1};
}

void merge(Graph& graph, Node& node, std::int64_t opset, PassContext& context) {
  if (!node.is("Slice") || node.input(0) == nullptr) return;
  const Node* first = node.input(0)->producer();
  if (first == nullptr || !first->is("Slice") || first->input(0) == nullptr) return;
  auto ranges = slice_ranges(*first);
  const auto own = slice_ranges(node);
  if (!ranges || !own) return;
  Value& source = *first->input(0);
  for (const SliceRange& range : *own) {
    const auto same = std::find_if(ranges->begin(), ranges->end(),
                                   [&](const SliceRange& other) { return other.axis == range.axis; });
    if (same == ranges->end()) {
      ranges->push_back(range);
      continue;
    }
    const auto axis = static_cast<std::size_t>(range.axis);
    const auto rank = rank_of(&source);
    const auto both = compose(*same, range, rank && axis < *rank ? (*source.type.shape)[axis] : Dim{});
    if (!both) return;
    *same = *both;
  }
  context.changed(node, "does the work of Slice '" + first->label() + "' before it");
  set_slice_ranges(graph, node, *ranges, opset);
  replace_input(node, 0, &source);
}

}  // namespace

Status merge_slices(Model& model, PassContext& context) {
  visit_nodes(*model.graph, [&](Graph& graph, Node& node) { merge(graph, node, model.opset(), context); });
  return {};
}

}  // namespace tarmac
