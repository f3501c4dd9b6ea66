// From a tensor's values to the range that its INT8 form covers: what lies outside is clipped.
#pragma once

#include "precision/histogram.h"
#include "precision/range.h"
#include "tarmac/contract.h"

namespace tarmac {

struct ClippingOptions {
  CalibrationMethod method = CalibrationMethod::kMinMax;
  double percentile = 99.99;  ///< of the magnitudes, in (0, 100]
};

/// The range of the values that were counted, cut at one magnitude T on both sides: [max(min, −T), min(max,
/// T)]. kMinMax and kMovingAverage (whose averages a histogram does not have) cut nothing. Empty for no
/// values.
///   kEntropy     T is the right edge of bin i, for the i with the least Σ P·log(P/Q): P the bins of |x| up
///   to i with all
///                beyond it added to the last; Q the same without those, each of 128 equal groups of bins
///                (256 where no value is negative) spread evenly over its non-empty bins. Zeros, which ReLU
///                makes and INT8 has exactly, do not count: the first bin weighs no more than the second.
///                Migacz, "8-bit inference with TensorRT", 2017.
///   kPercentile  T is the right edge of the bin that holds this percentile of |x|.
///   kMse         T minimises Σ (x − q(x))², q rounding to 256 levels of the cut range widened to contain 0.
Range clip(const Histogram& histogram, const ClippingOptions& options);

}  // namespace tarmac
