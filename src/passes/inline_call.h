// Putting a body in place of the node that stands for it: local functions, and operators that ONNX defines by
// others.
#pragma once

#include <vector>

#include "graph/clone.h"
#include "graph/graph.h"

namespace tarmac {

/// Puts copies of `body`'s nodes before `call`, has the readers of the call's outputs read `results` (values
/// of `body`, one for each of them; null where the call leaves one out), and erases the call. `values` says
/// what stands for the values that the body reads from outside; null for an optional input that is left out.
/// Inner nodes with a name get the call's before it. Returns the new nodes, in order.
Result<std::vector<Node*>> splice(Node& call, const Graph& body, const std::vector<const Value*>& results,
                                  ValueMap values);

/// splice() of a local function's body, with the call's attributes, or the function's defaults, where the
/// body refers to them. Errors: kInvalidModel when the call has more inputs or outputs than the function.
Result<std::vector<Node*>> inline_call(Node& call, const Function& function);

/// Gives a Constant node that holds its numbers as value_int, value_floats and the like the tensor `value`
/// instead, which constant_of() reads.
void normalize_constant(Node& node);

}  // namespace tarmac
