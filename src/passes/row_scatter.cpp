#include "passes/row_scatter.h"

#include <algorithm>

#include "passes/lift.h"
#include "passes/region.h"
#include "passes/rewrite.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

/// Constants of row numbers are looked into up to this size.
constexpr std::int64_t kMaxRowNumbers = std::int64_t{1} << 24;

/// The [P, 1], [1, P] or [P] that an Expand spreads over the channels.
Value* spread_index(Value* index, std::size_t channel_axis, const SymbolicShapes& shapes) {
  Node* expand = index->producer();
  if (expand == nullptr || !expand->is("Expand")) return nullptr;
  Value* source = expand->input(0);
  const SymbolicShape* from = shapes.shape(source);
  const SymbolicShape* to = shapes.shape(index);
  if (from == nullptr || to == nullptr || to->size() != 2) return nullptr;
  // What the shape leaves out in front is spread as well.
  if (from->size() == 1) return channel_axis == 0 && (*from)[0] == (*to)[1] ? source : nullptr;
  if (from->size() != 2 || !(*from)[channel_axis].is(1) ||
      !((*from)[1 - channel_axis] == (*to)[1 - channel_axis]))
    return nullptr;
  return source;
}

/// Past Unsqueeze and the like at the end: the value without its last axis of size 1.
Value* without_last_axis(Value* value) {
  Node* node = value->producer();
  return node != nullptr && (node->is("Unsqueeze") || node->is("Reshape")) ? node->input(0) : nullptr;
}

/// Whether row c of [C, P] or [C, P, 1] holds c everywhere.
bool holds_row_numbers(Value* value, const SymbolicShapes& shapes) {
  const Tensor* tensor = constant_of(value);
  if (tensor == nullptr) {
    Value* inner = without_last_axis(value);
    if (inner != nullptr && constant_of(inner) == nullptr) {
      const Node* expand = inner->producer();
      if (expand == nullptr || !expand->is("Expand")) return false;
      tensor = constant_of(expand->input(0));
      const SymbolicShape* to = shapes.shape(inner);
      if (tensor == nullptr || to == nullptr || to->size() != 2 || tensor->shape().size() != 2 ||
          tensor->shape()[1] != 1)
        return false;
    } else if (inner != nullptr) {
      tensor = constant_of(inner);
    }
  }
  if (tensor == nullptr || tensor->shape().size() < 2 || tensor->count() == 0 ||
      tensor->count() > kMaxRowNumbers || !is_integer(tensor->dtype()))
    return false;
  const auto numbers = to_int64s(*tensor);
  if (!numbers) return false;
  const std::int64_t row = tensor->count() / tensor->shape()[0];
  for (std::size_t i = 0; i < numbers->size(); ++i) {
    if ((*numbers)[i] != static_cast<std::int64_t>(i) / row) return false;
  }
  return true;
}

/// Indices [C, P, 2] of (row c, cell of p): the cells.
Value* cells_of_pairs(Value* indices, const SymbolicShapes& shapes) {
  Node* concat = indices->producer();
  if (concat == nullptr || !concat->is("Concat") || concat->inputs().size() != 2) return nullptr;
  const std::int64_t axis = concat->attribute_or<std::int64_t>("axis", 0);
  if ((axis != -1 && axis != 2) || !holds_row_numbers(concat->input(0), shapes)) return nullptr;
  Value* spread = without_last_axis(concat->input(1));
  return spread == nullptr ? nullptr : spread_index(spread, 0, shapes);
}

}  // namespace

bool is_zeros(const Value* value) {
  if (value == nullptr) return false;
  if (constant_of(value) != nullptr) return uniform_value(value) == 0.0;
  const Node* node = value->producer();
  if (node == nullptr || !node->is("ConstantOfShape")) return false;
  const auto* fill = node->attribute<Tensor>("value");
  if (fill == nullptr) return true;
  const auto number = to_doubles(*fill);
  return number && number->size() == 1 && number->front() == 0.0;
}

std::optional<RowScatter> match_row_scatter(Node& scatter, const SymbolicShapes& shapes) {
  const bool by_element = scatter.is("ScatterElements");
  if (!by_element && !scatter.is("ScatterND")) return std::nullopt;
  const SymbolicShape* map = shapes.shape(scatter.input(0));
  const SymbolicShape* index = shapes.shape(scatter.input(1));
  const SymbolicShape* rows = shapes.shape(scatter.input(2));
  if (map == nullptr || index == nullptr || rows == nullptr || map->size() != 2 || rows->size() != 2 ||
      !(*map)[0].known() || !(*map)[1].known() || !is_zeros(scatter.input(0)))
    return std::nullopt;
  RowScatter found;
  found.node = &scatter;
  found.updates = scatter.input(2);
  const auto reduction = scatter.attribute_or<std::string>("reduction", "none");
  if (reduction != "none" && reduction != "add") return std::nullopt;
  found.adds = reduction == "add";
  if (by_element) {
    const auto axis = axis_index(scatter.attribute_or<std::int64_t>("axis", 0), 2);
    if (!axis) return std::nullopt;
    found.channels_first = *axis == 1;
    found.index = spread_index(scatter.input(1), found.channels_first ? 0 : 1, shapes);
  } else if (index->size() == 2 && index->back().is(1)) {
    found.index = scatter.input(1);
  } else if (index->size() == 3 && index->back().is(2)) {
    found.channels_first = true;
    found.index = cells_of_pairs(scatter.input(1), shapes);
  }
  if (found.index == nullptr) return std::nullopt;
  const std::size_t channel_axis = found.channels_first ? 0 : 1;
  found.channels = (*map)[channel_axis].factor();
  found.cells = (*map)[1 - channel_axis].factor();
  // A narrower list of rows would leave channels of the map out.
  if (!((*rows)[channel_axis] == (*map)[channel_axis]) || found.cells <= 0 || found.channels <= 0)
    return std::nullopt;
  return found;
}

std::optional<ScatteredMap> find_map(const RowScatter& scatter, const SymbolicShapes& shapes) {
  const LetterAxis cells = {{'G', SymbolicDim::of(scatter.cells)}};
  const LetterAxis channels = {{'C', SymbolicDim::of(scatter.channels)}};
  auto layout = LetteredLayout::make(start_layout(scatter.node->output(0), shapes),
                                     scatter.channels_first ? std::vector<LetterAxis>{channels, cells}
                                                            : std::vector<LetterAxis>{cells, channels});
  if (!layout) return std::nullopt;
  for (int i = 0; i < 8; ++i) {
    const Node* next = reader_besides_shapes(*layout->steps().back().value);
    if (next == nullptr || &next->graph() != &scatter.node->graph() || !layout->append(*next, shapes)) break;
  }
  std::optional<ScatteredMap> found;
  for (const LayoutStep& step : layout->steps()) {
    const std::size_t rank = step.axes.size();
    if (rank != 4 && rank != 5) continue;
    AtomGroup order;
    for (std::size_t i = 0; i < rank; ++i) {
      if (i != 1) order.insert(order.end(), step.axes[i].begin(), step.axes[i].end());
    }
    if (step.axes[1] != layout->atoms("C") || order != layout->atoms("G")) continue;
    const auto size = [&](std::size_t axis) { return layout->layout().size(step.axes[axis]).factor(); };
    found = ScatteredMap{step.value, size(0), rank == 5 ? size(2) : 1, size(rank - 2), size(rank - 1)};
  }
  return found;
}

Value* as_list(Value* value, Node& before, SymbolicShapes& shapes) {
  const auto layout = trace_layout(value, shapes, {.choices = false});
  if (!layout) return nullptr;
  AtomGroup all;
  for (const AtomGroup& group : layout->steps.back().axes) all.insert(all.end(), group.begin(), group.end());
  const std::vector<AtomGroup> wanted = {all};
  const LayoutStep* step = closest_step(*layout, wanted);
  return step == nullptr ? nullptr : rearranged(step->value, step->axes, *layout, wanted, before, shapes);
}

}  // namespace tarmac
