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

/// The decomposed (x − mean)/√(variance + ε)·γ + β over trailing axes, as LayerNormalization (opset 17).
Status fuse_layer_norm(Model& model, PassContext& context);

/// The decomposed x/√(mean(x²) + ε)·γ over trailing axes, as RMSNormalization (opset 23).
Status fuse_rms_norm(Model& model, PassContext& context);

/// ½·x·(1 + erf(x/√2)) and its form with tanh, as Gelu (opset 20); for ONNX Runtime alone also as BiasGelu,
/// FastGelu and Gelu of com.microsoft.
Status fuse_gelu(Model& model, PassContext& context);

/// x·sigmoid(αx), as Swish (opset 24) or com.microsoft's QuickGelu.
Status fuse_swish(Model& model, PassContext& context);

/// x·HardSigmoid(x) and x·min(max(x + 3, 0), 6)/6, as HardSwish (opset 14); without x·, as HardSigmoid.
Status fuse_hard_swish(Model& model, PassContext& context);

/// LayerNormalization of a sum of embeddings, as com.microsoft's EmbedLayerNormalization. Where Gather counts
/// negative ids from the end, that operator refuses them.
Status fuse_embed_layer_norm(Model& model, PassContext& context);

/// LayerNormalization or RMSNormalization of a sum, as com.microsoft's SkipLayerNormalization or
/// SkipSimplifiedLayerNormalization.
Status fuse_skip_layer_norm(Model& model, PassContext& context);

/// softmax(scale · Q·Kᵀ + mask)·V into MultiHeadAttention of the domain com.microsoft where the targets take
/// it and there are many keys (ContribOperators.md of ONNX Runtime); the rest stays for fuse_attention.
Status fuse_multi_head_attention(Model& model, PassContext& context);

/// softmax(scale · Q·Kᵀ + mask)·V into Attention (opset 23): over projections [B, S, H·D] where the Reshapes
/// and Transposes around it split and join the heads, else over 4-D tensors. Rows that the mask leaves
/// nothing of give NaN before and zeros after.
Status fuse_attention(Model& model, PassContext& context);

/// Merges nodes that compute the same from the same inputs, and initializers with the same content.
Status eliminate_common_subexpressions(Model& model, PassContext& context);

/// Removes nodes, initializers and functions that nothing reads.
Status eliminate_dead_code(Model& model, PassContext& context);

/// Takes the model to the opset that a fusion of this round wanted (context.wanted_opset), where the targets
/// still run every node then; else the model stays and the reason is in context.declined.
Status upgrade_opset(Model& model, PassContext& context);

}  // namespace tarmac
