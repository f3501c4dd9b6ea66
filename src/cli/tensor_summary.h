// A tensor's values in a few numbers.
#pragma once

#include "cli/output.h"
#include "tarmac/tensor.h"

namespace tarmac::cli {

/// Over the values that are numbers; min, max and mean are 0 when there are none (strings, complex, empty).
struct TensorSummary {
  double min = 0;
  double max = 0;
  double mean = 0;
  std::int64_t nans = 0;
  std::int64_t infinities = 0;
};

TensorSummary summarize(const Tensor& tensor);

/// {"dtype", "shape", "min", "max", "mean", "nans", "infinities"}
Json describe_json(const Tensor& tensor, const TensorSummary& summary);

/// Warns, with their number, of NaN and infinity in what is called `what`.
void warn_of_bad_values(const TensorSummary& summary, const Tensor& tensor, const std::string& what);

}  // namespace tarmac::cli
