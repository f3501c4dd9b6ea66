// What may go wrong on the road, done to evaluation data: a camera that is black, a frame that comes late, a
// history that belongs to another scene.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "contract/batch_reader.h"
#include "tarmac/contract.h"

namespace tarmac {

/// For tables: "never_reset", "drop images[axis 1: 2]", "drop lidar", "late images by 1 frame",
/// "shuffle images[axis 1]".
std::string to_string(const FaultSpec& fault);

/// Changes batches on their way from the reader to a model; needs each in its order. Labels stay: the model
/// is to find what is there all the same.
/// - never_reset, always_reset: whether the batch starts a scene, for who carries state. The first frame of
///   all has the first state in any case.
/// - drop: the slice, or the whole input, is zeros in every frame.
/// - late: the input is that of `frames` frames ago; until a scene has so many, its first one.
/// - shuffle: slices trade places in one cycle, the same in every frame, by Sattolo's algorithm on
///   std::mt19937_64.
class FaultInjector {
 public:
  explicit FaultInjector(FaultSpec fault) : fault_(std::move(fault)) {}

  /// Replaces tensors of the batch; never writes into them. Errors: kNotFound (no such input), kInvalidInput
  /// (the axis holds samples, an index beyond the axis, one slice to shuffle; names the input).
  Status apply(Batch& batch);

 private:
  Status drop(const Batch& batch, Tensor& tensor) const;
  Status delay(const Batch& batch, Tensor& tensor);
  Status shuffle(const Batch& batch, Tensor& tensor);

  FaultSpec fault_;
  std::deque<Tensor> waiting_;      ///< of a late input, the oldest first
  std::vector<std::size_t> order_;  ///< which slice stands at each place
};

}  // namespace tarmac
