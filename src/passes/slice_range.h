// What a Slice takes, in whichever form its operator version writes it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "graph/graph.h"

namespace tarmac {

struct SliceRange {
  std::int64_t axis = 0;  ///< ≥ 0 where slice_ranges() knows the rank
  std::int64_t start = 0;
  std::int64_t end = 0;
  std::int64_t step = 1;
};

/// One range per axis; nullopt when any of it is computed, or an axis occurs twice or may do so.
std::optional<std::vector<SliceRange>> slice_ranges(const Node& slice);

/// Elements start, start + step, … of an axis; `count` of them.
struct Selection {
  std::int64_t start = 0;
  std::int64_t step = 1;
  std::int64_t count = 0;
};

/// The elements that a range takes of an axis of `size` elements (ONNX Slice: negative counts from the end,
/// then both ends are clamped).
Selection select(const SliceRange& range, std::int64_t size);
/// A range that takes the selection from an axis of `size` elements.
SliceRange to_range(std::int64_t axis, const Selection& selection, std::int64_t size);

/// Everything to the end: exporters write the largest int32 or int64.
inline constexpr std::int64_t kToTheEnd = 2147483647;

/// Whether the range takes the whole axis, of whatever size it is unless that is known.
bool takes_all(const SliceRange& range, const Dim& dim);

/// Rewrites the node's ranges; before version 10 they are attributes, which have no steps (asserted).
void set_slice_ranges(Graph& graph, Node& slice, const std::vector<SliceRange>& ranges, std::int64_t opset);

}  // namespace tarmac
