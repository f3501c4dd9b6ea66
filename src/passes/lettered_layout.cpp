#include "passes/lettered_layout.h"

#include <algorithm>

#include "passes/rewrite.h"

namespace tarmac {
namespace {

AtomGroup flattened(const std::vector<AtomGroup>& axes) {
  AtomGroup all;
  for (const AtomGroup& group : axes) all.insert(all.end(), group.begin(), group.end());
  return all;
}

AtomGroup sorted(AtomGroup atoms) {
  std::sort(atoms.begin(), atoms.end());
  return atoms;
}

/// The constant that reshapes `from` to `to`; nothing where two sizes stay open.
std::optional<std::vector<std::int64_t>> target_shape(const SymbolicShape& from, const SymbolicShape& to) {
  std::vector<std::int64_t> target;
  bool open = false;
  for (std::size_t i = 0; i < to.size(); ++i) {
    if (to[i].known()) {
      target.push_back(to[i].factor());
    } else if (i < from.size() && from[i] == to[i]) {
      target.push_back(0);
    } else if (!open) {
      open = true;
      target.push_back(-1);
    } else {
      return std::nullopt;
    }
  }
  // Beside an open size, or as a copy, a zero would mean something else.
  for (const SymbolicDim& dim : to) {
    if (dim.is(0)) return std::nullopt;
  }
  return target;
}

SymbolicShape sizes_of(const AxisLayout& layout, const std::vector<AtomGroup>& axes) {
  SymbolicShape sizes;
  for (const AtomGroup& group : axes) sizes.push_back(layout.size(group));
  return sizes;
}

}  // namespace

std::optional<LetteredLayout> LetteredLayout::make(std::optional<AxisLayout> layout,
                                                   const std::vector<LetterAxis>& axes) {
  if (!layout || layout->steps.back().axes.size() != axes.size()) return std::nullopt;
  LetteredLayout result;
  result.layout_ = *std::move(layout);
  result.lettered_ = result.layout_.steps.size() - 1;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    SymbolicDim rest = result.layout_.size(result.layout_.steps.back().axes[i]);
    std::size_t open = 0;
    for (const LetterPart& part : axes[i]) {
      if (!part.size) {
        ++open;
        continue;
      }
      const auto divided = rest.divided_by(*part.size);
      if (!divided) return std::nullopt;
      rest = *divided;
    }
    if (open > 1 || (open == 0 && !rest.is(1))) return std::nullopt;
    SymbolicShape sizes;
    for (const LetterPart& part : axes[i]) sizes.push_back(part.size ? *part.size : rest);
    const AtomGroup group = result.layout_.steps.back().axes[i];
    const auto parts = cut_atoms(result.layout_, {group}, sizes);
    if (!parts) return std::nullopt;
    for (std::size_t k = 0; k < parts->size(); ++k) {
      for (const std::size_t atom : (*parts)[k]) result.set_letter(atom, axes[i][k].letter, axes[i][k].place);
    }
  }
  return result;
}

void LetteredLayout::set_letter(std::size_t atom, char letter, std::size_t place) {
  if (letters_.size() <= atom) {
    letters_.resize(atom + 1, '\0');
    places_.resize(atom + 1, 0);
  }
  letters_[atom] = letter;
  places_[atom] = place;
}

AtomGroup LetteredLayout::atoms(std::string_view letters) const {
  AtomGroup result;
  const auto take = [&](char wanted, const LayoutStep& step) {
    const std::size_t before = result.size();
    for (const std::size_t atom : flattened(step.axes)) {
      if (letter(atom) == wanted) result.push_back(atom);
    }
    std::stable_sort(result.begin() + static_cast<std::ptrdiff_t>(before), result.end(),
                     [&](std::size_t a, std::size_t b) { return place(a) < place(b); });
    return result.size() > before;
  };
  for (const char wanted : letters) {
    if (take(wanted, layout_.steps[lettered_])) continue;
    // What was chosen is gone there.
    for (const LayoutStep& step : layout_.steps) {
      if (take(wanted, step)) break;
    }
  }
  return result;
}

std::vector<std::size_t> LetteredLayout::chosen() const {
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < layout_.atoms.size(); ++i) {
    if (layout_.atoms[i].chosen) result.push_back(i);
  }
  return result;
}

bool LetteredLayout::append(const Node& node, const SymbolicShapes& shapes) {
  if (node.is("Cast") && node.input(0) == layout_.steps.back().value) {
    LayoutStep step = layout_.steps.back();
    step.value = node.output(0);
    layout_.steps.push_back(std::move(step));
    return true;
  }
  const bool followed = follow(layout_, node, shapes);
  label_new_atoms();
  return followed;
}

void LetteredLayout::label_new_atoms() {
  char last = '\0';
  std::size_t place = 0;
  for (const std::size_t atom : flattened(layout_.steps.front().axes)) {
    // What was split keeps its index in the outer part.
    if (letter(atom) == '\0') set_letter(atom, last, place);
    last = letter(atom);
    place = this->place(atom);
  }
}

std::optional<LetterAxis> LetteredLayout::axis(const AtomGroup& group) const {
  LetterAxis result;
  std::size_t next = 0;  // place behind the atom before
  for (const std::size_t atom : group) {
    const char of_atom = letter(atom);
    if (of_atom == '\0') return std::nullopt;
    const SymbolicDim& size = layout_.atoms[atom].size;
    const AtomGroup same = atoms(std::string(1, of_atom));
    const auto place = static_cast<std::size_t>(std::find(same.begin(), same.end(), atom) - same.begin());
    if (!result.empty() && result.back().letter == of_atom && place == next) {
      result.back().size = result.back().size->times(size);
    } else {
      result.push_back({of_atom, size, place});
    }
    next = place + 1;
  }
  return result;
}

LetteredLayout::Form LetteredLayout::form(const LayoutStep& step) const {
  Form result;
  for (const AtomGroup& group : step.axes) {
    result.emplace_back();
    for (const std::size_t atom : group) {
      const AtomGroup same = atoms(std::string(1, letter(atom)));
      const auto at = std::find(same.begin(), same.end(), atom) - same.begin();
      result.back().emplace_back(letter(atom), static_cast<std::size_t>(at), layout_.atoms[atom].size);
    }
  }
  return result;
}

bool LetteredLayout::split(char letter, const SymbolicDim& size, char inner) {
  const AtomGroup group = atoms(std::string(1, letter));
  const auto outer = layout_.size(group).divided_by(size);
  if (!outer) return false;
  const auto parts = cut_atoms(layout_, {group}, {*outer, size});
  if (!parts) return false;
  for (const std::size_t atom : (*parts)[0]) set_letter(atom, letter, place(atom));
  for (const std::size_t atom : (*parts)[1]) set_letter(atom, inner);
  return true;
}

const LayoutStep* closest_step(const AxisLayout& layout, const std::vector<AtomGroup>& wanted,
                               std::size_t first, DType dtype) {
  const AtomGroup order = flattened(wanted);
  const AtomGroup all = sorted(order);
  const LayoutStep* complete = nullptr;
  const LayoutStep* ordered = nullptr;
  for (std::size_t i = first; i < layout.steps.size(); ++i) {
    const LayoutStep& step = layout.steps[i];
    if (dtype != DType::kUndefined && step.value->type.dtype != dtype) continue;
    if (step.axes == wanted) return &step;
    const AtomGroup found = flattened(step.axes);
    if (ordered == nullptr && found == order) ordered = &step;
    if (complete == nullptr && sorted(found) == all) complete = &step;
  }
  return ordered != nullptr ? ordered : complete;
}

Value* rearranged(Value* value, const std::vector<AtomGroup>& axes, const AxisLayout& layout,
                  const std::vector<AtomGroup>& wanted, Node& before, SymbolicShapes& shapes) {
  if (axes == wanted) return value;
  const AtomGroup from = flattened(axes);
  const AtomGroup to = flattened(wanted);
  if (sorted(from) != sorted(to)) return nullptr;
  Graph& graph = before.graph();
  struct Move {
    bool transposes = false;
    std::vector<std::int64_t> numbers;
    SymbolicShape shape;
  };
  std::vector<Move> moves;
  std::vector<AtomGroup> at = axes;
  const auto reshape_to = [&](const std::vector<AtomGroup>& target) {
    if (at == target) return true;
    const SymbolicShape shape = sizes_of(layout, target);
    const auto numbers = target_shape(sizes_of(layout, at), shape);
    if (numbers) moves.push_back({false, *numbers, shape});
    at = target;
    return numbers.has_value();
  };
  if (from != to) {
    std::vector<AtomGroup> single;
    for (const std::size_t atom : from) single.push_back({atom});
    // Where whole axes change places nothing needs to be split first.
    std::vector<AtomGroup> whole = axes;
    std::vector<AtomGroup> target = wanted;
    std::sort(whole.begin(), whole.end());
    std::sort(target.begin(), target.end());
    const bool splits = whole != target;
    if (splits && !reshape_to(single)) return nullptr;
    std::vector<AtomGroup> turned;
    if (splits) {
      for (const std::size_t atom : to) turned.push_back({atom});
    } else {
      turned = wanted;
    }
    std::vector<std::int64_t> permutation;
    std::vector<bool> taken(at.size(), false);
    for (const AtomGroup& group : turned) {
      for (std::size_t i = 0; i < at.size(); ++i) {
        if (taken[i] || at[i] != group) continue;
        taken[i] = true;
        permutation.push_back(static_cast<std::int64_t>(i));
        break;
      }
    }
    at = turned;
    moves.push_back({true, std::move(permutation), sizes_of(layout, turned)});
  }
  if (!reshape_to(wanted)) return nullptr;
  for (Move& move : moves) {
    const DType dtype = value->type.dtype;
    std::vector<Value*> inputs = {value};
    if (!move.transposes) inputs.push_back(&add_integers(graph, value->name() + "_shape", move.numbers));
    value = &graph.add_op(move.transposes ? "Transpose" : "Reshape", inputs, value->name() + "_arranged",
                          &before);
    if (move.transposes) value->producer()->attributes["perm"] = move.numbers;
    value->type = type_with_shape(dtype, move.shape);
    shapes.set(*value, move.shape);
  }
  return value;
}

Type type_with_shape(DType dtype, const SymbolicShape& shape) {
  std::vector<Dim> dims;
  for (const SymbolicDim& dim : shape) dims.push_back(dim.known() ? Dim::of(dim.factor()) : Dim{});
  return Type::tensor(dtype, std::move(dims));
}

}  // namespace tarmac
