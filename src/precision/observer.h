// Reduces the activations of each batch to statistics, on several cores.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "ops/parallel.h"
#include "precision/statistics.h"
#include "tarmac/result.h"
#include "tarmac/tensor.h"

namespace tarmac {

struct ObserverOptions {
  bool histograms = false;  ///< for the methods that look at more than extremes
  double decay = 0.9;       ///< of the moving average
  /// Values whose extremes are also kept for each index of an axis (from 0; their number of axes must not
  /// change).
  std::map<std::string, int> channels;
};

/// The same statistics for every number of threads.
class ActivationObserver {
 public:
  ActivationObserver(const std::vector<std::string>& values, const ObserverOptions& options);

  /// One batch: tensors in the order of the values, of which the first `counts[i]` elements count. Uses at
  /// most `cores` threads (0: all of `parallel`). Errors: kInvalidInput (names the value) when one is no
  /// float32, NaN or infinite, or has no such channel axis or another number of channels; the statistics are
  /// worth nothing then.
  Status add(std::span<const Tensor> tensors, std::span<const std::size_t> counts, ops::Parallel& parallel,
             int cores);

  /// What was seen so far.
  [[nodiscard]] Statistics take();

 private:
  struct Seen;
  [[nodiscard]] Status check(std::size_t value, const Tensor& tensor) const;
  void reduce(std::size_t value, const Tensor& tensor, std::size_t begin, std::size_t end, bool whole,
              Seen& seen);

  std::vector<std::string> values_;
  ObserverOptions options_;
  std::vector<ActivationStatistics> statistics_;
  std::vector<int> axes_;  ///< of the channels; −1: none
};

}  // namespace tarmac
