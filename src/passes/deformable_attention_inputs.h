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
  double scale = 1.0;   ///< the operator wants the tensor times this
  bool spread = false;  ///< its batch is smaller: one entry serves several of the value's in turn

  /// The step of `letters`, of this type if one is given, that comes closest to the wanted axes, of which the
  /// first is the batch; before an Expand that repeats its entries if there is one.
  static LiftOperand closest(const LetteredLayout& letters, const std::vector<std::string>& wanted,
                             DType dtype = DType::kUndefined);
};

/// weights = Softmax(logits) over all levels and points of a query and head: the logits.
std::optional<LiftOperand> take_softmax(const DeformableAttention& found, const SymbolicShapes& shapes);

/// locations = references + scaled offsets: both.
struct AttentionReference {
  ReferenceForm form = ReferenceForm::kNone;
  std::int64_t count = 0;  ///< references a query with kPoints
  LiftOperand offsets;
  LiftOperand references;
};
std::optional<AttentionReference> take_reference(const DeformableAttention& found,
                                                 const SymbolicShapes& shapes);

/// result · mask with a mask of batch and queries that was cast from booleans.
struct AttentionMask {
  Value* product = nullptr;
  Value* result = nullptr;  ///< of the same form
  LiftOperand mask;         ///< before the cast
};
std::optional<AttentionMask> take_mask(const DeformableAttention& found, const SymbolicShapes& shapes);

}  // namespace tarmac
