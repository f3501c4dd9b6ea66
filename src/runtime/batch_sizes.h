// With which batch a number of items is run.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tarmac/model.h"
#include "tarmac/plan.h"
#include "tarmac/result.h"
#include "tarmac/session.h"

namespace tarmac {

/// What a model says about the first axis of its inputs, which is the batch: a number, or 0 where it is open.
/// Errors: kUsage (an input or output without such an axis, inputs that fix it to different numbers, or
/// elements that take less than a byte or are strings; names the tensor).
Result<std::int64_t> fixed_batch(std::span<const TensorSpec> inputs, std::span<const TensorSpec> outputs);

/// An item is good when it has each input once, of its dtype, a first axis of 1 and the sizes that the model
/// fixes behind it. Errors: kNotFound, kInvalidInput.
Status check_item(std::span<const TensorSpec> inputs, const NamedTensors& item);

/// The batches that items of one set of shapes may run with.
class BatchSizes {
 public:
  /// `plan` may be null. Errors: kOutOfRange (no profile admits the item's shapes in any batch).
  static Result<BatchSizes> create(std::int64_t fixed, const PlanInfo* plan, const NamedTensors& item);

  /// The most items that run together, of at most `wanted`.
  [[nodiscard]] std::int64_t most(std::int64_t wanted) const;
  /// The batch for `items` items, at most most(): as many, or the next larger one that is ready or, where the
  /// plan makes none of these shapes ready, that is admitted.
  [[nodiscard]] std::int64_t batch_for(std::int64_t items) const;

 private:
  struct Range {
    std::int64_t min = 1;
    std::int64_t max = 0;
  };
  std::vector<Range> admitted_;
  std::vector<std::int64_t> ready_;  ///< in rising order; empty: each that is admitted
};

}  // namespace tarmac
