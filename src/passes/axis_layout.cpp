#include "passes/axis_layout.h"
#include "passes/rewrite.h"

#include <algorithm>
#include <cmath>

namespace tarmac {
namespace {

/// Longer chains of pure data movement do not occur; the walk back must end.
constexpr int kMaxSteps = 16;

/// Splits an atom in two everywhere; the outer part keeps the index.
std::size_t split_atom(AxisLayout& layout, std::size_t atom, const SymbolicDim& outer,
                       const SymbolicDim& inner) {
  const std::size_t added = layout.atoms.size();
  layout.atoms[atom].size = outer;
  layout.atoms.push_back({inner, std::nullopt});
  for (LayoutStep& step : layout.steps) {
    for (AtomGroup& group : step.axes) {
      const auto at = std::find(group.begin(), group.end(), atom);
      if (at != group.end()) group.insert(at + 1, added);
    }
  }
  return added;
}

/// The atoms in row-major order cut into axes of the sizes `target`.
std::optional<std::vector<AtomGroup>> regroup(AxisLayout& layout, const std::vector<AtomGroup>& axes,
                                              const SymbolicShape& target) {
  std::vector<std::size_t> rest;
  for (const AtomGroup& group : axes) rest.insert(rest.end(), group.begin(), group.end());
  std::vector<AtomGroup> result;
  std::size_t next = 0;
  for (SymbolicDim open : target) {
    AtomGroup group;
    while (!open.is(1)) {
      if (next == rest.size()) return std::nullopt;
      const std::size_t atom = rest[next];
      const SymbolicDim size = layout.atoms[atom].size;
      if (const auto left = open.divided_by(size)) {
        open = *left;
        ++next;
      } else if (const auto inner = size.divided_by(open); inner && !layout.atoms[atom].chosen) {
        rest[next] = split_atom(layout, atom, open, *inner);
        open = SymbolicDim::of(1);
      } else {
        return std::nullopt;
      }
      group.push_back(atom);
    }
    result.push_back(std::move(group));
  }
  return next == rest.size() ? std::optional(std::move(result)) : std::nullopt;
}

/// The axis from which `node` takes one index into its output `output`; `keeps`: it stays, with size 1.
struct Choice {
  std::size_t axis = 0;
  std::int64_t index = 0;
  bool keeps = false;
};
std::optional<Choice> choice_of(const Node& node, std::size_t output, const SymbolicShape& in,
                                const SymbolicShape& out) {
  const auto size_at = [&](std::size_t axis) { return in[axis].known() ? in[axis].factor() : 0; };
  Choice choice;
  if (node.is("Gather")) {
    const auto axis = axis_index(node.attribute_or<std::int64_t>("axis", 0), in.size());
    const auto index = small_integers(node.input(1));
    if (!axis || !index || index->size() != 1) return std::nullopt;
    choice = {*axis, index->front(), out.size() == in.size()};
  } else if (node.is("Split")) {
    const auto axis = axis_index(node.attribute_or<std::int64_t>("axis", 0), in.size());
    if (!axis || size_at(*axis) != static_cast<std::int64_t>(node.outputs().size()) || !out[*axis].is(1))
      return std::nullopt;
    choice = {*axis, static_cast<std::int64_t>(output), true};
  } else if (node.is("Slice")) {
    const auto starts = small_integers(node.input(1));
    const auto axes = small_integers(node.input(3));
    if (!starts || !axes || starts->size() != 1 || axes->size() != 1) return std::nullopt;
    const auto axis = axis_index(axes->front(), in.size());
    if (!axis || !out[*axis].is(1)) return std::nullopt;
    choice = {*axis, starts->front(), true};
  } else {
    return std::nullopt;
  }
  const std::int64_t size = size_at(choice.axis);
  if (choice.index < 0) choice.index += size;
  if (size <= 1 || choice.index < 0 || choice.index >= size) return std::nullopt;
  return choice;
}

bool choose(AxisLayout& layout, const Node& node, Value* output, const SymbolicShapes& shapes) {
  const SymbolicShape* in = shapes.shape(node.input(0));
  const SymbolicShape* out = shapes.shape(output);
  if (in == nullptr || out == nullptr) return false;
  const auto choice = choice_of(node, output->output_index(), *in, *out);
  if (!choice) return false;
  LayoutStep step = layout.steps.back();
  const AtomGroup group = step.axes[choice->axis];
  if (group.size() != 1 || layout.atoms[group.front()].chosen) return false;
  layout.atoms[group.front()].chosen = choice->index;
  if (choice->keeps) {
    step.axes[choice->axis].clear();
  } else {
    step.axes.erase(step.axes.begin() + static_cast<std::ptrdiff_t>(choice->axis));
  }
  step.value = output;
  layout.steps.push_back(std::move(step));
  return true;
}

/// The input that a node of the chain moves or scales; null where the chain ends.
Value* moved_input(const Node& node, const SymbolicShapes& shapes, bool scalars) {
  if (!node.domain.empty()) return nullptr;
  for (const char* op :
       {"Transpose", "Reshape", "Squeeze", "Unsqueeze", "Identity", "Gather", "Split", "Slice"}) {
    if (node.op_type == op) return node.input(0);
  }
  if (!scalars) return nullptr;
  const auto scaling = scaling_of(node, shapes);
  return scaling ? scaling->value : nullptr;
}

}  // namespace

SymbolicDim AxisLayout::size(const AtomGroup& group) const {
  SymbolicDim result = SymbolicDim::of(1);
  for (const std::size_t atom : group) result = result.times(atoms[atom].size);
  return result;
}

std::optional<Scaling> scaling_of(const Node& node, const SymbolicShapes& shapes) {
  const bool divides = node.is("Div");
  if (!divides && !node.is("Mul")) return std::nullopt;
  for (std::size_t i = divides ? 1 : 0; i < 2; ++i) {
    Value* value = node.input(1 - i);
    const auto factor = shapes.scalar(node.input(i));
    const SymbolicShape* scalar_shape = shapes.shape(node.input(i));
    const SymbolicShape* shape = shapes.shape(value);
    // Of higher rank it would add axes.
    if (!factor || scalar_shape == nullptr || shape == nullptr || scalar_shape->size() > shape->size())
      continue;
    if (!std::isfinite(*factor) || (divides && *factor == 0.0)) return std::nullopt;
    return Scaling{value, divides ? 1.0 / *factor : *factor};
  }
  return std::nullopt;
}

std::optional<AxisLayout> start_layout(Value* value, const SymbolicShapes& shapes) {
  const SymbolicShape* shape = shapes.shape(value);
  if (shape == nullptr) return std::nullopt;
  AxisLayout layout;
  LayoutStep step;
  step.value = value;
  for (const SymbolicDim& dim : *shape) {
    step.axes.emplace_back();
    if (dim.is(1)) continue;
    step.axes.back().push_back(layout.atoms.size());
    layout.atoms.push_back({dim, std::nullopt});
  }
  layout.steps.push_back(std::move(step));
  return layout;
}

bool follow(AxisLayout& layout, const Node& node, const SymbolicShapes& shapes) {
  Value* output = node.output(0);
  const SymbolicShape* out = shapes.shape(output);
  LayoutStep step = layout.steps.back();
  if (out == nullptr || node.input(0) != step.value) return false;
  if (node.is("Transpose")) {
    const auto perm = permutation_of(node, step.axes.size());
    if (!perm) return false;
    const auto before = step.axes;
    for (std::size_t i = 0; i < perm->size(); ++i)
      step.axes[i] = before[static_cast<std::size_t>((*perm)[i])];
  } else if (node.is("Reshape") || node.is("Squeeze") || node.is("Unsqueeze")) {
    AxisLayout changed = layout;
    auto axes = regroup(changed, step.axes, *out);
    if (!axes) return false;
    layout = std::move(changed);
    step.axes = *std::move(axes);
  } else if (!node.is("Identity")) {
    return false;
  }
  step.value = output;
  layout.steps.push_back(std::move(step));
  return true;
}

std::optional<AxisLayout> trace_layout(Value* value, const SymbolicShapes& shapes, bool scalars) {
  std::vector<Value*> chain = {value};
  for (int i = 0; i < kMaxSteps && chain.back()->producer() != nullptr; ++i) {
    Value* source = moved_input(*chain.back()->producer(), shapes, scalars);
    if (source == nullptr || shapes.shape(source) == nullptr) break;
    chain.push_back(source);
  }
  auto layout = start_layout(chain.back(), shapes);
  if (!layout) return std::nullopt;
  for (std::size_t i = chain.size() - 1; i-- > 0;) {
    Value* output = chain[i];
    const Node& node = *output->producer();
    if (follow(*layout, node, shapes) || choose(*layout, node, output, shapes)) continue;
    const auto scaling = scalars ? scaling_of(node, shapes) : std::nullopt;
    const bool scaled = scaling && scaling->value == layout->steps.back().value;
    if (scaled) {
      LayoutStep step = layout->steps.back();
      for (LayoutStep& earlier : layout->steps) earlier.factor *= scaling->factor;
      step.factor = 1.0;
      step.value = output;
      layout->steps.push_back(std::move(step));
      continue;
    }
    layout = start_layout(output, shapes);  // the axes are lost here: begin anew
    if (!layout) return std::nullopt;
  }
  return layout;
}

}  // namespace tarmac
