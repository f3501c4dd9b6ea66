// Accuracy of a classifier, gathered batch by batch.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tarmac/tensor.h"

namespace tarmac {

/// Counts predictions against labels; memory is O(classes²), whatever the number of samples.
class ClassificationMetrics {
 public:
  /// `class_names` in the order of the logits. Errors: kInvalidInput when there are fewer than two or two are
  /// equal.
  static Result<ClassificationMetrics> create(std::vector<std::string> class_names);

  /// Adds a batch: logits (or probabilities) [N, C] (or [C] for one sample; further axes of size 1 are
  /// allowed) and N labels in [0, C). A row that holds NaN has no prediction and counts as wrong. Errors:
  /// kInvalidInput (shape, label), kUnsupported (dtype); nothing is added then.
  Status add(const Tensor& logits, std::span<const std::int64_t> labels);

  [[nodiscard]] const std::vector<std::string>& class_names() const { return class_names_; }
  [[nodiscard]] std::int64_t samples() const { return samples_; }
  [[nodiscard]] std::int64_t correct() const;
  /// Samples whose logits held NaN.
  [[nodiscard]] std::int64_t without_prediction() const { return without_prediction_; }
  /// Top-1 accuracy: correct / samples, in [0, 1]; 0 without samples.
  [[nodiscard]] double accuracy() const;
  /// Mean of recall() over the classes that have samples: accuracy that a frequent class cannot dominate.
  [[nodiscard]] double balanced_accuracy() const;
  /// Samples whose label is `c`.
  [[nodiscard]] std::int64_t support(std::size_t c) const;
  /// Per-class accuracy: confusion[c][c] / support(c); 0 without samples.
  [[nodiscard]] double recall(std::size_t c) const;
  /// confusion[c][c] / Σ_l confusion[l][c]; 0 when `c` was never predicted.
  [[nodiscard]] double precision(std::size_t c) const;
  /// 2·precision·recall / (precision + recall); 0 when both are 0.
  [[nodiscard]] double f1(std::size_t c) const;
  /// confusion()[label][prediction], in samples.
  [[nodiscard]] const std::vector<std::vector<std::int64_t>>& confusion() const { return confusion_; }

 private:
  explicit ClassificationMetrics(std::vector<std::string> class_names);

  std::vector<std::string> class_names_;
  std::vector<std::vector<std::int64_t>> confusion_;
  std::vector<std::int64_t> support_;
  std::int64_t samples_ = 0;
  std::int64_t without_prediction_ = 0;
};

/// Index of the largest value in each row of [N, C] (the first of equal ones), -1 for a row with NaN.
/// Shapes and errors as ClassificationMetrics::add().
Result<std::vector<std::int64_t>> argmax_rows(const Tensor& logits);

/// softmax of each row, exp(x - max) / Σ exp(x - max), as [N][C]. Shapes and errors as argmax_rows().
Result<std::vector<std::vector<double>>> softmax_rows(const Tensor& logits);

}  // namespace tarmac
