// How well class maps cover the labelled ones, gathered batch by batch.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tarmac/tensor.h"

namespace tarmac {

/// Pixels with this label count nowhere.
inline constexpr std::int64_t kIgnoredLabel = 255;

/// Counts pixels; memory is O(classes²) and one number a sample.
class SegmentationMetrics {
 public:
  /// `class_names` in the order of the scores. `threshold` parts the two classes of a model with one score a
  /// pixel: 0 for logits, 0.5 for probabilities. Errors: kInvalidInput when there are fewer than two classes,
  /// more than 255, or two equal ones.
  static Result<SegmentationMetrics> create(std::vector<std::string> class_names, double threshold = 0);

  /// Adds a batch: what class_map() takes, with places [H, W], and for each sample a label map [H, W] of any
  /// integer type with classes from 0 and kIgnoredLabel. A pixel whose scores hold NaN is wrong. Errors:
  /// kInvalidInput (shape, number of classes, label), kUnsupported (dtype); nothing is added then.
  Status add(const Tensor& scores, std::span<const Tensor> labels);

  [[nodiscard]] const std::vector<std::string>& class_names() const { return class_names_; }
  [[nodiscard]] std::int64_t samples() const { return static_cast<std::int64_t>(sample_iou_.size()); }
  /// Pixels that counted.
  [[nodiscard]] std::int64_t pixels() const;
  /// Mean of iou() over the classes that are labelled or predicted somewhere, in [0, 1]; 0 without pixels.
  [[nodiscard]] double mean_iou() const;
  /// Intersection over union: confusion[c][c] / (support(c) + predicted(c) - confusion[c][c]); 0 where the
  /// union is empty.
  [[nodiscard]] double iou(std::size_t c) const;
  /// Correct pixels / pixels(); 0 without pixels.
  [[nodiscard]] double pixel_accuracy() const;
  /// Pixels whose label is `c`.
  [[nodiscard]] std::int64_t support(std::size_t c) const;
  /// Pixels whose prediction is `c`.
  [[nodiscard]] std::int64_t predicted(std::size_t c) const;
  /// confusion[c][c] / support(c), and / predicted(c); 0 where that is 0.
  [[nodiscard]] double recall(std::size_t c) const;
  [[nodiscard]] double precision(std::size_t c) const;
  /// confusion()[label][prediction], in pixels.
  [[nodiscard]] const std::vector<std::vector<std::int64_t>>& confusion() const { return counts_.confusion; }
  /// mean_iou() of each sample alone, in the order added; 1 for a sample in which no pixel counts.
  [[nodiscard]] const std::vector<double>& sample_iou() const { return sample_iou_; }

 private:
  struct Counts {
    std::vector<std::vector<std::int64_t>> confusion;
    std::vector<std::int64_t> support;

    explicit Counts(std::size_t classes);
    void add(const Counts& other);
    [[nodiscard]] std::int64_t predicted(std::size_t c) const;
    [[nodiscard]] std::int64_t in_union(std::size_t c) const;
    [[nodiscard]] double mean_iou(double without_pixels) const;
  };

  SegmentationMetrics(std::vector<std::string> class_names, double threshold);
  [[nodiscard]] Result<Counts> count(std::span<const std::int32_t> predicted, const Tensor& labels) const;

  std::vector<std::string> class_names_;
  double threshold_ = 0;
  Counts counts_;
  std::vector<double> sample_iou_;
};

/// A label map [h, w] of bytes at another size: each pixel has the label at its centre, at
/// floor((i + 0.5) · h / height). Errors: kInvalidInput (no uint8 map of two axes, sizes below 1).
Result<Tensor> resize_labels(const Tensor& labels, std::int64_t height, std::int64_t width);

}  // namespace tarmac
