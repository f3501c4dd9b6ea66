// The decomposed form that LayerNorm and RMSNorm share, and the standard operators in its place.
#pragma once

#include "passes/region.h"

namespace tarmac {

/// γ · d / √(mean(d²) + ε), as Div or as Mul by a reciprocal, the root as Sqrt or Pow; γ may be multiplied
/// into the reciprocal. Casts between float types may stand anywhere inside.
struct NormalizedForm {
  Value* numerator = nullptr;  ///< d where it is divided
  Value* squared = nullptr;    ///< d where it is squared; the caller checks that both are the same
  Value* scale = nullptr;      ///< γ, null when there is none
  Node* mean = nullptr;        ///< the ReduceMean
  double epsilon = 0;
};
std::optional<NormalizedForm> take_normalized(Value* value, Region& region);

/// ε and what is squared in √(mean(d²) + ε), or in its reciprocal.
struct MeanSquare {
  Value* squared = nullptr;
  Node* mean = nullptr;
  double epsilon = 0;
};
std::optional<MeanSquare> take_root(Value* value, bool reciprocal, Region& region);

/// A ReduceMean that keeps its axes; null for others.
Node* take_mean(Value* value, Region& region);
/// The sorted, non-negative axes of a reduction; no value when they, or the rank they need, are not known.
std::optional<std::vector<std::int64_t>> reduced_axes(const Node& reduce);

/// `value` without the casts from a narrower float type in front of it.
const Value* before_widening(const Value* value);
/// Of `value` and what is cast to it from narrower float types: the one with `dtype`, or null.
Value* widened_from(Value* value, DType dtype);

/// What a fused node will compute from; `scale` null stands for ones.
struct Normalization {
  const char* op_type = nullptr;  ///< LayerNormalization or RMSNormalization
  std::int64_t since = 0;         ///< the opset that it came with
  Value* x = nullptr;
  Value* scale = nullptr;
  Value* bias = nullptr;
  const Node* mean = nullptr;
  double epsilon = 0;
};

/// Puts the operator in the place of the region when the axes are the trailing ones, sizes and types fit and
/// the targets run it. Returns whether it did. With `explain`, what could be fused otherwise is declined with
/// a reason.
Result<bool> emit_normalization(const Normalization& found, Node& root, Region& region, Model& model,
                                PassContext& context, bool explain);

}  // namespace tarmac
