// Where the axes of a value come from: followed back through Transpose, Reshape, Squeeze, Unsqueeze, the
// choice of one slice of an axis, and arithmetic with scalars.
#pragma once

#include <optional>
#include <vector>

#include "passes/symbolic_shape.h"

namespace tarmac {

/// Indices into AxisLayout::atoms, outermost first; an axis of size 1 has none.
using AtomGroup = std::vector<std::size_t>;

/// An indivisible part of an axis: in x[S, H·D] → [S, H, D] the atoms are S, H and D.
struct AxisAtom {
  SymbolicDim size;
  std::optional<std::int64_t> chosen;  ///< the one index of it that the traced value holds
  bool spread = false;                 ///< repeats what it stands beside: the farthest source lacks it
};

/// A value on the way, and what its axes hold in terms of the atoms.
struct LayoutStep {
  Value* value = nullptr;
  std::vector<AtomGroup> axes;
  double factor = 1.0;  ///< the traced value is factor · this one + offset
  double offset = 0.0;
};

/// What else than pure movement of data a trace goes through.
struct TraceThrough {
  bool choices = true;   ///< the choice of one slice of an axis
  bool scalars = false;  ///< Mul and Div by a scalar
  bool shifts = false;   ///< Add and Sub of a scalar
  bool blocks = false;   ///< the choice of one of several equal parts of an axis, such as [:, :2] of 4
  bool casts = false;    ///< Cast from one float type to another
  bool spreads = false;  ///< Expand
};

struct AxisLayout {
  std::vector<AxisAtom> atoms;
  std::vector<LayoutStep> steps;  ///< from the farthest source to the value itself, which is the last
  /// A group as one size.
  [[nodiscard]] SymbolicDim size(const AtomGroup& group) const;
};

/// Applies one Transpose, Reshape, Squeeze, Unsqueeze or Identity to the last step: appends its output.
/// False, and nothing changed, where the axes cannot be followed.
bool follow(AxisLayout& layout, const Node& node, const SymbolicShapes& shapes);

/// A layout whose only step is `value`, one atom an axis. Nothing where the rank is unknown.
std::optional<AxisLayout> start_layout(Value* value, const SymbolicShapes& shapes);

/// As far back as the axes can be followed.
std::optional<AxisLayout> trace_layout(Value* value, const SymbolicShapes& shapes,
                                       const TraceThrough& through);

/// Cuts atoms in row-major order into axes of these sizes, and atoms in two where that needs it. Nothing
/// where they do not fit for certain; the layout may have been refined then.
std::optional<std::vector<AtomGroup>> cut_atoms(AxisLayout& layout, const std::vector<AtomGroup>& axes,
                                                const SymbolicShape& sizes);

/// If `node` multiplies or divides one of its inputs by a scalar that does not change the shape: that input
/// and the factor.
struct Scaling {
  Value* value = nullptr;
  double factor = 1.0;
};
std::optional<Scaling> scaling_of(const Node& node, const SymbolicShapes& shapes);

}  // namespace tarmac
