#include "passes/slice_range.h"

#include <algorithm>
#include <cassert>
#include <numeric>

#include "passes/rewrite.h"

namespace tarmac {

std::optional<std::vector<SliceRange>> slice_ranges(const Node& slice) {
  const auto starts = constant_integers(slice, "starts", 1);
  const auto ends = constant_integers(slice, "ends", 2);
  if (!starts || !ends || starts->size() != ends->size()) return std::nullopt;
  auto axes = constant_integers(slice, "axes", 3);
  if (!axes) {
    if (slice.input(3) != nullptr) return std::nullopt;
    axes.emplace(starts->size());
    std::iota(axes->begin(), axes->end(), 0);
  }
  auto steps = constant_integers(slice.input(4));
  if (!steps) {
    if (slice.input(4) != nullptr) return std::nullopt;
    steps.emplace(starts->size(), 1);
  }
  if (axes->size() != starts->size() || steps->size() != starts->size()) return std::nullopt;
  if (const auto rank = rank_of(slice.input(0))) {
    axes = positive_axes(*axes, *rank);
    if (!axes) return std::nullopt;
  } else if (std::any_of(axes->begin(), axes->end(), [](std::int64_t axis) { return axis < 0; })) {
    return std::nullopt;
  }
  std::vector<SliceRange> ranges;
  for (std::size_t i = 0; i < axes->size(); ++i) {
    const bool again = std::any_of(ranges.begin(), ranges.end(),
                                   [&](const SliceRange& range) { return range.axis == (*axes)[i]; });
    if (again || (*steps)[i] == 0) return std::nullopt;
    ranges.push_back({(*axes)[i], (*starts)[i], (*ends)[i], (*steps)[i]});
  }
  return ranges;
}

Selection select(const SliceRange& range, std::int64_t size) {
  // Clamped first, so that nothing overflows.
  const auto from_front = [size](std::int64_t position) {
    position = std::clamp(position, -size - 1, size + 1);
    return position < 0 ? position + size : position;
  };
  // A step beyond the axis ends after one element all the same.
  const std::int64_t step = std::clamp(range.step, -size - 1, size + 1);
  const bool forward = step > 0;
  const std::int64_t start = std::clamp<std::int64_t>(from_front(range.start), 0, forward ? size : size - 1);
  const std::int64_t end = std::clamp<std::int64_t>(from_front(range.end), forward ? 0 : -1, size);
  const std::int64_t distance = forward ? end - start : start - end;
  const std::int64_t stride = forward ? step : -step;
  return {start, step, size == 0 || distance <= 0 ? 0 : (distance + stride - 1) / stride};
}

SliceRange to_range(std::int64_t axis, const Selection& selection, std::int64_t size) {
  if (selection.count == 0) return {axis, 0, 0, 1};
  const std::int64_t last = selection.start + (selection.count - 1) * selection.step;
  if (selection.step > 0) return {axis, selection.start, last + 1, selection.step};
  // −1 would count from the end; everything below −size is before the front.
  return {axis, selection.start, last == 0 ? -size - 1 : last - 1, selection.step};
}

bool takes_all(const SliceRange& range, const Dim& dim) {
  if (range.step != 1) return false;
  if (dim.known()) {
    const Selection selection = select(range, *dim.size);
    return selection.count == *dim.size;
  }
  return range.start == 0 && range.end >= kToTheEnd;
}

void set_slice_ranges(Graph& graph, Node& slice, const std::vector<SliceRange>& ranges, std::int64_t opset) {
  std::vector<std::int64_t> starts;
  std::vector<std::int64_t> ends;
  std::vector<std::int64_t> axes;
  std::vector<std::int64_t> steps;
  for (const SliceRange& range : ranges) {
    starts.push_back(range.start);
    ends.push_back(range.end);
    axes.push_back(range.axis);
    steps.push_back(range.step);
  }
  const bool as_inputs = opset >= 10;
  const bool stepped = std::any_of(steps.begin(), steps.end(), [](std::int64_t step) { return step != 1; });
  assert(as_inputs || !stepped);
  set_integers(graph, slice, "starts", 1, as_inputs, starts);
  set_integers(graph, slice, "ends", 2, as_inputs, ends);
  set_integers(graph, slice, "axes", 3, as_inputs, axes);
  if (stepped) {
    set_integers(graph, slice, "steps", 4, true, steps);
  } else if (slice.input(4) != nullptr) {
    replace_input(slice, 4, nullptr);
    slice.truncate_inputs(4);
  }
}

}  // namespace tarmac
