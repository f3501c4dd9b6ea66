// The form of a model that TensorRT's parser takes.
#pragma once

#include <vector>

#include "passes/pass.h"

namespace tarmac::tensorrt {

/// Rewrites what the parser refuses and what has an equal form that it takes. Nothing changes what the model
/// computes:
/// - bytes: a Cast from uint8 goes before the operators that only move elements, since TensorRT has uint8 at
/// a model's inputs and
///   outputs only;
/// - stored int32 (the biases of a Q/DQ model): DequantizeLinear of them becomes its float32 result, s·q with
/// a scale s for
///   all or for each index of one axis; the parser takes no int32;
/// - 4-bit weights with every zero point at 8 (tarmac quantize --symmetric): uint4 q becomes int4 q − 8
/// without zero points. Types must be known (infer_shapes). What it cannot rewrite stays, and check() says
/// so. Returns what was done. Errors: kResourceExhausted.
Result<std::vector<Change>> emit(Model& model);

}  // namespace tarmac::tensorrt
