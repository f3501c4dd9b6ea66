// What a tensor held in the float32 run, and how far the rounded run lies from it.
#pragma once

#include <cstdint>
#include <limits>

#include "tarmac/tensor.h"

namespace tarmac {

/// Over all samples, in double precision. With r the float32 run and a the rounded one.
struct ValueStats {
  double min = std::numeric_limits<double>::infinity();  ///< of finite r
  double max = -std::numeric_limits<double>::infinity();
  double max_abs = 0;
  double min_abs = std::numeric_limits<double>::infinity();  ///< smallest |r| > 0
  bool integers = true;                                      ///< every finite r is a whole number
  std::int64_t count = 0;
  std::int64_t infinities = 0;  ///< r finite, a infinite
  std::int64_t nans = 0;        ///< r a number, a NaN
  std::int64_t zeros = 0;       ///< r ≠ 0, a = 0
  std::int64_t subnormals = 0;  ///< a below the type's smallest normal number and not 0
  double signal = 0;            ///< Σ r² where both are finite
  double noise = 0;             ///< Σ (a − r)² where both are finite
  double max_error = 0;         ///< max |a − r| where both are finite

  /// Adds float32 tensors of equal shapes.
  void add(const Tensor& reference, const Tensor& other, DType dtype);
  /// 10·log10(signal/noise); +infinity without noise.
  [[nodiscard]] double snr_db() const;
  /// Something became infinite or NaN.
  [[nodiscard]] bool broken() const { return infinities > 0 || nans > 0; }
};

}  // namespace tarmac
