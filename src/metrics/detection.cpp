#include "metrics/detection.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <utility>

namespace tarmac {
namespace {

constexpr std::size_t kBestOfAPicture = 100;
constexpr int kRecalls = 101;

double intersection(const Box& a, const Box& b) {
  const double width = std::min(a.x2, b.x2) - std::max(a.x1, b.x1);
  const double height = std::min(a.y2, b.y2) - std::max(a.y1, b.y1);
  return width > 0 && height > 0 ? width * height : 0;
}

double overlap(const Detection& detection, const LabelledBox& truth) {
  if (!truth.crowd) return intersection_over_union(detection.box, truth.box);
  const double area = detection.box.area();
  return area > 0 ? intersection(detection.box, truth.box) / area : 0;
}

bool has_nan(const Detection& detection) {
  const Box& box = detection.box;
  return std::isnan(detection.score) || std::isnan(box.x1 + box.y1 + box.x2 + box.y2);
}

double iou_threshold(int t) { return 0.5 + t * ((0.95 - 0.5) / (DetectionMetrics::kThresholds - 1)); }

/// The labelled box that a detection takes, or -1. `truth` has crowds last; `taken` those that are gone.
std::ptrdiff_t choose(const Detection& detection, std::span<const LabelledBox* const> truth,
                      const std::vector<bool>& taken, double threshold) {
  std::ptrdiff_t chosen = -1;
  double best = std::min(threshold, 1 - 1e-10);
  for (std::size_t g = 0; g < truth.size(); ++g) {
    if (taken[g] && !truth[g]->crowd) continue;
    if (chosen >= 0 && truth[g]->crowd && !truth[static_cast<std::size_t>(chosen)]->crowd) break;
    const double found = overlap(detection, *truth[g]);
    if (found < best) continue;
    best = found;
    chosen = static_cast<std::ptrdiff_t>(g);
  }
  return chosen;
}

/// Mean over the recalls of the largest precision at that recall or a higher one.
double average(const std::vector<double>& recall, std::vector<double> precision) {
  for (std::size_t i = precision.size(); i-- > 1;)
    precision[i - 1] = std::max(precision[i - 1], precision[i]);
  double sum = 0;
  for (int r = 0; r < kRecalls; ++r) {
    const auto at = std::lower_bound(recall.begin(), recall.end(), r * 0.01);
    if (at != recall.end()) sum += precision[static_cast<std::size_t>(at - recall.begin())];
  }
  return sum / kRecalls;
}

}  // namespace

double intersection_over_union(const Box& a, const Box& b) {
  const double both = intersection(a, b);
  const double either = a.area() + b.area() - both;
  return either > 0 ? both / either : 0;
}

DetectionMetrics::DetectionMetrics(std::vector<std::string> class_names)
    : class_names_(std::move(class_names)), classes_(class_names_.size()) {}

Result<DetectionMetrics> DetectionMetrics::create(std::vector<std::string> class_names) {
  const std::set<std::string> distinct(class_names.begin(), class_names.end());
  if (class_names.empty() || distinct.size() != class_names.size()) {
    return make_error(ErrorCode::kInvalidInput,
                      "a detector needs at least one class, each with its own name; found " +
                          std::to_string(class_names.size()) + ", " + std::to_string(distinct.size()) +
                          " of them different");
  }
  return DetectionMetrics(std::move(class_names));
}

std::vector<DetectionMetrics::Judged> DetectionMetrics::judge(std::vector<const Detection*> detections,
                                                              std::vector<const LabelledBox*> truth) {
  std::stable_sort(detections.begin(), detections.end(),
                   [](const auto* a, const auto* b) { return a->score > b->score; });
  detections.resize(std::min(detections.size(), kBestOfAPicture));
  std::stable_partition(truth.begin(), truth.end(), [](const auto* one) { return !one->crowd; });
  std::vector<Judged> judged(detections.size());
  for (std::size_t d = 0; d < detections.size(); ++d) judged[d].score = detections[d]->score;
  for (int t = 0; t < kThresholds; ++t) {
    const auto bit = static_cast<std::uint16_t>(1U << static_cast<unsigned>(t));
    std::vector<bool> taken(truth.size(), false);
    for (std::size_t d = 0; d < detections.size(); ++d) {
      const std::ptrdiff_t chosen = choose(*detections[d], truth, taken, iou_threshold(t));
      if (chosen < 0) continue;
      taken[static_cast<std::size_t>(chosen)] = true;
      auto& mask = truth[static_cast<std::size_t>(chosen)]->crowd ? judged[d].ignored : judged[d].matched;
      mask = static_cast<std::uint16_t>(mask | bit);
    }
  }
  return judged;
}

Status DetectionMetrics::add(std::span<const Detection> detections, std::span<const LabelledBox> truth) {
  const auto classes = static_cast<std::int64_t>(class_names_.size());
  std::vector<std::vector<const Detection*>> found(class_names_.size());
  std::vector<std::vector<const LabelledBox*>> labelled(class_names_.size());
  const auto outside = [&](const char* what, std::int64_t label) {
    return make_error(ErrorCode::kInvalidInput, std::string("found ") + what + " of class " +
                                                    std::to_string(label) + "; expected 0 to " +
                                                    std::to_string(classes - 1));
  };
  std::int64_t unusable = 0;
  for (const Detection& one : detections) {
    if (has_nan(one)) {
      ++unusable;
      continue;
    }
    if (one.label < 0 || one.label >= classes) return outside("a detection", one.label);
    found[static_cast<std::size_t>(one.label)].push_back(&one);
  }
  for (const LabelledBox& one : truth) {
    if (one.label < 0 || one.label >= classes) return outside("a labelled box", one.label);
    labelled[static_cast<std::size_t>(one.label)].push_back(&one);
  }
  for (std::size_t c = 0; c < classes_.size(); ++c) {
    classes_[c].support +=
        std::count_if(labelled[c].begin(), labelled[c].end(), [](const auto* one) { return !one->crowd; });
    const auto judged = judge(std::move(found[c]), std::move(labelled[c]));
    classes_[c].judged.insert(classes_[c].judged.end(), judged.begin(), judged.end());
  }
  unusable_ += unusable;
  ++samples_;
  return {};
}

std::array<double, DetectionMetrics::kThresholds> DetectionMetrics::average_precisions(
    const PerClass& one) const {
  std::vector<Judged> judged = one.judged;
  std::stable_sort(judged.begin(), judged.end(),
                   [](const Judged& a, const Judged& b) { return a.score > b.score; });
  std::array<double, kThresholds> result{};
  for (int t = 0; t < kThresholds; ++t) {
    const auto bit = 1U << static_cast<unsigned>(t);
    std::vector<double> recall;
    std::vector<double> precision;
    double right = 0;
    double wrong = 0;
    for (const Judged& detection : judged) {
      // An ignored one leaves both as they are, and so stands for its neighbour.
      if ((detection.ignored & bit) == 0) ((detection.matched & bit) != 0 ? right : wrong) += 1;
      recall.push_back(right / static_cast<double>(one.support));
      precision.push_back(right / (right + wrong + std::numeric_limits<double>::epsilon()));
    }
    result[static_cast<std::size_t>(t)] = average(recall, std::move(precision));
  }
  return result;
}

std::optional<double> DetectionMetrics::ap(std::size_t c) const {
  if (classes_[c].support == 0) return std::nullopt;
  const auto all = average_precisions(classes_[c]);
  return std::accumulate(all.begin(), all.end(), 0.0) / kThresholds;
}

std::optional<double> DetectionMetrics::ap50(std::size_t c) const {
  if (classes_[c].support == 0) return std::nullopt;
  return average_precisions(classes_[c]).front();
}

double DetectionMetrics::mean(int thresholds) const {
  double sum = 0;
  std::int64_t present = 0;
  for (const PerClass& one : classes_) {
    if (one.support == 0) continue;
    const auto all = average_precisions(one);
    sum += std::accumulate(all.begin(), all.begin() + thresholds, 0.0) / thresholds;
    ++present;
  }
  return present == 0 ? 0 : sum / static_cast<double>(present);
}

double DetectionMetrics::mean_ap() const { return mean(kThresholds); }
double DetectionMetrics::mean_ap50() const { return mean(1); }

}  // namespace tarmac
