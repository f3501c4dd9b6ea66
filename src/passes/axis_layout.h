// Where the axes of a value come from: followed back through Transpose, Reshape, Squeeze, Unsqueeze, the
// choice of one slice of an axis, and multiplication by a scalar.
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
};

/// A value on the way, and what its axes hold in terms of the atoms.
struct LayoutStep {
  Value* value = nullptr;
  std::vector<AtomGroup> axes;
  double factor = 1.0;  ///< what the traced value is multiplied by with respect to this one
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

/// As far back as the axes can be followed. `scalars`: also through Mul and Div by a scalar.
std::optional<AxisLayout> trace_layout(Value* value, const SymbolicShapes& shapes, bool scalars);

/// If `node` multiplies or divides one of its inputs by a scalar that does not change the shape: that input
/// and the factor.
struct Scaling {
  Value* value = nullptr;
  double factor = 1.0;
};
std::optional<Scaling> scaling_of(const Node& node, const SymbolicShapes& shapes);

}  // namespace tarmac
