// Proof that a model is strongly typed ONNX: no operator gets or gives a type that its schema does not let.
#pragma once

#include "graph/graph.h"

namespace tarmac {

/// Checks every node that onnx has a schema for, nested graphs included: each tensor's dtype is one of its
/// slot's, slots of one type variable have one dtype, both sides of the border of If and Loop agree; and what
/// onnx's inference finds from the inputs alone are the dtypes that the values carry. Types that are not
/// known are passed over. Errors: kInternal with the node and the types.
Status check_strong_types(const Model& model);

}  // namespace tarmac
