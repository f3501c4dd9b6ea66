#include "passes/deformable_attention_inputs.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "passes/lift.h"
#include "passes/region.h"
#include "passes/rewrite.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

/// Sizes of levels, as constants beside offsets, are small.
constexpr std::int64_t kMaxNormalizer = 4096;

bool contains(const AtomGroup& group, std::size_t atom) {
  return std::find(group.begin(), group.end(), atom) != group.end();
}

bool contains_all(const AtomGroup& group, const AtomGroup& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](std::size_t atom) { return contains(group, atom); });
}

AtomGroup flattened(const std::vector<AtomGroup>& axes) {
  AtomGroup all;
  for (const AtomGroup& group : axes) all.insert(all.end(), group.begin(), group.end());
  return all;
}

/// `atoms` that are not among `others`.
AtomGroup without(const AtomGroup& atoms, const AtomGroup& others) {
  AtomGroup rest;
  for (const std::size_t atom : atoms) {
    if (!contains(others, atom)) rest.push_back(atom);
  }
  return rest;
}

std::optional<std::vector<LetterAxis>> letters_of(const LetteredLayout& letters, const LayoutStep& step) {
  std::vector<LetterAxis> axes;
  for (const AtomGroup& group : step.axes) {
    auto axis = letters.axis(group);
    if (!axis) return std::nullopt;
    axes.push_back(*std::move(axis));
  }
  return axes;
}

/// Whether these are the inner part of the batch, or nothing: then one entry serves several in turn.
bool is_inner_batch(const LetteredLayout& letters, const AtomGroup& atoms) {
  const AtomGroup batch = letters.atoms("B");
  return atoms.size() <= batch.size() &&
         contains_all(AtomGroup(batch.end() - static_cast<std::ptrdiff_t>(atoms.size()), batch.end()), atoms);
}

/// Whether `value` is computed from one of the result's steps.
bool depends_on(const Value& value, const LetteredLayout& result) {
  std::vector<const Value*> open = {&value};
  std::set<const Value*> seen;
  while (!open.empty()) {
    const Value* next = open.back();
    open.pop_back();
    if (!seen.insert(next).second) continue;
    for (const LayoutStep& step : result.steps()) {
      if (step.value == next) return true;
    }
    if (next->producer() == nullptr) continue;
    for (const Value* input : next->producer()->inputs()) {
      if (input != nullptr) open.push_back(input);
    }
  }
  return false;
}

/// Locations that are a sum of references, broadcast, and offsets.
class ReferenceMatcher {
 public:
  ReferenceMatcher(const DeformableAttention& found, const SymbolicShapes& shapes, const LayoutStep& step)
      : found_(found), shapes_(shapes), letters_(found.sampling), step_(step) {}

  std::optional<AttentionReference> run(Value* references, Value* moved) {
    const auto present = present_atoms(moved);
    if (!present || !read_form(references)) return std::nullopt;
    const AtomGroup absent = without(flattened(step_.axes), *present);
    if (!is_inner_batch(letters_, absent)) return std::nullopt;
    offsets_spread_ = !absent.empty();
    if (found_reference_.form == ReferenceForm::kLevels && absent.empty() && !references_spread_ &&
        take_boxes(references, moved)) {
      found_reference_.form = ReferenceForm::kBoxes;
      return found_reference_;
    }
    if (!take_offsets(moved) || !take_points(references)) return std::nullopt;
    found_reference_.offsets.spread |= offsets_spread_;
    found_reference_.references.spread |= references_spread_;
    return found_reference_;
  }

 private:
  /// The atoms of the locations that an operand has which is broadcast to them.
  [[nodiscard]] std::optional<AtomGroup> present_atoms(const Value* operand) const {
    const SymbolicShape* shape = shapes_.shape(operand);
    const std::size_t rank = step_.axes.size();
    if (shape == nullptr || shape->size() > rank) return std::nullopt;
    AtomGroup present;
    for (std::size_t i = 0; i < rank; ++i) {
      const bool there = i + shape->size() >= rank;
      const SymbolicDim size = there ? (*shape)[i + shape->size() - rank] : SymbolicDim::of(1);
      if (size == letters_.layout().size(step_.axes[i])) {
        present.insert(present.end(), step_.axes[i].begin(), step_.axes[i].end());
      } else if (!size.is(1)) {
        return std::nullopt;
      }
    }
    return present;
  }

  /// Along which axes the references differ: those of the levels, or of the inner points of each level.
  bool read_form(const Value* references) {
    const auto found = present_atoms(references);
    if (!found) return false;
    const AtomGroup& present = *found;
    const AtomGroup absent = without(letters_.atoms("BQX"), present);
    const AtomGroup always = without(letters_.atoms("BQX"), absent);
    if (!is_inner_batch(letters_, absent)) return false;
    references_spread_ = !absent.empty();
    const AtomGroup levels = letters_.atoms("L");
    if (contains_all(present, levels) && present.size() == always.size() + levels.size()) {
      found_reference_.form = ReferenceForm::kLevels;
      return true;
    }
    const AtomGroup points = letters_.atoms("P");
    if (present.size() <= always.size() || present.size() > always.size() + points.size()) return false;
    const auto own_atoms = static_cast<std::ptrdiff_t>(present.size() - always.size());
    const AtomGroup own(points.end() - own_atoms, points.end());
    const SymbolicDim count = letters_.layout().size(own);
    if (!contains_all(present, own) || !count.known()) return false;
    found_reference_.form = ReferenceForm::kPoints;
    found_reference_.count = count.factor();
    return true;
  }

  /// The axes of an operand that is broadcast to the locations.
  [[nodiscard]] std::optional<std::vector<LetterAxis>> spread_axes(const Value* operand) const {
    const SymbolicShape& shape = *shapes_.shape(operand);
    const auto all = letters_of(letters_, step_);
    if (!all) return std::nullopt;
    std::vector<LetterAxis> axes(all->end() - static_cast<std::ptrdiff_t>(shape.size()), all->end());
    for (std::size_t i = 0; i < shape.size(); ++i) {
      if (shape[i].is(1)) axes[i].clear();
    }
    return axes;
  }

  /// References as [B, Q, L or R, 2].
  bool take_points(Value* references) {
    const auto axes = spread_axes(references);
    if (!axes) return false;
    const auto traced =
        LetteredLayout::make(trace_layout(references, shapes_, {.casts = true, .spreads = true}), *axes);
    if (!traced || !traced->chosen().empty()) return false;
    const bool by_points = found_reference_.form == ReferenceForm::kPoints;
    found_reference_.references = LiftOperand::closest(*traced, {"B", "Q", by_points ? "P" : "L", "X"});
    return true;
  }

  /// moved = offsets / (W_l, H_l)
  bool take_offsets(Value* moved) {
    const auto axes = spread_axes(moved);
    if (!axes) return false;
    const auto traced =
        LetteredLayout::make(trace_layout(moved, shapes_, {.casts = true, .spreads = true}), *axes);
    if (!traced || !traced->chosen().empty()) return false;
    const LayoutStep& front = traced->steps().front();
    const AtomGroup absent = without(flattened(traced->steps().back().axes), flattened(front.axes));
    if (!is_inner_batch(*traced, absent)) return false;
    offsets_spread_ |= !absent.empty();
    const Node* node = front.value->producer();
    if (node == nullptr || (!node->is("Div") && !node->is("Mul"))) return false;
    const bool divides = node->is("Div");
    for (std::size_t side = divides ? 1 : 0; side < 2; ++side) {
      Value* offsets = node->input(1 - side);
      const SymbolicShape* shape = shapes_.shape(offsets);
      if (shape == nullptr || !(*shape == *shapes_.shape(front.value))) continue;
      const auto scale = normalizer_scale(*traced, front, node->input(side), divides);
      if (!scale || !place_offsets(*traced, front, offsets)) continue;
      found_reference_.offsets.scale = *scale;
      return true;
    }
    return false;
  }

  /// `offsets` has the axes of `step`; further back may be a form closer to the operator's.
  bool place_offsets(const LetteredLayout& letters, const LayoutStep& step, Value* offsets) {
    const auto axes = letters_of(letters, step);
    if (!axes) return false;
    const auto behind =
        LetteredLayout::make(trace_layout(offsets, shapes_, {.casts = true, .spreads = true}), *axes);
    if (!behind || !behind->chosen().empty()) return false;
    found_reference_.offsets = LiftOperand::closest(*behind, {"B", "Q", "M", "L", "P", "X"});
    return true;
  }

  /// s where a constant beside the offsets is (W_l, H_l) / s, or one over that.
  [[nodiscard]] std::optional<double> normalizer_scale(const LetteredLayout& letters, const LayoutStep& step,
                                                       const Value* value, bool divides) const {
    const Tensor* tensor = constant_of(value);
    const AtomGroup levels = letters.atoms("L");
    const AtomGroup coordinates = letters.atoms("X");
    if (tensor == nullptr || tensor->count() == 0 || tensor->count() > kMaxNormalizer ||
        !is_floating_point(tensor->dtype()) || tensor->shape().size() > step.axes.size() ||
        levels.size() > 1 || coordinates.size() != 1)
      return std::nullopt;
    const auto numbers = to_doubles(*tensor);
    if (!numbers) return std::nullopt;
    std::optional<double> scale;
    const auto count = static_cast<std::int64_t>(found_.levels.size());
    for (std::size_t element = 0; element < numbers->size(); ++element) {
      const auto level = levels.empty() ? 0 : index_of(letters, step, *tensor, element, levels.front());
      const auto coordinate = index_of(letters, step, *tensor, element, coordinates.front());
      if (!level || !coordinate) return std::nullopt;
      for (std::int64_t l = 0; l < count; ++l) {
        for (const std::int64_t c : {0, 1}) {
          if ((*level >= 0 && *level != l) || (*coordinate >= 0 && *coordinate != c)) continue;
          const AttentionLevel& of = found_.levels[static_cast<std::size_t>(l)];
          const auto size = static_cast<double>(c == 0 ? of.width : of.height);
          const double here = divides ? size / (*numbers)[element] : size * (*numbers)[element];
          if (!scale) scale = here;
          if (!std::isfinite(here) || !nearly(here, *scale, tensor->dtype())) return std::nullopt;
        }
      }
    }
    if (scale && nearly(*scale, 1.0, tensor->dtype())) scale = 1.0;
    return scale;
  }

  /// The index along `atom` of an element of a constant that is broadcast to `step`; -1: all indices.
  static std::optional<std::int64_t> index_of(const LetteredLayout& letters, const LayoutStep& step,
                                              const Tensor& tensor, std::size_t element, std::size_t atom) {
    const Shape& shape = tensor.shape();
    std::int64_t rest = static_cast<std::int64_t>(element);
    for (std::size_t k = shape.size(); k-- > 0;) {
      std::int64_t index = rest % shape[k];
      rest /= shape[k];
      const AtomGroup& group = step.axes[step.axes.size() - shape.size() + k];
      if (!contains(group, atom)) continue;
      if (shape[k] == 1) return -1;
      for (std::size_t a = group.size(); a-- > 0;) {
        const SymbolicDim& size = letters.layout().atoms[group[a]].size;
        if (!size.known()) return std::nullopt;
        if (group[a] == atom) return index % size.factor();
        index /= size.factor();
      }
    }
    return -1;
  }

  /// references = box[..:2], moved = offsets · box[2:..] · 0.5 / P
  bool take_boxes(Value* centres, Value* moved) {
    Region region(step_.value->graph());
    const Product product = take_product(moved, region);
    const SymbolicShape* of_centres = shapes_.shape(centres);
    const auto axes = spread_axes(centres);
    if (product.factors.size() != 2 || of_centres == nullptr || !axes) return false;
    for (const std::size_t side : {0U, 1U}) {
      const SymbolicShape* of_extents = shapes_.shape(product.factors[side]);
      Value* offsets = product.factors[1 - side];
      const SymbolicShape* of_offsets = shapes_.shape(offsets);
      if (of_extents == nullptr || of_offsets == nullptr || !(*of_extents == *of_centres) ||
          !(*of_offsets == *shapes_.shape(step_.value)))
        continue;
      const auto first = boxes_behind(centres, *axes, 0);
      const auto second = boxes_behind(product.factors[side], *axes, 1);
      if (!first || !second) continue;
      const std::vector<std::string> wanted = {"B", "Q", "L", "KX"};
      const LiftOperand boxes = LiftOperand::closest(*first, wanted);
      const LiftOperand same = LiftOperand::closest(*second, wanted);
      if (boxes.value == nullptr || boxes.value != same.value ||
          first->form({boxes.value, boxes.axes}) != second->form({same.value, same.axes}) ||
          !place_offsets(letters_, step_, offsets))
        continue;
      found_reference_.references = boxes;
      found_reference_.offsets.scale = product.scale * 2.0 * static_cast<double>(found_.points);
      return true;
    }
    return false;
  }

  /// The boxes [.., 4] of which `half` is the half number `number`.
  [[nodiscard]] std::optional<LetteredLayout> boxes_behind(Value* half, const std::vector<LetterAxis>& axes,
                                                           std::int64_t number) const {
    auto traced = LetteredLayout::make(trace_layout(half, shapes_, {.blocks = true, .casts = true}), axes);
    if (!traced || traced->chosen().size() != 1) return std::nullopt;
    const std::size_t chosen = traced->chosen().front();
    const AxisAtom& atom = traced->layout().atoms[chosen];
    if (!atom.size.is(2) || atom.chosen != number) return std::nullopt;
    traced->set_letter(chosen, 'K');
    return traced;
  }

  const DeformableAttention& found_;
  const SymbolicShapes& shapes_;
  const LetteredLayout& letters_;
  const LayoutStep& step_;  ///< the locations
  bool offsets_spread_ = false;
  bool references_spread_ = false;
  AttentionReference found_reference_;
};

}  // namespace

LiftOperand LiftOperand::closest(const LetteredLayout& letters, const std::vector<std::string>& wanted,
                                 DType dtype) {
  LiftOperand operand;
  operand.wanted = axes_of_letters(letters, wanted);
  operand.layout = letters.layout();
  const LayoutStep* step = nullptr;
  std::vector<AtomGroup> before_spread = operand.wanted;
  AtomGroup& batch = before_spread.front();
  while (!batch.empty() && letters.layout().atoms[batch.back()].spread) batch.pop_back();
  if (before_spread != operand.wanted) step = closest_step(letters.layout(), before_spread, 0, dtype);
  if (step != nullptr) {
    operand.wanted = std::move(before_spread);
    operand.spread = true;
  } else {
    step = closest_step(letters.layout(), operand.wanted, 0, dtype);
  }
  if (step == nullptr) return operand;
  operand.value = step->value;
  operand.axes = step->axes;
  return operand;
}

std::optional<LiftOperand> take_softmax(const DeformableAttention& found, const SymbolicShapes& shapes) {
  const LetteredLayout& letters = found.weights;
  const LayoutStep& front = letters.steps().front();
  const Node* softmax = front.value->producer();
  if (softmax == nullptr || !softmax->is("Softmax") || reader_besides_shapes(*front.value) == nullptr)
    return std::nullopt;
  const auto axis = axis_index(softmax->attribute_or<std::int64_t>("axis", -1), front.axes.size());
  if (!axis || !is_float_up_to_32(softmax->input(0)->type)) return std::nullopt;
  const AtomGroup& over = front.axes[*axis];
  const AtomGroup summed = letters.atoms("LP");
  if (over.size() != summed.size() || !contains_all(over, summed)) return std::nullopt;
  // What the weights have and the softmax does not was repeated behind it.
  const AtomGroup absent = without(flattened(letters.steps().back().axes), flattened(front.axes));
  const auto axes = letters_of(letters, front);
  if (!is_inner_batch(letters, absent) || !axes) return std::nullopt;
  const auto behind = LetteredLayout::make(
      trace_layout(softmax->input(0), shapes, {.choices = false, .spreads = true}), *axes);
  if (!behind) return std::nullopt;
  LiftOperand logits = LiftOperand::closest(*behind, {"B", "Q", "M", "L", "P"});
  logits.spread = logits.spread || !absent.empty();
  return logits;
}

std::optional<AttentionReference> take_reference(const DeformableAttention& found,
                                                 const SymbolicShapes& shapes) {
  const auto& steps = found.sampling.steps();
  const auto step = std::find_if(steps.begin(), steps.end(), [&](const LayoutStep& one) {
    return holds_locations(one, found.from_grid);
  });
  const Node* add = step == steps.end() ? nullptr : step->value->producer();
  if (add == nullptr || !add->is("Add")) return std::nullopt;
  for (const std::size_t side : {0U, 1U}) {
    if (auto reference = ReferenceMatcher(found, shapes, *step).run(add->input(side), add->input(1 - side)))
      return reference;
  }
  return std::nullopt;
}

std::optional<AttentionMask> take_mask(const DeformableAttention& found, const SymbolicShapes& shapes) {
  const LayoutStep& last = found.result.steps().back();
  Node* product = reader_besides_shapes(*last.value);
  if (product == nullptr || !product->is("Mul") || &product->graph() != &last.value->graph())
    return std::nullopt;
  Value* factor = product->input(product->input(0) == last.value ? 1 : 0);
  const SymbolicShape* shape = shapes.shape(factor);
  if (factor == last.value || shape == nullptr || shape->size() > last.axes.size()) return std::nullopt;
  // Each axis of it is that of the result, of batch and queries, or 1, of channels.
  const std::size_t added = last.axes.size() - shape->size();
  std::vector<LetterAxis> axes;
  for (std::size_t i = 0; i < last.axes.size(); ++i) {
    auto letters = found.result.axis(last.axes[i]);
    if (!letters) return std::nullopt;
    const bool spread = i < added || (*shape)[i - added].is(1);
    if (!spread && !((*shape)[i - added] == found.result.layout().size(last.axes[i]))) return std::nullopt;
    for (LetterPart& part : *letters) {
      if (part.letter == 'N') part.letter = 'B';
      const bool channels = part.letter != 'B' && part.letter != 'Q';
      if (channels != spread && part.size && !part.size->is(1)) return std::nullopt;
    }
    if (i >= added) axes.push_back(spread ? LetterAxis{} : *std::move(letters));
  }
  const auto traced = LetteredLayout::make(trace_layout(factor, shapes, {}), axes);
  if (!traced || !traced->chosen().empty()) return std::nullopt;
  const LayoutStep& front = traced->steps().front();
  const Node* cast = front.value->producer();
  if (cast == nullptr || !cast->is("Cast") || cast->input(0)->type.dtype != DType::kBool ||
      depends_on(*cast->input(0), found.result))
    return std::nullopt;
  AttentionMask mask;
  mask.product = product->output(0);
  mask.result = last.value;
  mask.mask.value = cast->input(0);
  mask.mask.axes = front.axes;
  mask.mask.layout = traced->layout();
  mask.mask.wanted = axes_of_letters(*traced, {"B", "Q"});
  return mask;
}

}  // namespace tarmac
