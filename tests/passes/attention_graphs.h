// Attention as exporters write it, cut down to what the passes look at. All compute in opset 23, batch 2, 4
// heads of 8, 6 queries, 9 keys where nothing else is said.
#pragma once

#include <string>
#include <vector>

namespace tarmac::test {

/// A model of opset 23 around a graph's text.
inline std::string opset23(const std::string& graph) {
  return "<ir_version: 10, opset_import: [\"\" : 23]>\n" + graph;
}

/// PyTorch's scaled_dot_product_attention: the root of the scale, computed from a shape, on both sides.
inline constexpr const char* kTorchSdpa = R"(
g (float[b,4,s,8] q, float[b,4,m,8] k, float[b,4,m,8] v) => (float[b,4,s,8] y)
<int64[1] last = {-1}, int64[1] end = {9223372036854775807}, float[1] one = {1}> {
  dims = Shape (q)
  width = Slice (dims, last, end)
  real = Cast <to = 1> (width)
  root = Sqrt (real)
  scale = Div (one, root)
  half = Sqrt (scale)
  turned = Transpose <perm = [0, 1, 3, 2]> (k)
  q2 = Mul (q, half)
  k2 = Mul (turned, half)
  scores = MatMul (q2, k2)
  p = Softmax <axis = -1> (scores)
  y = MatMul (p, v)
})";

/// BERT with dynamic batch and length: sizes from Shape and Concat, K's two Transposes folded into one.
inline constexpr const char* kBert = R"(
g (float[b,s,32] q, float[b,s,32] k, float[b,s,32] v, float[b,1,1,s] mask) => (float[b,s,32] y)
<int64 i0 = {0}, int64 i1 = {1}, int64[1] a0 = {0}, int64[2] hd = {4, 8}, int64[1] e = {32}, float c = {2.828427}> {
  qd = Shape (q)
  qb = Gather (qd, i0)
  qs = Gather (qd, i1)
  qb1 = Unsqueeze (qb, a0)
  qs1 = Unsqueeze (qs, a0)
  split = Concat <axis = 0> (qb1, qs1, hd)
  q4 = Reshape (q, split)
  k4 = Reshape (k, split)
  v4 = Reshape (v, split)
  qt = Transpose <perm = [0, 2, 1, 3]> (q4)
  kt = Transpose <perm = [0, 2, 3, 1]> (k4)
  vt = Transpose <perm = [0, 2, 1, 3]> (v4)
  raw = MatMul (qt, kt)
  scores = Div (raw, c)
  masked = Add (scores, mask)
  p = Softmax <axis = -1> (masked)
  o = MatMul (p, vt)
  ot = Transpose <perm = [0, 2, 1, 3]> (o)
  od = Shape (ot)
  ob = Gather (od, i0)
  os = Gather (od, i1)
  ob1 = Unsqueeze (ob, a0)
  os1 = Unsqueeze (os, a0)
  join = Concat <axis = 0> (ob1, os1, e)
  y = Reshape (ot, join)
})";

/// timm's ViT: one projection for Q, K and V, taken apart by index; the scale on Q.
inline constexpr const char* kViT = R"(
g (float[2,6,96] qkv) => (float[2,6,32] y)
<int64[5] s5 = {2, 6, 3, 4, 8}, int64 i0 = {0}, int64 i1 = {1}, int64 i2 = {2}, float c = {0.35355338},
 int64[3] join = {2, 6, 32}> {
  x5 = Reshape (qkv, s5)
  xt = Transpose <perm = [2, 0, 3, 1, 4]> (x5)
  q = Gather <axis = 0> (xt, i0)
  k = Gather <axis = 0> (xt, i1)
  v = Gather <axis = 0> (xt, i2)
  qs = Mul (q, c)
  kt = Transpose <perm = [0, 1, 3, 2]> (k)
  scores = MatMul (qs, kt)
  p = Softmax <axis = -1> (scores)
  o = MatMul (p, v)
  ot = Transpose <perm = [0, 2, 1, 3]> (o)
  y = Reshape (ot, join)
})";

/// torch.nn.MultiheadAttention: length first, batch and heads in one axis, batch of unknown size.
inline constexpr const char* kTorchMha = R"(
g (float[6,b,96] qkv) => (float[n,32] y)
<int64[4] s4 = {0, 0, 3, 32}, int64[1] a0 = {0}, int64[1] a3 = {3}, int64 i0 = {0}, int64 i1 = {1}, int64 i2 = {2},
 int64[3] s3 = {6, -1, 8}, int64[2] join = {-1, 32}, float c = {0.35355338}> {
  x4 = Reshape (qkv, s4)
  x5 = Unsqueeze (x4, a0)
  xt = Transpose <perm = [3, 1, 2, 0, 4]> (x5)
  xs = Squeeze (xt, a3)
  q = Gather <axis = 0> (xs, i0)
  k = Gather <axis = 0> (xs, i1)
  v = Gather <axis = 0> (xs, i2)
  q3 = Reshape (q, s3)
  k3 = Reshape (k, s3)
  v3 = Reshape (v, s3)
  qt = Transpose <perm = [1, 0, 2]> (q3)
  kt = Transpose <perm = [1, 2, 0]> (k3)
  vt = Transpose <perm = [1, 0, 2]> (v3)
  qs = Mul (qt, c)
  scores = MatMul (qs, kt)
  p = Softmax <axis = -1> (scores)
  o = MatMul (p, vt)
  ot = Transpose <perm = [1, 0, 2]> (o)
  y = Reshape (ot, join)
})";

/// Swin's shifted windows: a bias per head, then a mask for each of 4 windows in a batch of 2 pictures.
inline constexpr const char* kSwin = R"(
g (float[8,4,6,8] q, float[8,4,6,8] k, float[8,4,6,8] v, float[1,4,6,6] bias, float[1,4,1,6,6] windows)
  => (float[8,4,6,8] y)
<int64[5] s5 = {2, 4, 4, 6, 6}, int64[4] s4 = {-1, 4, 6, 6}> {
  kt = Transpose <perm = [0, 1, 3, 2]> (k)
  scores = MatMul (q, kt)
  biased = Add (scores, bias)
  split = Reshape (biased, s5)
  masked = Add (split, windows)
  joined = Reshape (masked, s4)
  p = Softmax <axis = -1> (joined)
  y = MatMul (p, v)
})";

/// Grouped-query attention: 2 heads of K and V, each repeated for 2 heads of Q.
inline constexpr const char* kGroupedQuery = R"(
g (float[2,4,6,8] q, float[2,2,9,8] k, float[2,2,9,8] v) => (float[2,4,6,8] y)
<int64[1] a2 = {2}, int64[5] wide = {2, 2, 2, 9, 8}, int64[4] s4 = {2, 4, 9, 8}, float c = {0.35355338}> {
  k5 = Unsqueeze (k, a2)
  kw = Expand (k5, wide)
  kr = Reshape (kw, s4)
  v5 = Unsqueeze (v, a2)
  vw = Expand (v5, wide)
  vr = Reshape (vw, s4)
  kt = Transpose <perm = [0, 1, 3, 2]> (kr)
  raw = MatMul (q, kt)
  scores = Mul (raw, c)
  p = Softmax <axis = 3> (scores)
  y = MatMul (p, vr)
})";

/// Einsum, with heads left where the Reshape put them.
inline constexpr const char* kEinsum = R"(
g (float[2,6,32] q, float[2,9,32] k, float[2,9,32] v) => (float[2,6,32] y)
<int64[4] s4 = {2, -1, 4, 8}, int64[3] join = {2, 6, 32}, float c = {0.35355338}> {
  q4 = Reshape (q, s4)
  k4 = Reshape (k, s4)
  v4 = Reshape (v, s4)
  raw = Einsum <equation = "bqhd,bkhd->bhqk"> (q4, k4)
  scores = Mul (raw, c)
  p = Softmax <axis = -1> (scores)
  o = Einsum <equation = "bhqk, bkhd -> bqhd"> (p, v4)
  y = Reshape (o, join)
})";

/// YOLO's attention over channels-first maps: Vᵀ·Pᵀ, so that the result is channels-first again;
/// enough keys to be worth the Transposes.
inline constexpr const char* kChannelsFirst = R"(
g (float[2,4,8,6] q, float[2,4,8,1600] k, float[2,4,5,1600] v) => (float[2,4,5,6] y) {
  qt = Transpose <perm = [0, 1, 3, 2]> (q)
  scores = MatMul (qt, k)
  p = Softmax <axis = -1> (scores)
  pt = Transpose <perm = [0, 1, 3, 2]> (p)
  y = MatMul (v, pt)
})";

/// One head without an axis for it, as in non-local blocks.
inline constexpr const char* kOneHead = R"(
g (float[2,6,8] q, float[2,9,8] k, float[2,9,8] v) => (float[2,6,8] y) {
  kt = Transpose <perm = [0, 2, 1]> (k)
  scores = MatMul (q, kt)
  p = Softmax <axis = -1> (scores)
  y = MatMul (p, v)
})";

/// Rows that the mask leaves nothing of are made zeros after the Softmax.
inline constexpr const char* kGuarded = R"(
g (float[2,4,6,8] q, float[2,4,9,8] k, float[2,4,9,8] v, bool[6,9] keep) => (float[2,4,6,8] y)
<float none = {-inf}, float zero = {0}> {
  kt = Transpose <perm = [0, 1, 3, 2]> (k)
  raw = MatMul (q, kt)
  scores = Where (keep, raw, none)
  p = Softmax <axis = -1> (scores)
  bad = IsNaN (p)
  safe = Where (bad, zero, p)
  y = MatMul (safe, v)
})";

inline const std::vector<std::string>& attention_graphs() {
  static const std::vector<std::string> graphs = {
      kTorchSdpa, kBert, kViT, kTorchMha, kSwin, kGroupedQuery, kOneHead, kGuarded, kEinsum, kChannelsFirst};
  return graphs;
}

}  // namespace tarmac::test
