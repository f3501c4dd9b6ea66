// Average precision, errors and score of a 3-D detector, gathered frame by frame, as nuScenes defines them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tarmac/result.h"

namespace tarmac {

/// Metres, radians and metres a second in the vehicle's frame: x forward, y left, z up, yaw from x towards y.
/// (x, y, z) is the box's middle, dx lies along the heading; the velocity is over ground.
struct Box3d {
  double x = 0;
  double y = 0;
  double z = 0;
  double dx = 0;
  double dy = 0;
  double dz = 0;
  double yaw = 0;
  double vx = 0;  ///< NaN where it is not known.
  double vy = 0;

  bool operator==(const Box3d&) const = default;
};

struct LabelledBox3d {
  Box3d box;
  std::int64_t label = 0;

  bool operator==(const LabelledBox3d&) const = default;
};

struct Detection3d {
  Box3d box;
  std::int64_t label = 0;
  double score = 0;

  bool operator==(const Detection3d&) const = default;
};

/// Errors of the detections that matched within 2 m. Each is, over the recalls 0.11, 0.12, … that are
/// reached, the mean of the mean error of all matches with at least the score at that recall; 1 where recall
/// 0.11 is not reached.
struct Errors3d {
  double translation = 1;          ///< ATE, metres in the ground plane.
  double scale = 1;                ///< ASE, 1 − IoU of the boxes with their middles and headings aligned.
  double orientation = 1;          ///< AOE, radians, the smaller angle between the headings.
  std::optional<double> velocity;  ///< AVE, m/s in the ground plane; absent where truth has no velocities.
};

/// nuScenes' detection metrics (Caesar et al. 2020; nuscenes-devkit).
///
/// In each frame the detections of a class take, best score first, the nearest free labelled box whose centre
/// is less than a distance away in the ground plane. Over all frames, precision at recall 0, 0.01, … 1 is
/// interpolated linearly between the detections in falling order of score, and 0 beyond the highest recall;
/// AP is the mean over recalls above 0.1 of max(0, precision − 0.1) / 0.9. Equal scores count in the order
/// they were added. All labelled boxes count: nuScenes' ranges by class and counts of lidar points are for
/// whoever makes them.
class DetectionMetrics3d {
 public:
  /// Metres. The errors are taken at the third.
  static constexpr std::array<double, 4> kDistances = {0.5, 1, 2, 4};
  static constexpr std::size_t kErrorDistance = 2;

  using Precisions = std::array<double, kDistances.size()>;

  /// The frames at one place in their scenes.
  struct FrameFigures {
    std::int64_t boxes = 0;  ///< Labelled ones.
    double mean_ap = 0;      ///< At 2 m, mean over the classes that have labelled boxes in these frames.
    std::optional<double> velocity;  ///< AVE of these frames.
  };

  /// Errors: kInvalidInput when there is no class or two are equal.
  static Result<DetectionMetrics3d> create(std::vector<std::string> class_names);

  /// Adds a frame, which is the how manieth of its scene, from 0; absent where samples are no frames. A
  /// detection with a number that is not finite is left out and counted, but for a velocity of NaN: that is
  /// not known, and its error not counted. Errors: kInvalidInput (a label outside the classes, a labelled box
  /// whose place, size or heading is not finite); nothing is added then.
  Status add(std::span<const Detection3d> detections, std::span<const LabelledBox3d> truth,
             std::optional<std::size_t> frame = std::nullopt);

  [[nodiscard]] const std::vector<std::string>& class_names() const { return class_names_; }
  [[nodiscard]] std::int64_t samples() const { return samples_; }
  /// Labelled boxes of a class.
  [[nodiscard]] std::int64_t support(std::size_t c) const { return classes_[c].support; }
  /// Detections that held numbers that are not finite.
  [[nodiscard]] std::int64_t unusable() const { return unusable_; }

  /// Mean AP over the distances and the classes that have labelled boxes; 0 without any.
  [[nodiscard]] double mean_ap() const;
  /// The same at kDistances[d] only.
  [[nodiscard]] double mean_ap_at(std::size_t d) const;
  /// AP of one class at each distance; absent where it has no labelled boxes.
  [[nodiscard]] std::optional<Precisions> ap(std::size_t c) const;
  /// Errors of one class; absent where it has no labelled boxes.
  [[nodiscard]] std::optional<Errors3d> errors(std::size_t c) const;
  /// Mean over the classes that have labelled boxes; of the velocity over those that know it.
  [[nodiscard]] Errors3d errors() const;
  /// In [0, 1]: (4 mAP + Σ (1 − min(1, error))) / 8 over the four errors: the nuScenes detection score
  /// without its attributes, which is (5 mAP + Σ over five errors) / 10. Without velocities (3 mAP + Σ over
  /// three) / 6.
  [[nodiscard]] double score() const;
  /// By the place in the scene, as long as the longest one; empty where samples are no frames.
  [[nodiscard]] std::vector<FrameFigures> by_frame() const;

 private:
  /// One detection.
  struct Judged {
    double score = 0;
    std::size_t frame = 0;
    std::array<bool, kDistances.size()> matched{};
    std::array<double, 4> errors{};  ///< Of the match at kErrorDistance: ATE, ASE, AOE, AVE.
  };
  struct PerClass {
    std::int64_t support = 0;
    bool moves = false;  ///< Some labelled box has a velocity.
    std::vector<std::int64_t> support_by_frame;
    std::vector<Judged> judged;
  };

  explicit DetectionMetrics3d(std::vector<std::string> class_names);
  static std::vector<Judged> judge(std::vector<const Detection3d*> detections,
                                   const std::vector<const LabelledBox3d*>& truth);
  static double average_precision(const std::vector<Judged>& sorted, std::int64_t support, std::size_t d);
  static Errors3d errors_of(const std::vector<Judged>& sorted, std::int64_t support, bool moves);

  std::vector<std::string> class_names_;
  std::vector<PerClass> classes_;
  std::int64_t samples_ = 0;
  std::int64_t unusable_ = 0;
  std::size_t frames_ = 0;
};

}  // namespace tarmac
