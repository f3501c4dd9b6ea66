#include "precision/value_stats.h"

#include <algorithm>
#include <cmath>

#include "precision/rounding.h"

namespace tarmac {

void ValueStats::add(const Tensor& reference, const Tensor& other, DType dtype) {
  const auto r = reference.data<float>();
  const auto a = other.data<float>();
  const double min_normal = limits_of(dtype).min_normal;
  count += static_cast<std::int64_t>(r.size());
  for (std::size_t i = 0; i < r.size(); ++i) {
    const double x = r[i];
    const double y = a[i];
    if (!std::isfinite(x)) {
      if (!std::isnan(x) && std::isnan(y)) ++nans;
      continue;
    }
    const double size = std::fabs(x);
    min = std::min(min, x);
    max = std::max(max, x);
    max_abs = std::max(max_abs, size);
    if (size > 0) min_abs = std::min(min_abs, size);
    integers = integers && x == std::nearbyint(x);
    if (!std::isfinite(y)) {
      ++(std::isnan(y) ? nans : infinities);
      continue;
    }
    if (y == 0 && x != 0) ++zeros;
    if (y != 0 && std::fabs(y) < min_normal) ++subnormals;
    const double error = y - x;
    signal += x * x;
    noise += error * error;
    max_error = std::max(max_error, std::fabs(error));
  }
}

double ValueStats::snr_db() const {
  if (noise == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(signal / noise);
}

}  // namespace tarmac
