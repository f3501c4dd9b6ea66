// How far one tensor lies from another.
#pragma once

#include <cstdint>

#include "tarmac/tensor.h"

namespace tarmac {

/// With r the reference, a the other tensor, over the elements where both are numbers (see below), in double
/// precision: an element counts as an infinity mismatch when exactly one is infinite or their signs differ,
/// as a NaN mismatch when exactly one is NaN; both kinds, and pairs of equal infinities or of NaN, are left
/// out of all other numbers.
struct ErrorMetrics {
  double max_abs = 0;   ///< max |a - r|
  double mean_abs = 0;  ///< mean |a - r|
  double rms = 0;       ///< sqrt(mean (a - r)²)
  double max_rel = 0;  ///< max |a - r| / max |r|: the largest error in units of the tensor's range; see below
  double max_elementwise_rel = 0;   ///< max over elements of |a - r| / max(|r|, epsilon)
  double mean_elementwise_rel = 0;  ///< mean over elements of |a - r| / max(|r|, epsilon)
  double snr_db = 0;  ///< 10·log10(Σ r² / Σ (a - r)²); +infinity when equal, -infinity when r is all zero
  double cosine = 1;       ///< Σ a·r / sqrt(Σ a² · Σ r²); 1 when both are all zero, 0 when one is
  std::int64_t count = 0;  ///< Elements compared, with the left-out ones.
  std::int64_t nan_mismatches = 0;  ///< Elements where exactly one is NaN.
  std::int64_t infinity_mismatches = 0;

  /// max_rel ≤ limit and nothing mismatched; a NaN limit never holds.
  [[nodiscard]] bool within(double max_rel_limit) const {
    return nan_mismatches == 0 && infinity_mismatches == 0 && max_rel <= max_rel_limit;
  }
};

/// Below it a reference value counts as zero for the elementwise relative error: the smallest step of a half
/// near 1e-6.
inline constexpr double kRelativeEpsilon = 1e-6;

/// Compares tensors of any real types and equal shapes. When r is all zero, max_rel is 0 for an equal tensor
/// and +infinity otherwise. Errors: kInvalidInput (shapes differ), kUnsupported (string, complex).
Result<ErrorMetrics> compare_tensors(const Tensor& reference, const Tensor& other,
                                     double epsilon = kRelativeEpsilon);

/// The worse of two in every number, counts added: for comparing several outputs or samples. rms and the
/// means are weighted by count; max_rel, snr_db and cosine are the worst of the two.
ErrorMetrics combine(const ErrorMetrics& a, const ErrorMetrics& b);

}  // namespace tarmac
