// What stands before and behind the core of deformable attention and goes into the operator as well: the
// softmax of the weights, the arithmetic from reference points and offsets to locations, the mask of unseen
// queries.
#pragma once

#include "passes/deformable_attention.h"

namespace tarmac {

/// A tensor, what its axes are, and what the operator wants them to be.
struct LiftOperand {
  Value* value = nullptr;
  std::vector<AtomGroup> axes;
  AxisLayout layout;
  std::vector<AtomGroup> wanted;
  double scale = 1.0;  ///< the operator wants the tensor times this

  /// The step of `letters`, of this type if one is given, that comes closest to the wanted axes.
  static LiftOperand closest(const LetteredLayout& letters, const std::vector<std::string>& wanted,
                             DType dtype = DType::kUndefined);
};

/// weights = Softmax(logits) over all levels and points of a query and head: the logits.
std::optional<LiftOperand> take_softmax(const DeformableAttention& found);

/// locations = references + scaled offsets: both.
struct AttentionReference {
  ReferenceForm form = ReferenceForm::kNone;
  std::int64_t count = 0;  ///< references a query with kPoints
  LiftOperand offsets;
  LiftOperand references;
};
std::optional<AttentionReference> take_reference(const DeformableAttention& found,
                                                 const SymbolicShapes& shapes);

/// result · mask with a mask [B, Q, 1] that was cast from booleans; `result` has the operator's own axes.
struct AttentionMask {
  Value* product = nullptr;
  LiftOperand mask;  ///< before the cast
};
std::optional<AttentionMask> take_mask(Value& result, const SymbolicShapes& shapes);

}  // namespace tarmac
