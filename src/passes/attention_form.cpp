#include "passes/attention_form.h"

#include <algorithm>
#include <set>

#include "passes/region.h"

namespace tarmac {
namespace {

using Groups = std::array<AtomGroup, 3>;

/// A traced input with the groups of its axes named.
struct Traced {
  AxisLayout layout;
  AtomGroup batch, heads, length, width;
  std::size_t rank = 0;

  /// Gives the innermost `count` atoms of a rank-3 batch to the heads.
  [[nodiscard]] bool take_heads(std::size_t count) {
    if (rank == 4) return count == 0;
    if (batch.size() < count) return false;
    heads.assign(batch.end() - static_cast<std::ptrdiff_t>(count), batch.end());
    batch.resize(batch.size() - count);
    return true;
  }
};

AtomGroup joined(const AtomGroup& outer, const AtomGroup& inner) {
  AtomGroup result = outer;
  result.insert(result.end(), inner.begin(), inner.end());
  return result;
}

/// `permutation` with axes[permutation[i]] = wanted[i]; nothing where there is none.
std::optional<std::vector<std::int64_t>> permutation_to(const std::vector<AtomGroup>& axes,
                                                        const Groups& wanted) {
  if (axes.size() != wanted.size()) return std::nullopt;
  std::vector<std::int64_t> permutation = {0, 1, 2};
  do {
    bool fits = true;
    for (std::size_t i = 0; i < 3; ++i)
      fits = fits && axes[static_cast<std::size_t>(permutation[i])] == wanted[i];
    if (fits) return permutation;
  } while (std::next_permutation(permutation.begin(), permutation.end()));
  return std::nullopt;
}

bool is_identity(const std::vector<std::int64_t>& permutation) {
  return std::is_sorted(permutation.begin(), permutation.end());
}

/// The Transposes on the way from `source`, exclusive, to the end.
int transposes_after(const AxisLayout& layout, const Value* source) {
  int count = 0;
  bool after = false;
  for (const LayoutStep& step : layout.steps) {
    count += after && step.value->producer()->is("Transpose") ? 1 : 0;
    after = after || step.value == source;
  }
  return count;
}

/// The step of the way that holds the projection, and the factor from there on. The first with the fewest
/// nodes.
std::optional<HeadSource> find_source(const Traced& traced, double& factor) {
  const Groups whole = {traced.batch, traced.length, joined(traced.heads, traced.width)};
  std::optional<HeadSource> best;
  int best_cost = 0;
  double best_factor = 1.0;
  const auto consider = [&](const LayoutStep& step, const Groups& wanted, HeadSource source) {
    auto permutation = permutation_to(step.axes, wanted);
    if (!permutation) return;
    // A Split, and the Transpose before it, serve Q, K and V together.
    const bool moves = !is_identity(*permutation);
    const int cost = source.parts > 1 ? (moves ? 2 : 1) : (moves ? 3 : 0);
    if (moves) source.permutation = *std::move(permutation);
    if (best && best_cost <= cost) return;
    source.value = step.value;
    best = std::move(source);
    best_cost = cost;
    best_factor = step.factor;
  };
  for (const LayoutStep& step : traced.layout.steps) {
    consider(step, whole, {});
    for (std::size_t atom = 0; atom < traced.layout.atoms.size(); ++atom) {
      const AxisAtom& parts = traced.layout.atoms[atom];
      if (!parts.chosen || !parts.size.known()) continue;
      Groups packed = whole;
      packed[2].insert(packed[2].begin(), atom);
      HeadSource source;
      source.parts = parts.size.factor();
      source.part = *parts.chosen;
      consider(step, packed, std::move(source));
    }
  }
  if (best) factor *= best_factor;
  return best;
}

std::optional<Traced> trace(const AttentionOperand& operand, const SymbolicShapes& shapes, bool scalars) {
  auto layout = trace_layout(operand.value, shapes, {.scalars = scalars});
  if (!layout) return std::nullopt;
  const auto& axes = layout->steps.back().axes;
  const auto axis = [&](std::size_t i) { return axes[static_cast<std::size_t>(operand.permutation[i])]; };
  Traced traced;
  traced.rank = axes.size();
  traced.batch = axis(0);
  if (traced.rank == 4) traced.heads = axis(1);
  traced.length = axis(traced.rank - 2);
  traced.width = axis(traced.rank - 1);
  traced.layout = *std::move(layout);
  return traced;
}

constexpr int kMaxShapeNodes = 64;

/// Whether all that is computed from `value` ends as the shape of a Reshape among `ends`, and goes with it.
bool serves_only(const Value& value, const std::set<const Node*>& ends, int& budget) {
  if (value.is_output() || --budget < 0) return false;
  return std::all_of(value.uses().begin(), value.uses().end(), [&](const Use& use) {
    if (ends.contains(use.node)) return use.index == 1;
    const auto& outputs = use.node->outputs();
    return std::all_of(outputs.begin(), outputs.end(), [&](const Value* output) {
      return output == nullptr || serves_only(*output, ends, budget);
    });
  });
}

/// Whether what reads the shapes of the values before the last step is not needed without these nodes.
/// `keeps_shape`: the shape of the last node is.
bool shapes_go_too(const AxisLayout& layout, bool keeps_shape) {
  std::set<const Node*> ends;
  for (std::size_t i = 1; i + (keeps_shape ? 1 : 0) < layout.steps.size(); ++i)
    ends.insert(layout.steps[i].value->producer());
  int budget = kMaxShapeNodes;
  for (std::size_t i = 0; i + 1 < layout.steps.size(); ++i) {
    for (const Use& use : layout.steps[i].value->uses()) {
      if (use.node->is("Shape") && !serves_only(*use.node->output(0), ends, budget)) return false;
    }
  }
  return true;
}

/// Whether a Reshape to `shape` does not depend on the axes of what it reshapes.
bool names_all_sizes(const Value* shape, const SymbolicShapes& shapes) {
  const auto elements = shapes.elements(shape);
  return elements &&
         std::none_of(elements->begin(), elements->end(), [](const auto& dim) { return dim && dim->is(0); });
}

/// Follows the result forward to where the heads are joined again.
std::optional<HeadResult> find_result(const AttentionCore& core, std::int64_t heads,
                                      const SymbolicShapes& shapes) {
  auto layout = start_layout(core.result, shapes);
  if (!layout) return std::nullopt;
  // Where the operator's axes are in the result.
  std::vector<std::size_t> place(core.rank);
  for (std::size_t i = 0; i < core.rank; ++i) place[static_cast<std::size_t>(core.result_permutation[i])] = i;
  std::optional<std::size_t> head_atom;  // the outermost
  if (core.rank == 4) {
    const AtomGroup& group = layout->steps.front().axes[place[1]];
    if (!group.empty()) head_atom = group.front();
  } else if (heads > 1) {
    // The axis of rank 3 holds batch and heads.
    AtomGroup& group = layout->steps.front().axes[place[0]];
    if (group.size() != 1) return std::nullopt;
    const auto batch = layout->atoms[group.front()].size.divided_by(SymbolicDim::of(heads));
    if (!batch) return std::nullopt;
    head_atom = layout->atoms.size();
    layout->atoms.push_back({SymbolicDim::of(heads), std::nullopt});
    if (batch->is(1)) {
      group = {*head_atom};
    } else {
      layout->atoms[group.front()].size = *batch;
      group.push_back(*head_atom);
    }
  }
  std::optional<HeadResult> best;
  for (int consumed = 0;; ++consumed) {
    const std::vector<AtomGroup>& first = layout->steps.front().axes;
    AtomGroup batch = first[place[0]];
    AtomGroup head_group;
    if (core.rank == 4) {
      head_group = first[place[1]];
    } else if (head_atom) {
      const auto at = std::find(batch.begin(), batch.end(), *head_atom);
      head_group.assign(at, batch.end());
      batch.erase(at, batch.end());
    }
    const Groups wanted = {batch, first[place[core.rank - 2]],
                           joined(head_group, first[place[core.rank - 1]])};
    const LayoutStep& here = layout->steps.back();
    // wanted[p[i]] = axes[i] makes the axes out of the operator's result.
    std::vector<std::int64_t> order = {0, 1, 2};
    do {
      AtomGroup flat;
      for (const std::int64_t i : order) flat = joined(flat, wanted[static_cast<std::size_t>(i)]);
      AtomGroup found;
      for (const AtomGroup& group : here.axes) found = joined(found, group);
      if (flat != found) continue;
      bool as_is = here.axes.size() == 3;
      for (std::size_t i = 0; as_is && i < 3; ++i)
        as_is = here.axes[i] == wanted[static_cast<std::size_t>(order[i])];
      HeadResult result;
      result.replaced = here.value;
      result.transposes = transposes_after(*layout, core.result);
      if (!is_identity(order)) result.permutation = order;
      if (!shapes_go_too(*layout, !as_is)) continue;
      if (as_is && is_identity(order)) return result;
      const Node* last = here.value->producer();
      if (!as_is) {
        if (consumed == 0 || !last->is("Reshape") || !names_all_sizes(last->input(1), shapes)) continue;
        result.shape = last->input(1);
      }
      const int cost = (result.permutation.empty() ? 0 : 1) + (as_is ? 0 : 1);
      if (cost > consumed) continue;
      best = std::move(result);
      break;
    } while (std::next_permutation(order.begin(), order.end()));
    const Node* reader = reader_besides_shapes(*here.value);
    if (reader == nullptr || &reader->graph() != &core.result->graph() || !reader->domain.empty() ||
        !follow(*layout, *reader, shapes))
      return best;
  }
}

std::optional<HeadForm> arrange(const AttentionCore& core, const std::array<Traced, 3>& traced,
                                const SymbolicShapes& shapes) {
  HeadForm form;
  form.scale = core.scale;
  std::array<std::int64_t, 3> heads = {1, 1, 1};
  std::array<SymbolicDim, 3> batch = {SymbolicDim::of(1), SymbolicDim::of(1), SymbolicDim::of(1)};
  for (std::size_t i = 0; i < 3; ++i) {
    const SymbolicDim count = traced[i].layout.size(traced[i].heads);
    if (!count.known()) return std::nullopt;
    heads[i] = count.factor();
    batch[i] = traced[i].layout.size(traced[i].batch);
    double none = 1.0;
    auto source = find_source(traced[i], i < 2 ? form.scale : none);
    if (!source) return std::nullopt;
    (i == 0 ? form.query : i == 1 ? form.key : form.value) = *std::move(source);
  }
  if (heads[1] != heads[2] || heads[1] == 0 || heads[0] % heads[1] != 0) return std::nullopt;
  if (!(batch[0] == batch[1]) || !(batch[0] == batch[2]) || form.scale <= 0.0) return std::nullopt;
  form.query_heads = heads[0];
  form.key_heads = heads[1];
  form.query_length = traced[0].layout.size(traced[0].length);
  form.key_length = traced[1].layout.size(traced[1].length);
  auto result = find_result(core, heads[0], shapes);
  if (!result) return std::nullopt;
  form.added_transposes = (result->permutation.empty() ? 0 : 1) - result->transposes - core.transposes;
  for (std::size_t i = 0; i < 3; ++i) {
    const HeadSource& source = i == 0 ? form.query : i == 1 ? form.key : form.value;
    form.added_transposes +=
        (source.permutation.empty() ? 0 : 1) - transposes_after(traced[i].layout, source.value);
  }
  form.result = *std::move(result);
  return form;
}

}  // namespace

std::optional<HeadForm> find_head_form(const AttentionCore& core, const SymbolicShapes& shapes) {
  const auto query = trace(core.query, shapes, true);
  const auto key = trace(core.key, shapes, true);
  const auto value = trace(core.value, shapes, false);
  if (!query || !key || !value) return std::nullopt;
  // In rank 3 batch and heads share an axis; which atoms are heads shows in where the projections come from.
  // With none, it is attention with one head, and Q, K and V are what the operator wants.
  const std::size_t most = core.rank == 4 ? 0 : query->batch.size();
  for (std::size_t i = 1; i <= most + 1; ++i) {
    const std::size_t count = i <= most ? i : 0;
    std::array<Traced, 3> traced = {*query, *key, *value};
    if (!traced[0].take_heads(count) || !traced[1].take_heads(count) || !traced[2].take_heads(count))
      continue;
    if (auto form = arrange(core, traced, shapes)) return form;
  }
  return std::nullopt;
}

int added_transposes(const AttentionCore& core) {
  const auto needed = [](const std::vector<std::int64_t>& permutation) {
    return is_identity(permutation) ? 0 : 1;
  };
  return needed(core.query.permutation) + needed(core.key.permutation) + needed(core.value.permutation) +
         needed(core.result_permutation) - core.transposes;
}

bool worth_transposing(int added_transposes, const SymbolicDim& keys) {
  constexpr std::int64_t kManyKeys = 1600;
  return added_transposes <= 0 || (keys.known() && keys.factor() >= kManyKeys);
}

bool agree_in_batch_and_heads(const SymbolicShape& query, const SymbolicShape& key,
                              const SymbolicShape& value) {
  if (query.size() != 4 || key.size() != 4 || value.size() != 4) return false;
  if (!(query[0] == key[0]) || !(query[0] == value[0]) || !(key[1] == value[1])) return false;
  if (query[1] == key[1]) return true;
  return query[1].known() && key[1].known() && key[1].factor() > 0 &&
         query[1].factor() % key[1].factor() == 0;
}

}  // namespace tarmac
