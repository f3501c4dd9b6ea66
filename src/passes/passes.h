// The passes; one file each. Numerics: fuse_* change results by rounding only, the others not at all.
#pragma once

#include "passes/pass.h"

namespace tarmac {

/// Replaces calls of local functions by their bodies (engines have no or partial support for functions).
Status inline_functions(Model& model, PassContext& context);

/// Removes Identity, Dropout at inference, and Cast, Transpose, Reshape, Pad, Slice, Concat, Add 0, Mul 1 and
/// the like where they change nothing.
Status eliminate_no_ops(Model& model, PassContext& context);

/// Computes what depends on constants only. Constant nodes become initializers. DequantizeLinear stays: it is
/// how stored INT8 weights are told from float ones.
Status fold_constants(Model& model, PassContext& context);

/// Conv or ConvTranspose followed by BatchNormalization (inference form):
/// W' = W·γ/√(σ²+ε), b' = (b−μ)·γ/√(σ²+ε) + β, per output channel.
Status fuse_conv_bn(Model& model, PassContext& context);

/// softmax(scale · Q·Kᵀ + mask)·V into MultiHeadAttention of the domain com.microsoft where the targets take it and
/// there are many keys (ContribOperators.md of ONNX Runtime); the rest stays for fuse_attention.
Status fuse_multi_head_attention(Model& model, PassContext& context);

/// softmax(scale · Q·Kᵀ + mask)·V into Attention (opset 23): over projections [B, S, H·D] where the Reshapes and
/// Transposes around it split and join the heads, else over 4-D tensors. Rows that the mask leaves nothing of give
/// NaN before and zeros after.
Status fuse_attention(Model& model, PassContext& context);

/// Merges nodes that compute the same from the same inputs, and initializers with the same content.
Status eliminate_common_subexpressions(Model& model, PassContext& context);

/// Removes nodes, initializers and functions that nothing reads.
Status eliminate_dead_code(Model& model, PassContext& context);

}  // namespace tarmac
