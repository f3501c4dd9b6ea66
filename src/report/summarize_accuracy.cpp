#include <numeric>
#include <utility>

#include "report/report.h"

namespace tarmac::report {
namespace {

ClassResult class_of(const std::string& name, std::int64_t samples) {
  ClassResult result;
  result.name = name;
  result.samples = samples;
  return result;
}

}  // namespace

AccuracyResult summarize_accuracy(const ClassificationMetrics& metrics) {
  AccuracyResult result;
  result.value = metrics.accuracy();
  result.samples = metrics.samples();
  result.balanced_accuracy = metrics.balanced_accuracy();
  result.confusion = metrics.confusion();
  for (std::size_t c = 0; c < metrics.class_names().size(); ++c) {
    ClassResult one = class_of(metrics.class_names()[c], metrics.support(c));
    one.recall = metrics.recall(c);
    one.precision = metrics.precision(c);
    one.f1 = metrics.f1(c);
    result.classes.push_back(std::move(one));
  }
  return result;
}

AccuracyResult summarize_accuracy(const SegmentationMetrics& metrics) {
  AccuracyResult result;
  result.metric = "mean_iou";
  result.name = "mean IoU";
  result.value = metrics.mean_iou();
  result.samples = metrics.samples();
  result.pixel_accuracy = metrics.pixel_accuracy();
  result.confusion = metrics.confusion();
  for (std::size_t c = 0; c < metrics.class_names().size(); ++c) {
    ClassResult one = class_of(metrics.class_names()[c], metrics.support(c));
    one.iou = metrics.iou(c);
    one.recall = metrics.recall(c);
    one.precision = metrics.precision(c);
    result.classes.push_back(std::move(one));
  }
  return result;
}

AccuracyResult summarize_accuracy(const DetectionMetrics& metrics) {
  AccuracyResult result;
  result.metric = "map";
  result.name = "mAP";
  result.value = metrics.mean_ap();
  result.samples = metrics.samples();
  result.map50 = metrics.mean_ap50();
  for (std::size_t c = 0; c < metrics.class_names().size(); ++c) {
    ClassResult one = class_of(metrics.class_names()[c], metrics.support(c));
    one.ap = metrics.ap(c);
    one.ap50 = metrics.ap50(c);
    result.classes.push_back(std::move(one));
  }
  return result;
}

AccuracyResult summarize_accuracy(const DetectionMetrics3d& metrics) {
  AccuracyResult result;
  result.metric = "nuscenes";
  result.name = "nuScenes mAP";
  result.value = metrics.mean_ap();
  result.samples = metrics.samples();
  result.nds = metrics.score();
  result.errors = metrics.errors();
  result.unusable = metrics.unusable();
  for (std::size_t d = 0; d < DetectionMetrics3d::kDistances.size(); ++d)
    result.by_distance.push_back({DetectionMetrics3d::kDistances[d], metrics.mean_ap_at(d)});
  for (const auto& frame : metrics.by_frame()) {
    result.by_frame.push_back(
        {static_cast<std::int64_t>(result.by_frame.size()), frame.boxes, frame.mean_ap, frame.velocity});
  }
  for (std::size_t c = 0; c < metrics.class_names().size(); ++c) {
    ClassResult one = class_of(metrics.class_names()[c], metrics.support(c));
    if (const auto ap = metrics.ap(c)) {
      one.ap_by_distance.assign(ap->begin(), ap->end());
      one.ap = std::accumulate(ap->begin(), ap->end(), 0.0) / static_cast<double>(ap->size());
    }
    one.errors = metrics.errors(c);
    result.classes.push_back(std::move(one));
  }
  return result;
}

AccuracyResult summarize_accuracy(const AgreementMetrics& metrics, std::string worst_sample) {
  AccuracyResult result;
  result.metric = "agreement";
  result.name = "agreement";
  result.value = metrics.worst();
  result.samples = metrics.samples();
  result.mean_agreement = metrics.mean();
  result.worst_sample = std::move(worst_sample);
  return result;
}

}  // namespace tarmac::report
