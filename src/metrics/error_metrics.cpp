#include "metrics/error_metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/codec.h"

namespace tarmac {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Sums over the elements that are numbers on both sides.
struct Sums {
  double abs_error = 0;
  double squared_error = 0;
  double squared_reference = 0;
  double squared_other = 0;
  double product = 0;
  double elementwise_rel = 0;
  double max_reference = 0;
  std::int64_t finite = 0;
};

double ratio(double numerator, double denominator) {
  if (denominator > 0) return numerator / denominator;
  return numerator > 0 ? kInfinity : 0;
}

double cosine_of(const Sums& sums) {
  if (sums.squared_reference == 0 && sums.squared_other == 0) return 1;
  if (sums.squared_reference == 0 || sums.squared_other == 0) return 0;
  const double cosine = sums.product / (std::sqrt(sums.squared_reference) * std::sqrt(sums.squared_other));
  return std::clamp(cosine, -1.0, 1.0);  // rounding may step outside
}

double snr_of(const Sums& sums) {
  if (sums.squared_error == 0) return kInfinity;
  if (sums.squared_reference == 0) return -kInfinity;
  return 10 * std::log10(sums.squared_reference / sums.squared_error);
}

}  // namespace

Result<ErrorMetrics> compare_tensors(const Tensor& reference, const Tensor& other, double epsilon) {
  if (reference.shape() != other.shape()) {
    return make_error(ErrorCode::kInvalidInput, "cannot compare shape " + to_string(other.shape()) +
                                                    " with the reference's " + to_string(reference.shape()) +
                                                    "; they must be equal");
  }
  TARMAC_TRY(const auto expected, to_doubles(reference));
  TARMAC_TRY(const auto found, to_doubles(other));
  ErrorMetrics metrics;
  Sums sums;
  metrics.count = static_cast<std::int64_t>(expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double r = expected[i];
    const double a = found[i];
    if (std::isnan(r) || std::isnan(a)) {
      metrics.nan_mismatches += std::isnan(r) != std::isnan(a) ? 1 : 0;
      continue;
    }
    if (std::isinf(r) || std::isinf(a)) {
      metrics.infinity_mismatches += r != a ? 1 : 0;
      continue;
    }
    const double error = std::fabs(a - r);
    const double relative = ratio(error, std::max(std::fabs(r), epsilon));
    metrics.max_abs = std::max(metrics.max_abs, error);
    metrics.max_elementwise_rel = std::max(metrics.max_elementwise_rel, relative);
    sums.abs_error += error;
    sums.squared_error += error * error;
    sums.squared_reference += r * r;
    sums.squared_other += a * a;
    sums.product += a * r;
    sums.elementwise_rel += relative;
    sums.max_reference = std::max(sums.max_reference, std::fabs(r));
    ++sums.finite;
  }
  if (sums.finite > 0) {
    const auto n = static_cast<double>(sums.finite);
    metrics.mean_abs = sums.abs_error / n;
    metrics.rms = std::sqrt(sums.squared_error / n);
    metrics.mean_elementwise_rel = sums.elementwise_rel / n;
  }
  metrics.max_rel = ratio(metrics.max_abs, sums.max_reference);
  metrics.snr_db = snr_of(sums);
  metrics.cosine = cosine_of(sums);
  return metrics;
}

ErrorMetrics combine(const ErrorMetrics& a, const ErrorMetrics& b) {
  if (a.count == 0) return b;
  if (b.count == 0) return a;
  const auto n = static_cast<double>(a.count + b.count);
  const double share_a = static_cast<double>(a.count) / n;
  const double share_b = static_cast<double>(b.count) / n;
  ErrorMetrics both;
  both.max_abs = std::max(a.max_abs, b.max_abs);
  both.mean_abs = a.mean_abs * share_a + b.mean_abs * share_b;
  both.rms = std::sqrt(a.rms * a.rms * share_a + b.rms * b.rms * share_b);
  both.max_rel = std::max(a.max_rel, b.max_rel);
  both.max_elementwise_rel = std::max(a.max_elementwise_rel, b.max_elementwise_rel);
  both.mean_elementwise_rel = a.mean_elementwise_rel * share_a + b.mean_elementwise_rel * share_b;
  both.snr_db = std::min(a.snr_db, b.snr_db);
  both.cosine = std::min(a.cosine, b.cosine);
  both.count = a.count + b.count;
  both.nan_mismatches = a.nan_mismatches + b.nan_mismatches;
  both.infinity_mismatches = a.infinity_mismatches + b.infinity_mismatches;
  return both;
}

}  // namespace tarmac
