// What a BevPool kernel was given, by name.
#pragma once

#include "ops/kernel.h"

namespace tarmac::ops::bev {

struct Arguments {
  ConstTensorView depth;
  ConstTensorView feat;
  ConstTensorView ranks_depth;
  ConstTensorView ranks_feat;
  ConstTensorView ranks_bev;
  ConstTensorView interval_starts;
  ConstTensorView interval_lengths;
  TensorView y;
  bool channels_last = false;
  std::int64_t points = 0;
  std::int64_t channels = 0;
  std::int64_t rows = 0;   ///< of feat
  std::int64_t maps = 0;   ///< B
  std::int64_t cells = 0;  ///< of one map: Z·H·W
};

/// Also checks what shape inference cannot, since it does not tell inputs that are left out from those of
/// unknown type. Errors: kInvalidInput where only one of two inputs that go together is there, or where feat
/// has not one row a point without ranks_feat.
Result<Arguments> read_arguments(bool channels_last, std::span<const ConstTensorView> inputs,
                                 std::span<const TensorView> outputs);

/// kInvalidInput with the first index that leaves its tensor, in the order in which a plain loop meets them.
Status check_indices(const Arguments& arguments);

}  // namespace tarmac::ops::bev
