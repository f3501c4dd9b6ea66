// Average precision of a detector, gathered picture by picture, as COCO defines it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tarmac/result.h"

namespace tarmac {

/// Corners in pixels of the model's input, x1 ≤ x2 and y1 ≤ y2.
struct Box {
  double x1 = 0;
  double y1 = 0;
  double x2 = 0;
  double y2 = 0;

  [[nodiscard]] double area() const { return (x2 - x1) * (y2 - y1); }
  bool operator==(const Box&) const = default;
};

struct LabelledBox {
  Box box;
  std::int64_t label = 0;
  bool crowd = false;  ///< A group that is not counted: what lies in it is neither right nor wrong.

  bool operator==(const LabelledBox&) const = default;
};

struct Detection {
  Box box;
  std::int64_t label = 0;
  double score = 0;
};

/// Area of the intersection over that of the union; 0 where both are empty.
double intersection_over_union(const Box& a, const Box& b);

/// Average precision as pycocotools' COCOeval for boxes of all areas: in each picture the 100 best detections
/// of a class take, best first, the free labelled box with the largest IoU that reaches the threshold (a
/// crowd only when there is no other; its overlap is intersection / the detection's area). Over all
/// pictures, precision at recall r is the largest precision at a recall of at least r; AP is its mean over
/// r = 0, 0.01, … 1. Memory: some bytes for each detection.
class DetectionMetrics {
 public:
  static constexpr int kThresholds = 10;  ///< IoU 0.5, 0.55, … 0.95.

  /// Errors: kInvalidInput when there is no class or two are equal.
  static Result<DetectionMetrics> create(std::vector<std::string> class_names);

  /// Adds a picture. A detection with NaN in its score or box is left out and counted. Errors: kInvalidInput
  /// (a label outside the classes); nothing is added then.
  Status add(std::span<const Detection> detections, std::span<const LabelledBox> truth);

  [[nodiscard]] const std::vector<std::string>& class_names() const { return class_names_; }
  [[nodiscard]] std::int64_t samples() const { return samples_; }
  /// Mean AP over the thresholds and the classes that have labelled boxes; 0 without any.
  [[nodiscard]] double mean_ap() const;
  /// The same at IoU 0.5 only.
  [[nodiscard]] double mean_ap50() const;
  /// AP of one class, mean over the thresholds; absent where it has no labelled boxes.
  [[nodiscard]] std::optional<double> ap(std::size_t c) const;
  [[nodiscard]] std::optional<double> ap50(std::size_t c) const;
  /// Labelled boxes without crowds.
  [[nodiscard]] std::int64_t support(std::size_t c) const { return classes_[c].support; }
  /// Detections that held NaN.
  [[nodiscard]] std::int64_t unusable() const { return unusable_; }

 private:
  /// One detection; bit t of the masks is about threshold t.
  struct Judged {
    double score = 0;
    std::uint16_t matched = 0;
    std::uint16_t ignored = 0;
  };
  struct PerClass {
    std::int64_t support = 0;
    std::vector<Judged> judged;
  };

  explicit DetectionMetrics(std::vector<std::string> class_names);
  static std::vector<Judged> judge(std::vector<const Detection*> detections,
                                   std::vector<const LabelledBox*> truth);
  [[nodiscard]] std::array<double, kThresholds> average_precisions(const PerClass& one) const;
  [[nodiscard]] double mean(int thresholds) const;

  std::vector<std::string> class_names_;
  std::vector<PerClass> classes_;
  std::int64_t samples_ = 0;
  std::int64_t unusable_ = 0;
};

}  // namespace tarmac
