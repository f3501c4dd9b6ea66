#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"
#include "passes/slice_range.h"

namespace tarmac {
namespace {

/// A Concat's inputs while they are being rewritten, with its axis made positive.
struct Joined {
  Graph& graph;
  Node& node;
  std::size_t axis;
  std::size_t rank;
  std::vector<Value*> inputs;
};

std::optional<std::size_t> axis_of(const Node& node, std::size_t rank, std::int64_t fallback) {
  const auto axes = positive_axes({node.attribute_or<std::int64_t>("axis", fallback)}, rank);
  return axes ? std::optional(static_cast<std::size_t>((*axes)[0])) : std::nullopt;
}

Node* producer_of(const Value* value, std::string_view op) {
  Node* node = value->producer();
  return node != nullptr && node->is(op) ? node : nullptr;
}

/// Inputs that are Concats of the same axis are replaced by what those join, where none of them stays for
/// another reader.
bool splice_concats(Joined& joined) {
  std::vector<Value*> flat;
  for (Value* input : joined.inputs) {
    const Node* inner = producer_of(input, "Concat");
    const auto joins_along = [&](const Use& use) {
      return use.node->is("Concat") && axis_of(*use.node, joined.rank, 0) == joined.axis;
    };
    if (inner != nullptr && !input->is_output() && axis_of(*inner, joined.rank, 0) == joined.axis &&
        std::all_of(input->uses().begin(), input->uses().end(), joins_along)) {
      flat.insert(flat.end(), inner->inputs().begin(), inner->inputs().end());
    } else {
      flat.push_back(input);
    }
  }
  const bool changed = flat != joined.inputs;
  joined.inputs = std::move(flat);
  return changed;
}

bool drop_empty(Joined& joined) {
  const auto is_empty = [&](const Value* input) {
    return rank_of(input) == joined.rank && (*input->type.shape)[joined.axis].size == 0;
  };
  const auto count = joined.inputs.size();
  if (std::all_of(joined.inputs.begin(), joined.inputs.end(), is_empty)) return false;
  std::erase_if(joined.inputs, is_empty);
  return joined.inputs.size() != count;
}

/// How many inputs from `first` on are all outputs of one Split of this axis, in order.
std::size_t split_run(const Joined& joined, std::size_t first) {
  const Node* split = producer_of(joined.inputs[first], "Split");
  if (split == nullptr || axis_of(*split, joined.rank, 0) != joined.axis) return 0;
  const std::size_t count = split->outputs().size();
  if (first + count > joined.inputs.size()) return 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (split->output(i) != joined.inputs[first + i]) return 0;
  }
  return count;
}

/// The one range, along the joined axis and by steps of 1, that a Slice takes; ends are positive where the
/// size is known.
std::optional<SliceRange> plain_range(const Joined& joined, const Value* value) {
  const Node* slice = producer_of(value, "Slice");
  if (slice == nullptr || rank_of(slice->input(0)) != joined.rank) return std::nullopt;
  const auto ranges = slice_ranges(*slice);
  if (!ranges || ranges->size() != 1 || ranges->front().step != 1 ||
      ranges->front().axis != static_cast<std::int64_t>(joined.axis))
    return std::nullopt;
  const Dim& dim = (*slice->input(0)->type.shape)[joined.axis];
  if (dim.known()) return to_range(ranges->front().axis, select(ranges->front(), *dim.size), *dim.size);
  if (ranges->front().start < 0 || ranges->front().end < 0) return std::nullopt;
  return ranges->front();
}

/// How many inputs from `first` on are Slices that take one value from front to end.
std::size_t slice_run(const Joined& joined, std::size_t first) {
  std::int64_t position = 0;
  const Value* source = nullptr;
  for (std::size_t i = first; i < joined.inputs.size(); ++i) {
    const auto range = plain_range(joined, joined.inputs[i]);
    if (!range || range->start != position) return 0;
    const Value* from = joined.inputs[i]->producer()->input(0);
    if (source != nullptr && from != source) return 0;
    source = from;
    position = range->end;
    const Dim& dim = (*source->type.shape)[joined.axis];
    if (dim.known() ? position == *dim.size : position >= kToTheEnd) return i - first + 1;
    if (range->end <= range->start) return 0;
  }
  return 0;
}

/// Pieces of one value, put together again in order, are that value.
bool restore_sources(Joined& joined) {
  std::vector<Value*> whole;
  for (std::size_t i = 0; i < joined.inputs.size();) {
    std::size_t count = split_run(joined, i);
    if (count == 0) count = slice_run(joined, i);
    whole.push_back(count > 0 ? joined.inputs[i]->producer()->input(0) : joined.inputs[i]);
    i += std::max<std::size_t>(count, 1);
  }
  const bool changed = whole != joined.inputs;
  joined.inputs = std::move(whole);
  return changed;
}

/// The indices of a Gather along the joined axis that nothing else reads.
std::optional<std::vector<std::int64_t>> gathered(const Joined& joined, const Value* value) {
  const Node* gather = producer_of(value, "Gather");
  if (gather == nullptr || sole_producer(joined.graph, value) != gather ||
      rank_of(gather->input(0)) != joined.rank || rank_of(gather->input(1)) != 1U ||
      axis_of(*gather, joined.rank, 0) != joined.axis)
    return std::nullopt;
  return constant_integers(gather->input(1));
}

/// Neighbours that gather from the same value become one Gather: how exporters write "these sizes of a
/// shape".
bool join_gathers(Joined& joined) {
  std::vector<Value*> result;
  bool changed = false;
  for (std::size_t i = 0; i < joined.inputs.size();) {
    auto indices = gathered(joined, joined.inputs[i]);
    std::size_t next = i + 1;
    for (; indices && next < joined.inputs.size(); ++next) {
      const auto more = gathered(joined, joined.inputs[next]);
      if (!more || joined.inputs[next]->producer()->input(0) != joined.inputs[i]->producer()->input(0)) break;
      indices->insert(indices->end(), more->begin(), more->end());
    }
    if (next == i + 1) {
      result.push_back(joined.inputs[i++]);
      continue;
    }
    const Node& first = *joined.inputs[i]->producer();
    Value& all = add_integers(joined.graph, first.label() + "_indices", *indices);
    Value& value =
        joined.graph.add_op("Gather", {first.input(0), &all}, joined.inputs[i]->name(), &joined.node);
    value.producer()->attributes["axis"] = static_cast<std::int64_t>(joined.axis);
    value.type = joined.inputs[i]->type;
    if (value.type.shape)
      (*value.type.shape)[joined.axis] = Dim::of(static_cast<std::int64_t>(indices->size()));
    result.push_back(&value);
    changed = true;
    i = next;
  }
  joined.inputs = std::move(result);
  return changed;
}

void merge_inputs(Graph& graph, Node& node, PassContext& context) {
  const auto rank = rank_of(node.output(0));
  const auto axis = rank ? axis_of(node, *rank, 0) : std::nullopt;
  if (!axis || node.inputs().empty()) return;
  Joined joined{graph, node, *axis, *rank, node.inputs()};
  bool changed = splice_concats(joined);
  changed = drop_empty(joined) || changed;
  changed = restore_sources(joined) || changed;
  changed = join_gathers(joined) || changed;
  if (!changed) return;
  context.changed(node, "joins its sources directly: " + std::to_string(joined.inputs.size()) +
                            " instead of " + std::to_string(node.inputs().size()) + " inputs");
  std::vector<Value*> old = node.inputs();
  node.truncate_inputs(0);
  for (Value* input : joined.inputs) node.add_input(input);
  if (joined.inputs.size() == 1) pass_on(node, *joined.inputs[0]);
  erase_unused(std::move(old));
}

/// A Slice that takes exactly one input of a Concat.
void skip_concat(Node& node, PassContext& context) {
  const Node* concat = node.input(0) == nullptr ? nullptr : producer_of(node.input(0), "Concat");
  const auto ranges = concat == nullptr ? std::nullopt : slice_ranges(node);
  const auto rank = rank_of(node.input(0));
  if (!ranges || !rank || ranges->size() != 1 || ranges->front().step != 1) return;
  const auto axis = axis_of(*concat, *rank, 0);
  if (!axis || ranges->front().axis != static_cast<std::int64_t>(*axis)) return;
  const Dim& total = (*node.input(0)->type.shape)[*axis];
  if (!total.known()) return;
  const Selection wanted = select(ranges->front(), *total.size);
  std::int64_t position = 0;
  for (Value* input : concat->inputs()) {
    if (rank_of(input) != rank || !(*input->type.shape)[*axis].known()) return;
    const std::int64_t size = *(*input->type.shape)[*axis].size;
    if (position == wanted.start && size == wanted.count) {
      context.changed(node, "takes one input of Concat '" + concat->label() + "'");
      pass_on(node, *input);
      return;
    }
    position += size;
  }
}

}  // namespace

Status merge_concats(Model& model, PassContext& context) {
  visit_nodes(*model.graph, [&](Graph& graph, Node& node) {
    if (node.is("Concat")) {
      merge_inputs(graph, node, context);
    } else if (node.is("Slice")) {
      skip_concat(node, context);
    }
  });
  return {};
}

}  // namespace tarmac
