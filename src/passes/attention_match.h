// The core of attention, softmax(scale · Q·Kᵀ + mask)·V, as exporters spell it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "passes/symbolic_shape.h"

namespace tarmac {

/// What is added to the scores [B, H, S, M].
struct AddedMask {
  Value* value = nullptr;
  /// Above 0: the value is [1, W, 1, S, M], added per window to the scores as [windows, W, H, S, M].
  std::int64_t windows = 0;
};

/// The tensor Transpose(value, permutation).
struct AttentionOperand {
  Value* value = nullptr;
  std::vector<std::int64_t> permutation;
};

/// Rank 4: Q [B, H, S, D], K [B, H, M, D], V [B, H, M, Dv]; rank 3 without the axis of heads.
struct AttentionCore {
  std::size_t rank = 0;
  AttentionOperand query, key, value;
  double scale = 1.0;             ///< > 0
  std::vector<AddedMask> added;   ///< masks and biases added to the scaled scores
  Value* keep = nullptr;          ///< boolean mask over the scores: what is false is left out
  bool keep_is_inverted = false;  ///< what is true is left out
  Value* scores = nullptr;        ///< Q·Kᵀ
  Value* result =
      nullptr;  ///< Transpose(o, result_permutation) for the operator's o, [B, H, S, Dv] or [B, S, Dv]
  std::vector<std::int64_t> result_permutation;
  int transposes = 0;  ///< that the match covers, so that a fusion removes them
};

/// Backwards and forwards from a Softmax. Nothing where it is no attention or something else reads what lies
/// between. `why`: set where it is attention that cannot be fused for a reason worth telling.
std::optional<AttentionCore> match_attention(const Node& softmax, const SymbolicShapes& shapes,
                                             std::int64_t opset, std::string& why);

/// The [B, Hkv, M, D] that `value`, [B, H, M, D], repeats for each group of query heads (grouped-query
/// attention); null where it does not.
Value* before_repetition(const Value& value, const SymbolicShapes& shapes);

}  // namespace tarmac
