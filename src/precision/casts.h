// Cast nodes between a value and what reads it.
#pragma once

#include <vector>

#include "graph/graph.h"

namespace tarmac {

/// A Cast of `value` to `dtype` right behind it (before the first node, for an input or initializer), for the
/// given readers.
Value& cast_for_readers(Value& value, DType dtype, const std::vector<Use>& readers);

/// Makes a model input that is float32 be of `dtype`, with a Cast to float32 for its readers. A default value
/// is converted.
Status cast_behind_input(Value& input, DType dtype);

/// Makes output `i` of the graph be of `dtype`, by a Cast. The output keeps its name; the value before the
/// cast gets another. For values that a node produces.
void cast_output(Graph& graph, std::size_t i, DType dtype);

/// Removes every Cast, in nested graphs too, of a value to the type that it has. Returns how many. One
/// between an input or weight and an output stays, because both names do.
std::size_t remove_needless_casts(Graph& graph);

}  // namespace tarmac
