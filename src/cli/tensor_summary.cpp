#include "cli/tensor_summary.h"

#include <algorithm>
#include <cmath>

#include "base/log.h"
#include "tensor/codec.h"

namespace tarmac::cli {

TensorSummary summarize(const Tensor& tensor) {
  TensorSummary summary;
  const auto values = to_doubles(tensor);
  if (!values) return summary;
  std::int64_t numbers = 0;
  double sum = 0;
  for (const double value : *values) {
    if (std::isnan(value)) {
      ++summary.nans;
    } else if (std::isinf(value)) {
      ++summary.infinities;
    } else {
      summary.min = numbers == 0 ? value : std::min(summary.min, value);
      summary.max = numbers == 0 ? value : std::max(summary.max, value);
      sum += value;
      ++numbers;
    }
  }
  if (numbers > 0) summary.mean = sum / static_cast<double>(numbers);
  return summary;
}

Json describe_json(const Tensor& tensor, const TensorSummary& summary) {
  return {{"dtype", to_string(tensor.dtype())},
          {"shape", tensor.shape()},
          {"min", summary.min},
          {"max", summary.max},
          {"mean", summary.mean},
          {"nans", summary.nans},
          {"infinities", summary.infinities}};
}

void warn_of_bad_values(const TensorSummary& summary, const Tensor& tensor, const std::string& what) {
  if (summary.nans == 0 && summary.infinities == 0) return;
  log(LogLevel::kWarning,
      fmt::format("{} holds {} NaN and {} infinite values among {}", what, format_count(summary.nans),
                  format_count(summary.infinities), format_count(tensor.count())));
}

}  // namespace tarmac::cli
