#include "metrics/detection_3d.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <set>
#include <utility>

namespace tarmac {
namespace {

constexpr std::size_t kRecalls = 101;
constexpr std::size_t kFirstRecall = 11;  // recalls up to 0.1 are noise
constexpr double kLeastPrecision = 0.1;

using Samples = std::vector<double>;

/// The line through (x, y), x not falling, at `at`; of equal x the last counts. `beyond` behind the last.
double interpolate(const Samples& x, const Samples& y, double at, double beyond) {
  if (at > x.back()) return beyond;
  const auto after = std::upper_bound(x.begin(), x.end(), at);
  if (after == x.begin()) return y.front();
  const auto i = static_cast<std::size_t>(after - x.begin()) - 1;
  if (i + 1 == x.size() || x[i] == at) return y[i];
  return y[i] + (y[i + 1] - y[i]) / (x[i + 1] - x[i]) * (at - x[i]);
}

/// Mean of the first 1, 2, … numbers, without NaN; all 1 where there is nothing else.
Samples running_mean(const Samples& values) {
  Samples means;
  double sum = 0;
  double count = 0;
  for (const double value : values) {
    if (!std::isnan(value)) {
      sum += value;
      ++count;
    }
    means.push_back(count > 0 ? sum / count : 0);
  }
  if (count == 0) std::fill(means.begin(), means.end(), 1.0);
  return means;
}

double distance(const Box3d& a, const Box3d& b) { return std::hypot(a.x - b.x, a.y - b.y); }

double scale_error(const Box3d& a, const Box3d& b) {
  const double both = std::min(a.dx, b.dx) * std::min(a.dy, b.dy) * std::min(a.dz, b.dz);
  const double either = a.dx * a.dy * a.dz + b.dx * b.dy * b.dz - both;
  const bool sound = a.dx > 0 && a.dy > 0 && a.dz > 0 && b.dx > 0 && b.dy > 0 && b.dz > 0 && either > 0;
  return sound ? 1 - both / either : 1;
}

double angle_between(double a, double b) { return std::abs(std::remainder(a - b, 2 * std::numbers::pi)); }

bool has_place(const Box3d& box) {
  return std::isfinite(box.x) && std::isfinite(box.y) && std::isfinite(box.z) && std::isfinite(box.dx) &&
         std::isfinite(box.dy) && std::isfinite(box.dz) && std::isfinite(box.yaw);
}

bool is_usable(const Detection3d& one) {
  return std::isfinite(one.score) && has_place(one.box) && !std::isinf(one.box.vx) && !std::isinf(one.box.vy);
}

bool has_velocity(const Box3d& box) { return !std::isnan(box.vx) && !std::isnan(box.vy); }

/// The nearest labelled box that is free, and how far it is; infinitely far when there is none.
std::pair<std::size_t, double> find_nearest(const Detection3d& one,
                                            const std::vector<const LabelledBox3d*>& truth,
                                            const std::vector<bool>& taken) {
  std::pair<std::size_t, double> nearest(0, std::numeric_limits<double>::infinity());
  for (std::size_t g = 0; g < truth.size(); ++g) {
    if (taken[g]) continue;
    const double away = distance(one.box, truth[g]->box);
    if (away < nearest.second) nearest = {g, away};
  }
  return nearest;
}

template <typename T>
void sort_by_score(std::vector<T>& judged) {
  std::stable_sort(judged.begin(), judged.end(), [](const T& a, const T& b) { return a.score > b.score; });
}

double mean_or(const Samples& values, double otherwise) {
  if (values.empty()) return otherwise;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

DetectionMetrics3d::DetectionMetrics3d(std::vector<std::string> class_names)
    : class_names_(std::move(class_names)), classes_(class_names_.size()) {}

Result<DetectionMetrics3d> DetectionMetrics3d::create(std::vector<std::string> class_names) {
  const std::set<std::string> distinct(class_names.begin(), class_names.end());
  if (class_names.empty() || distinct.size() != class_names.size()) {
    return make_error(ErrorCode::kInvalidInput,
                      "a detector needs at least one class, each with its own name; found " +
                          std::to_string(class_names.size()) + ", " + std::to_string(distinct.size()) +
                          " of them different");
  }
  return DetectionMetrics3d(std::move(class_names));
}

std::vector<DetectionMetrics3d::Judged> DetectionMetrics3d::judge(
    std::vector<const Detection3d*> detections, const std::vector<const LabelledBox3d*>& truth) {
  std::stable_sort(detections.begin(), detections.end(),
                   [](const auto* a, const auto* b) { return a->score > b->score; });
  std::vector<Judged> judged(detections.size());
  for (std::size_t d = 0; d < kDistances.size(); ++d) {
    std::vector<bool> taken(truth.size(), false);
    for (std::size_t i = 0; i < detections.size(); ++i) {
      judged[i].score = detections[i]->score;
      const auto [g, away] = find_nearest(*detections[i], truth, taken);
      if (!(away < kDistances[d])) continue;
      taken[g] = true;
      judged[i].matched[d] = true;
      if (d != kErrorDistance) continue;
      const Box3d& found = detections[i]->box;
      const Box3d& right = truth[g]->box;
      judged[i].errors = {away, scale_error(found, right), angle_between(found.yaw, right.yaw),
                          std::hypot(found.vx - right.vx, found.vy - right.vy)};
    }
  }
  return judged;
}

Status DetectionMetrics3d::add(std::span<const Detection3d> detections, std::span<const LabelledBox3d> truth,
                               std::optional<std::size_t> frame) {
  const auto classes = static_cast<std::int64_t>(class_names_.size());
  const auto outside = [&](const char* what, std::int64_t label) {
    return make_error(ErrorCode::kInvalidInput, std::string("found ") + what + " of class " +
                                                    std::to_string(label) + "; expected 0 to " +
                                                    std::to_string(classes - 1));
  };
  std::vector<std::vector<const Detection3d*>> found(class_names_.size());
  std::vector<std::vector<const LabelledBox3d*>> labelled(class_names_.size());
  std::int64_t unusable = 0;
  for (const Detection3d& one : detections) {
    if (!is_usable(one)) {
      ++unusable;
      continue;
    }
    if (one.label < 0 || one.label >= classes) return outside("a detection", one.label);
    found[static_cast<std::size_t>(one.label)].push_back(&one);
  }
  for (const LabelledBox3d& one : truth) {
    if (one.label < 0 || one.label >= classes) return outside("a labelled box", one.label);
    if (!has_place(one.box))
      return make_error(ErrorCode::kInvalidInput,
                        "found a labelled box whose place, size or heading is no finite number");
    labelled[static_cast<std::size_t>(one.label)].push_back(&one);
  }
  if (frame) frames_ = std::max(frames_, *frame + 1);
  for (std::size_t c = 0; c < classes_.size(); ++c) {
    PerClass& one = classes_[c];
    const auto boxes = static_cast<std::int64_t>(labelled[c].size());
    one.support += boxes;
    one.moves = one.moves || std::any_of(labelled[c].begin(), labelled[c].end(),
                                         [](const auto* box) { return has_velocity(box->box); });
    if (frame) {
      one.support_by_frame.resize(std::max(one.support_by_frame.size(), *frame + 1));
      one.support_by_frame[*frame] += boxes;
    }
    for (Judged& judged : judge(std::move(found[c]), labelled[c])) {
      judged.frame = frame.value_or(0);
      one.judged.push_back(judged);
    }
  }
  unusable_ += unusable;
  ++samples_;
  return {};
}

namespace {

/// Recall after each detection.
template <typename Judged>
Samples recalls(const std::vector<Judged>& sorted, std::int64_t support, std::size_t d) {
  Samples recall;
  double right = 0;
  for (const Judged& one : sorted) {
    right += one.matched[d] ? 1 : 0;
    recall.push_back(right / static_cast<double>(support));
  }
  return recall;
}

double recall_at(std::size_t i) { return static_cast<double>(i) * 0.01; }

}  // namespace

double DetectionMetrics3d::average_precision(const std::vector<Judged>& sorted, std::int64_t support,
                                             std::size_t d) {
  if (sorted.empty() || support == 0) return 0;
  const Samples recall = recalls(sorted, support, d);
  Samples precision;
  double right = 0;
  for (const Judged& one : sorted) {
    right += one.matched[d] ? 1 : 0;
    precision.push_back(right / static_cast<double>(precision.size() + 1));
  }
  double sum = 0;
  for (std::size_t i = kFirstRecall; i < kRecalls; ++i)
    sum += std::max(0.0, interpolate(recall, precision, recall_at(i), 0) - kLeastPrecision);
  const double mean = sum / static_cast<double>(kRecalls - kFirstRecall) / (1 - kLeastPrecision);
  return std::min(1.0, mean);  // a perfect one adds up to a rounding above it
}

Errors3d DetectionMetrics3d::errors_of(const std::vector<Judged>& sorted, std::int64_t support, bool moves) {
  Errors3d found;
  if (moves) found.velocity = 1;
  std::vector<Judged> matches;
  for (const Judged& one : sorted) {
    if (one.matched[kErrorDistance]) matches.push_back(one);
  }
  if (matches.empty() || support == 0) return found;
  Samples scores;
  for (const Judged& one : sorted) scores.push_back(one.score);
  const Samples recall = recalls(sorted, support, kErrorDistance);
  Samples score_at;  // by recall, 0 behind the last that is reached
  for (std::size_t i = 0; i < kRecalls; ++i) score_at.push_back(interpolate(recall, scores, recall_at(i), 0));
  std::size_t end = kRecalls;
  while (end > 0 && score_at[end - 1] == 0) --end;
  if (end <= kFirstRecall) return found;
  Samples rising;
  for (auto one = matches.rbegin(); one != matches.rend(); ++one) rising.push_back(one->score);
  const auto error = [&](std::size_t kind) {
    Samples errors;
    for (const Judged& one : matches) errors.push_back(one.errors[kind]);
    Samples means = running_mean(errors);
    std::reverse(means.begin(), means.end());
    double sum = 0;
    for (std::size_t i = kFirstRecall; i < end; ++i)
      sum += interpolate(rising, means, score_at[i], means.back());
    return sum / static_cast<double>(end - kFirstRecall);
  };
  found.translation = error(0);
  found.scale = error(1);
  found.orientation = error(2);
  if (moves) found.velocity = error(3);
  return found;
}

std::optional<DetectionMetrics3d::Precisions> DetectionMetrics3d::ap(std::size_t c) const {
  if (classes_[c].support == 0) return std::nullopt;
  std::vector<Judged> sorted = classes_[c].judged;
  sort_by_score(sorted);
  Precisions all{};
  for (std::size_t d = 0; d < all.size(); ++d) all[d] = average_precision(sorted, classes_[c].support, d);
  return all;
}

double DetectionMetrics3d::mean_ap_at(std::size_t d) const {
  Samples values;
  for (std::size_t c = 0; c < classes_.size(); ++c) {
    if (const auto all = ap(c)) values.push_back((*all)[d]);
  }
  return mean_or(values, 0);
}

double DetectionMetrics3d::mean_ap() const {
  double sum = 0;
  for (std::size_t d = 0; d < kDistances.size(); ++d) sum += mean_ap_at(d);
  return sum / static_cast<double>(kDistances.size());
}

std::optional<Errors3d> DetectionMetrics3d::errors(std::size_t c) const {
  if (classes_[c].support == 0) return std::nullopt;
  std::vector<Judged> sorted = classes_[c].judged;
  sort_by_score(sorted);
  return errors_of(sorted, classes_[c].support, classes_[c].moves);
}

Errors3d DetectionMetrics3d::errors() const {
  Samples translation;
  Samples scale;
  Samples orientation;
  Samples velocity;
  for (std::size_t c = 0; c < classes_.size(); ++c) {
    const auto one = errors(c);
    if (!one) continue;
    translation.push_back(one->translation);
    scale.push_back(one->scale);
    orientation.push_back(one->orientation);
    if (one->velocity) velocity.push_back(*one->velocity);
  }
  Errors3d all{mean_or(translation, 1), mean_or(scale, 1), mean_or(orientation, 1), {}};
  if (!velocity.empty()) all.velocity = mean_or(velocity, 1);
  return all;
}

double DetectionMetrics3d::score() const {
  const Errors3d all = errors();
  Samples kinds = {all.translation, all.scale, all.orientation};
  if (all.velocity) kinds.push_back(*all.velocity);
  const auto count = static_cast<double>(kinds.size());
  double sum = count * mean_ap();
  for (const double error : kinds) sum += 1 - std::min(1.0, error);
  return sum / (2 * count);
}

std::vector<DetectionMetrics3d::FrameFigures> DetectionMetrics3d::by_frame() const {
  std::vector<FrameFigures> figures(frames_);
  std::vector<Samples> precisions(frames_);
  std::vector<Samples> velocities(frames_);
  for (const PerClass& one : classes_) {
    std::vector<std::vector<Judged>> judged(frames_);
    for (const Judged& detection : one.judged) {
      if (detection.frame < frames_) judged[detection.frame].push_back(detection);
    }
    for (std::size_t f = 0; f < one.support_by_frame.size(); ++f) {
      const std::int64_t support = one.support_by_frame[f];
      if (support == 0) continue;
      sort_by_score(judged[f]);
      figures[f].boxes += support;
      precisions[f].push_back(average_precision(judged[f], support, kErrorDistance));
      if (const auto velocity = errors_of(judged[f], support, one.moves).velocity)
        velocities[f].push_back(*velocity);
    }
  }
  for (std::size_t f = 0; f < frames_; ++f) {
    figures[f].mean_ap = mean_or(precisions[f], 0);
    if (!velocities[f].empty()) figures[f].velocity = mean_or(velocities[f], 1);
  }
  return figures;
}

}  // namespace tarmac
