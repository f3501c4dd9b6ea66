// The passes; one file each. Numerics: fuse_* change results by rounding only, the others not at all.
#pragma once

#include "passes/pass.h"

namespace tarmac {

/// Replaces calls of local functions by their bodies, but for those that the targets have a kernel for
/// (context.support; without it all).
Status inline_functions(Model& model, PassContext& context);

/// Removes nodes that pass a value on unchanged: Identity, Dropout at inference; Cast, Transpose, Reshape,
/// Pad, Slice, Gather, Expand, Tile, Concat, pooling, reductions and the like where they move nothing;
/// neutral elements; Where with a constant condition; Relu of what is not negative, Not of Not.
Status eliminate_no_ops(Model& model, PassContext& context);

/// Arithmetic with the sizes of tensors: what types say already becomes a constant, also where other sizes
/// are not known yet (Shape, Gather, Slice, Concat, Reshape with one open size, Expand, Resize). Wants
/// inferred types.
Status fold_shape_computations(Model& model, PassContext& context);

/// Removes an Expand whose readers broadcast by themselves to the same shape.
Status eliminate_expands(Model& model, PassContext& context);

/// Cast after a Cast that lost nothing casts from the source; CastLike to a known type becomes Cast.
Status merge_casts(Model& model, PassContext& context);

/// Transpose after Transpose, elementwise nodes in between or not, becomes one or none.
Status merge_transposes(Model& model, PassContext& context);

/// Chains of Squeeze and Unsqueeze become one node or none; after a reduction or a Gather of one index they
/// become its keepdims or the rank of the index.
Status merge_squeezes(Model& model, PassContext& context);

/// Chains of Reshape, Flatten, Squeeze and Unsqueeze become one Reshape; a computed shape becomes a constant
/// where only one size is open, or the open ones are those of the input.
Status merge_reshapes(Model& model, PassContext& context);

/// Slice of Slice becomes one Slice.
Status merge_slices(Model& model, PassContext& context);

/// Concat of Concats along the same axis, of all pieces of one value (Split, Slice), of neighbouring Gathers
/// from one value, of empty inputs: joins the sources directly. Slice of one input of a Concat reads that.
Status merge_concats(Model& model, PassContext& context);

/// Relu and Clip after Relu or Clip become one.
Status merge_clips(Model& model, PassContext& context);

/// Pad of Pad becomes one; padding by zeros goes into Conv, into AveragePool that counts it, and into MaxPool
/// of what is not negative.
Status merge_pads(Model& model, PassContext& context);

/// Resize: computed sizes become constant scales where they are whole multiples of the input's; unused inputs
/// are dropped; repetition by a whole factor is written as asymmetric and floor; Resize and Upsample
/// to the same size are removed.
Status normalize_resize(Model& model, PassContext& context);

/// MatMul of matrices (rank 2) and Add become Gemm; Transpose of an operand becomes Gemm's transA or transB.
/// Matrices only: there a Gemm is as fast as MatMul and Add on ONNX Runtime and OpenVINO, and one node less;
/// around more axes it takes two Reshapes, which cost more than the Add, and the engines fuse that
/// themselves.
Status fuse_matmul_add(Model& model, PassContext& context);

/// Add, Sub, Mul and Div by constants, one number per channel, move into weights and bias of the Conv,
/// ConvTranspose or Gemm before them, or of the Conv behind them (Add and Sub only where that does not pad).
Status fuse_scale_bias(Model& model, PassContext& context);

/// x·a·b becomes x·(ab), likewise for sums, differences and quotients; small constants only.
Status fuse_constant_arithmetic(Model& model, PassContext& context);

/// Computes what depends on constants only. Constant nodes become initializers. DequantizeLinear stays: it is
/// how stored INT8 weights are told from float ones.
Status fold_constants(Model& model, PassContext& context);

/// BatchNormalization (inference form) moves into the weights of the Conv, ConvTranspose, Gemm or MatMul
/// before it: W' = W·γ/√(σ²+ε), b' = (b−μ)·γ/√(σ²+ε) + β, per output channel; or of the Conv without padding
/// behind it.
Status fuse_conv_bn(Model& model, PassContext& context);

/// GridSample of each level, weights and their sum, as PyTorch's exporters write multi-scale deformable
/// attention (Deformable DETR, mmcv, BEVFormer, RT-DETRv2), as one MultiScaleDeformableAttention (ops/),
/// where the targets run it; with the softmax, the reference points and the mask where they fit. Declined
/// with the reason where maps are sampled and added up in another way.
Status lift_deformable_attention(Model& model, PassContext& context);

/// ONNX's DeformConv as DeformConv2d (ops/) where the targets run that.
Status lift_deform_conv(Model& model, PassContext& context);

/// Rows, or depth times features, added up in the cells of a map of zeros (Lift-Splat-Shoot, BEVDet), as
/// BevPool (ops/). Declined where an exporter lost the sum.
Status lift_bev_pool(Model& model, PassContext& context);

/// Features of pillars written to a map of zeros at y·W + x of their coordinates (PointPillars), as
/// PillarScatter (ops/). Pillars outside the map, which ONNX leaves undefined, are left out.
Status lift_pillar_scatter(Model& model, PassContext& context);

/// The custom nodes of mmcv, mmdeploy, BEVFormer's and BEVDet's TensorRT projects and CUDA-PointPillars as
/// the driving operator, or the operator of ONNX, that does the same; declined with the reason where none
/// does.
Status adopt_custom_operators(Model& model, PassContext& context);

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
