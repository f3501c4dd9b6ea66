// Layouts (axis_layout.h) whose atoms have the letters of an operator's shapes: what [B·M, D, H, W] is of the
// [B, S, M, D] that the operator takes, and the nodes that bring one into the form of the other.
#pragma once

#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "passes/axis_layout.h"

namespace tarmac {

/// A part of an axis; one part an axis may leave its size open: what the others leave.
struct LetterPart {
  char letter = 0;
  std::optional<SymbolicDim> size;
  std::size_t place = 0;  ///< among the parts of one letter, which may lie in several axes in another order
  bool operator==(const LetterPart&) const = default;
};
using LetterAxis = std::vector<LetterPart>;

class LetteredLayout {
 public:
  /// Gives the atoms of the last step letters. Nothing where the axes do not divide like that.
  static std::optional<LetteredLayout> make(std::optional<AxisLayout> layout,
                                            const std::vector<LetterAxis>& axes);

  [[nodiscard]] const AxisLayout& layout() const { return layout_; }
  [[nodiscard]] const std::vector<LayoutStep>& steps() const { return layout_.steps; }
  [[nodiscard]] char letter(std::size_t atom) const { return atom < letters_.size() ? letters_[atom] : '\0'; }
  /// The atoms of these letters, letter by letter, in the order of their places, then of the step that make()
  /// gave letters.
  [[nodiscard]] AtomGroup atoms(std::string_view letters) const;
  /// Atoms that got no letter because one index of them was chosen.
  [[nodiscard]] std::vector<std::size_t> chosen() const;
  [[nodiscard]] std::size_t place(std::size_t atom) const {
    return atom < places_.size() ? places_[atom] : 0;
  }
  void set_letter(std::size_t atom, char letter, std::size_t place = 0);
  /// Follows one more node; see follow(). Also a Cast.
  bool append(const Node& node, const SymbolicShapes& shapes);
  void append(LayoutStep step) { layout_.steps.push_back(std::move(step)); }
  /// An axis in letters, atoms of one letter together that follow each other there. Nothing where one has no
  /// letter.
  [[nodiscard]] std::optional<LetterAxis> axis(const AtomGroup& group) const;
  /// Letter, place among the atoms of that letter, and size of every atom of a step: equal for equal forms.
  using Form = std::vector<std::vector<std::tuple<char, std::size_t, SymbolicDim>>>;
  [[nodiscard]] Form form(const LayoutStep& step) const;
  /// Cuts the atoms of a letter so that the last ones make up `size`; these get `inner`.
  bool split(char letter, const SymbolicDim& size, char inner);

 private:
  void label_new_atoms();
  AxisLayout layout_;
  std::vector<char> letters_;
  std::vector<std::size_t> places_;  ///< for each atom that has a letter
  std::size_t lettered_ = 0;         ///< the step that make() gave letters
};

/// The step from `first` on that comes closest to `wanted`: the same axes, else the same order, else the
/// farthest that has all these atoms and no others. Null where none has. `dtype`: only steps of this type.
const LayoutStep* closest_step(const AxisLayout& layout, const std::vector<AtomGroup>& wanted,
                               std::size_t first = 0, DType dtype = DType::kUndefined);

/// `value`, with axes of these atoms, as a value whose axes are `wanted`: itself, or with Reshape and
/// Transpose put before `before`. Null where sizes that nobody knows are in the way; nothing was added then.
Value* rearranged(Value* value, const std::vector<AtomGroup>& axes, const AxisLayout& layout,
                  const std::vector<AtomGroup>& wanted, Node& before, SymbolicShapes& shapes);

/// A tensor type with the sizes that are known.
Type type_with_shape(DType dtype, const SymbolicShape& shape);

}  // namespace tarmac
