// The passes; one file each. Numerics: fuse_* change results by rounding only, the others not at all.
#pragma once

#include "passes/pass.h"

namespace tarmac {

/// Replaces calls of local functions by their bodies, but for those that the targets have a kernel for
/// (context.support; without it all).
Status inline_functions(Model& model, PassContext& context);

/// Removes Identity, Dropout at inference, and Cast, Transpose, Reshape, Pad, Slice, Concat, Add 0, Mul 1 and
/// the like where they change nothing.
Status eliminate_no_ops(Model& model, PassContext& context);

/// Arithmetic with the sizes of tensors: what types say already becomes a constant, also where other sizes
/// are not known yet (Shape, Gather, Slice, Concat, Reshape with one open size, Expand, Resize). Wants
/// inferred types.
Status fold_shape_computations(Model& model, PassContext& context);

/// Computes what depends on constants only. Constant nodes become initializers. DequantizeLinear stays: it is
/// how stored INT8 weights are told from float ones.
Status fold_constants(Model& model, PassContext& context);

/// Conv or ConvTranspose followed by BatchNormalization (inference form):
/// W' = W·γ/√(σ²+ε), b' = (b−μ)·γ/√(σ²+ε) + β, per output channel.
Status fuse_conv_bn(Model& model, PassContext& context);

/// Merges nodes that compute the same from the same inputs, and initializers with the same content.
Status eliminate_common_subexpressions(Model& model, PassContext& context);

/// Removes nodes, initializers and functions that nothing reads.
Status eliminate_dead_code(Model& model, PassContext& context);

/// Takes the model to the opset that a fusion of this round wanted (context.wanted_opset), where the targets
/// still run every node then; else the model stays and the reason is in context.declined.
Status upgrade_opset(Model& model, PassContext& context);

}  // namespace tarmac
