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
  layout.atoms.push_back({inner, std::nullopt, layout.atoms[atom].spread});
  for (LayoutStep& step : layout.steps) {
    for (AtomGroup& group : step.axes) {
      const auto at = std::find(group.begin(), group.end(), atom);
      if (at != group.end()) group.insert(at + 1, added);
    }
  }
  return added;
}

/// The axis from which `node` takes one index, or one of several blocks of equal size, into its output
/// `output`; `keeps`: the axis stays, with the size of a block.
struct Choice {
  std::size_t axis = 0;
  std::int64_t index = 0;
  bool keeps = false;
  std::int64_t block = 1;
};
std::optional<Choice> choice_of(const Node& node, std::size_t output, const SymbolicShape& in,
                                const SymbolicShape& out) {
  const auto block_at = [&](std::size_t axis) { return out[axis].known() ? out[axis].factor() : 0; };
  const auto size_at = [&](std::size_t axis) { return in[axis].known() ? in[axis].factor() : 0; };
  Choice choice;
  if (node.is("Gather")) {
    const auto axis = axis_index(node.attribute_or<std::int64_t>("axis", 0), in.size());
    const auto index = small_integers(node.input(1));
    if (!axis || !index || index->size() != 1) return std::nullopt;
    choice = {*axis, index->front(), out.size() == in.size()};
  } else if (node.is("Split")) {
    const auto axis = axis_index(node.attribute_or<std::int64_t>("axis", 0), in.size());
    if (!axis) return std::nullopt;
    const std::int64_t block = block_at(*axis);
    // Other parts could have other sizes.
    if (size_at(*axis) != static_cast<std::int64_t>(node.outputs().size()) * block) return std::nullopt;
    choice = {*axis, static_cast<std::int64_t>(output), true, block};
  } else if (node.is("Slice")) {
    const auto starts = small_integers(node.input(1));
    const auto axes = small_integers(node.input(3));
    if (!starts || !axes || starts->size() != 1 || axes->size() != 1) return std::nullopt;
    const auto steps = node.input(4) == nullptr
                           ? std::vector<std::int64_t>{1}
                           : small_integers(node.input(4)).value_or(std::vector<std::int64_t>{});
    const auto axis = axis_index(axes->front(), in.size());
    if (!axis || steps != std::vector<std::int64_t>{1}) return std::nullopt;
    choice = {*axis, starts->front(), true, block_at(*axis)};
    if (choice.index < 0) choice.index += size_at(*axis);
    if (choice.block <= 0 || choice.index % choice.block != 0) return std::nullopt;
    choice.index /= choice.block;
  } else {
    return std::nullopt;
  }
  const std::int64_t size = size_at(choice.axis);
  if (choice.block <= 0 || size < choice.block || size % choice.block != 0) return std::nullopt;
  const std::int64_t blocks = size / choice.block;
  if (choice.index < 0) choice.index += blocks;
  if (choice.index < 0 || choice.index >= blocks) return std::nullopt;
  return choice;
}

bool choose(AxisLayout& layout, const Node& node, Value* output, const SymbolicShapes& shapes,
            const TraceThrough& through) {
  if (!through.choices) return false;
  const SymbolicShape* in = shapes.shape(node.input(0));
  const SymbolicShape* out = shapes.shape(output);
  if (in == nullptr || out == nullptr || layout.steps.back().value != node.input(0)) return false;
  const auto choice = choice_of(node, output->output_index(), *in, *out);
  if (!choice || (choice->block > 1 && !through.blocks)) return false;
  const SymbolicDim size = (*in)[choice->axis];
  AtomGroup rest;
  if (!size.is(choice->block)) {
    const AtomGroup group = layout.steps.back().axes[choice->axis];
    const auto of_one_block = SymbolicDim::of(choice->block);
    const auto parts = cut_atoms(layout, {group}, {*size.divided_by(of_one_block), of_one_block});
    if (!parts || (*parts)[0].size() != 1 || layout.atoms[(*parts)[0].front()].chosen) return false;
    layout.atoms[(*parts)[0].front()].chosen = choice->index;
    rest = (*parts)[1];
  } else {
    rest = layout.steps.back().axes[choice->axis];
  }
  LayoutStep step = layout.steps.back();
  if (choice->keeps) {
    step.axes[choice->axis] = rest;
  } else {
    step.axes.erase(step.axes.begin() + static_cast<std::ptrdiff_t>(choice->axis));
  }
  step.value = output;
  layout.steps.push_back(std::move(step));
  return true;
}

/// y = x + offset with a scalar that does not change the shape.
struct Shift {
  Value* value = nullptr;
  double offset = 0.0;
};
std::optional<Shift> shift_of(const Node& node, const SymbolicShapes& shapes) {
  const bool subtracts = node.is("Sub");
  if (!subtracts && !node.is("Add")) return std::nullopt;
  for (std::size_t i = subtracts ? 1 : 0; i < 2; ++i) {
    Value* value = node.input(1 - i);
    const auto offset = shapes.scalar(node.input(i));
    const SymbolicShape* scalar_shape = shapes.shape(node.input(i));
    const SymbolicShape* shape = shapes.shape(value);
    if (!offset || scalar_shape == nullptr || shape == nullptr || scalar_shape->size() > shape->size() ||
        !std::isfinite(*offset))
      continue;
    return Shift{value, subtracts ? -*offset : *offset};
  }
  return std::nullopt;
}

bool is_float(const Value* value) {
  return value != nullptr && value->type.is_tensor() && is_floating_point(value->type.dtype);
}

/// The input that a node of the chain moves or scales; null where the chain ends.
Value* moved_input(const Node& node, const SymbolicShapes& shapes, const TraceThrough& through) {
  if (!node.domain.empty()) return nullptr;
  for (const char* op :
       {"Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Gather", "Split", "Slice"}) {
    if (node.op_type == op) return node.input(0);
  }
  if (through.spreads && node.op_type == "Expand") return node.input(0);
  if (through.casts && node.op_type == "Cast")
    return is_float(node.input(0)) && is_float(node.output(0)) ? node.input(0) : nullptr;
  if (through.scalars) {
    if (const auto scaling = scaling_of(node, shapes)) return scaling->value;
  }
  if (through.shifts) {
    if (const auto shift = shift_of(node, shapes)) return shift->value;
  }
  return nullptr;
}

/// Appends the output of an Expand: new atoms for what it repeats.
bool spread(AxisLayout& layout, const Node& node, const SymbolicShapes& shapes, const TraceThrough& through) {
  const SymbolicShape* out = shapes.shape(node.output(0));
  LayoutStep step = layout.steps.back();
  if (!through.spreads || !node.is("Expand") || node.input(0) != step.value || out == nullptr ||
      out->size() < step.axes.size())
    return false;
  step.axes.insert(step.axes.begin(), out->size() - step.axes.size(), {});
  AxisLayout changed = layout;
  for (std::size_t i = 0; i < out->size(); ++i) {
    if (layout.size(step.axes[i]) == (*out)[i]) continue;
    if (!step.axes[i].empty()) return false;
    step.axes[i] = {changed.atoms.size()};
    changed.atoms.push_back({(*out)[i], std::nullopt, true});
  }
  step.value = node.output(0);
  changed.steps.push_back(std::move(step));
  layout = std::move(changed);
  return true;
}

/// Appends the output of scalar arithmetic or a Cast.
bool follow_arithmetic(AxisLayout& layout, const Node& node, const SymbolicShapes& shapes,
                       const TraceThrough& through) {
  const Value* source = layout.steps.back().value;
  double factor = 1.0;
  double offset = 0.0;
  if (const auto scaling = scaling_of(node, shapes); through.scalars && scaling && scaling->value == source) {
    factor = scaling->factor;
  } else if (const auto shift = shift_of(node, shapes); through.shifts && shift && shift->value == source) {
    offset = shift->offset;
  } else if (!through.casts || !node.is("Cast") || node.input(0) != source) {
    return false;
  }
  for (LayoutStep& earlier : layout.steps) {
    earlier.factor *= factor;
    earlier.offset = earlier.offset * factor + offset;
  }
  LayoutStep step = layout.steps.back();
  step.factor = 1.0;
  step.offset = 0.0;
  step.value = node.output(0);
  layout.steps.push_back(std::move(step));
  return true;
}

}  // namespace

std::optional<std::vector<AtomGroup>> cut_atoms(AxisLayout& layout, const std::vector<AtomGroup>& axes,
                                                const SymbolicShape& sizes) {
  std::vector<std::size_t> rest;
  for (const AtomGroup& group : axes) rest.insert(rest.end(), group.begin(), group.end());
  std::vector<AtomGroup> result;
  std::size_t next = 0;
  for (SymbolicDim open : sizes) {
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
    layout.atoms.push_back({dim, std::nullopt, false});
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
  } else if (node.is("Reshape") || node.is("Flatten") || node.is("Squeeze") || node.is("Unsqueeze")) {
    AxisLayout changed = layout;
    auto axes = cut_atoms(changed, step.axes, *out);
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

std::optional<AxisLayout> trace_layout(Value* value, const SymbolicShapes& shapes,
                                       const TraceThrough& through) {
  std::vector<Value*> chain = {value};
  for (int i = 0; i < kMaxSteps && chain.back()->producer() != nullptr; ++i) {
    Value* source = moved_input(*chain.back()->producer(), shapes, through);
    if (source == nullptr || shapes.shape(source) == nullptr) break;
    chain.push_back(source);
  }
  auto layout = start_layout(chain.back(), shapes);
  if (!layout) return std::nullopt;
  for (std::size_t i = chain.size() - 1; i-- > 0;) {
    Value* output = chain[i];
    const Node& node = *output->producer();
    if (follow(*layout, node, shapes) || choose(*layout, node, output, shapes, through) ||
        follow_arithmetic(*layout, node, shapes, through) || spread(*layout, node, shapes, through))
      continue;
    layout = start_layout(output, shapes);  // the axes are lost here: begin anew
    if (!layout) return std::nullopt;
  }
  return layout;
}

}  // namespace tarmac
