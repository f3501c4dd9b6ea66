// How far two models agree on one sample, for data without labels.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "metrics/detection.h"
#include "tarmac/tensor.h"

namespace tarmac {

/// max(0, 1 - Σ (a - r)² / Σ r²), r the reference: the share of the reference's power that the other tensor
/// reproduces, so 1 - 10^(-SNR/10) with the signal-to-noise ratio in dB. Made for any tensor: it sees a wrong
/// scale, which a cosine does not, and 2 % are 17 dB, which 8 bits can keep, where Σ |a - r| / Σ |r| would
/// already lie near 14 %. 1 where both are all zero, 0 where the reference is and the other not, and 0
/// where NaN or infinity stand in one only. Errors: compare_tensors()'s.
Result<double> agreement_of_values(const Tensor& reference, const Tensor& other);

/// Share of places whose class is the same, with class_map(): for scores of classes, where only the largest
/// counts. Two places without a class agree. Errors: kInvalidInput (shapes differ), class_map()'s.
Result<double> agreement_of_classes(const Tensor& reference, const Tensor& other, double threshold = 0);

/// 2 · matched / (|reference| + |other|): detections match when they have the same class and an IoU of at
/// least 0.5; the best ones of `other` choose first, each the free one with the largest IoU. 1 when both are
/// empty.
double agreement_of_boxes(std::span<const Detection> reference, std::span<const Detection> other);

/// Agreements of samples, each in [0, 1].
class AgreementMetrics {
 public:
  void add(double value) { values_.push_back(value); }

  [[nodiscard]] std::int64_t samples() const { return static_cast<std::int64_t>(values_.size()); }
  /// The smallest; 0 without samples. A mean would hide the one picture on which a model goes astray.
  [[nodiscard]] double worst() const;
  /// Index of the first sample with worst().
  [[nodiscard]] std::size_t worst_sample() const;
  [[nodiscard]] double mean() const;
  [[nodiscard]] const std::vector<double>& values() const { return values_; }

 private:
  std::vector<double> values_;
};

}  // namespace tarmac
