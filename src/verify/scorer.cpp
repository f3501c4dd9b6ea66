#include "verify/scorer.h"

#include <algorithm>
#include <memory>

#include "verify/read_detections.h"
#include "verify/read_detections_3d.h"

namespace tarmac {
namespace {

std::int64_t samples_of(const Batch& batch) { return static_cast<std::int64_t>(batch.items.size()); }

/// Along the first axis of the batch's tensors, with those that only fill it up.
std::int64_t rows_of(const Batch& batch) {
  if (batch.inputs.empty() || batch.inputs.begin()->second.shape().empty()) return samples_of(batch);
  return batch.inputs.begin()->second.shape().front();
}

Error lacks(const DataItem& item, const std::string& what) {
  return make_error(ErrorCode::kInvalidInput, "the sample has no " + what, {}, to_string(item));
}

/// Sample `index` of a batch's output, with a first axis of 1. An output of a batch of one is taken whole:
/// its first axis may be something else.
Result<Tensor> sample_of(const Tensor& output, std::int64_t rows, std::int64_t index) {
  if (rows == 1) return output;
  Shape shape = output.shape();
  if (shape.empty() || shape.front() != rows) {
    return make_error(
        ErrorCode::kInvalidInput,
        "expected " + std::to_string(rows) + " results along the first axis, found " + to_string(shape));
  }
  shape.front() = 1;
  TARMAC_TRY(const std::size_t bytes, size_bytes(output.dtype(), shape));
  const auto owner = std::make_shared<const Tensor>(output);
  return Tensor::view(output.dtype(), std::move(shape),
                      owner->bytes().subspan(static_cast<std::size_t>(index) * bytes, bytes), owner);
}

std::vector<Detection> at_least(std::vector<Detection> detections, double score) {
  std::erase_if(detections, [&](const Detection& one) { return !(one.score >= score); });
  return detections;
}

std::string names_of(std::span<const TensorInfo> outputs) {
  std::string names;
  for (const TensorInfo& info : outputs) names += (names.empty() ? "" : ", ") + info.name;
  return names;
}

/// The outputs that an evaluation reads.
Result<std::vector<std::string>> choose_outputs(const EvaluationSpec& spec,
                                                std::span<const TensorInfo> outputs) {
  std::vector<std::string> wanted;
  const bool boxes = spec.metric == EvaluationMetric::kMeanAp || spec.metric == EvaluationMetric::kNuScenes ||
                     (spec.metric == EvaluationMetric::kAgreement && spec.compare == AgreementKind::kBoxes);
  if (boxes) {
    wanted = detection_outputs(spec.detections);
  } else if (spec.metric == EvaluationMetric::kAgreement && spec.output.empty()) {
    for (const TensorInfo& info : outputs) wanted.push_back(info.name);
  } else {
    wanted = {spec.output};
  }
  for (std::string& name : wanted) {
    TARMAC_TRY(name, choose_output(outputs, name));
  }
  return wanted;
}

}  // namespace

EvaluationSpec evaluation_of(const Contract& contract) {
  if (contract.evaluation) return *contract.evaluation;
  EvaluationSpec spec;
  spec.metric = EvaluationMetric::kAgreement;
  return spec;
}

const char* display_name(EvaluationMetric metric) {
  switch (metric) {
    case EvaluationMetric::kTop1:
      return "top-1";
    case EvaluationMetric::kMeanIou:
      return "mean IoU";
    case EvaluationMetric::kMeanAp:
      return "mAP";
    case EvaluationMetric::kNuScenes:
      return "nuScenes mAP";
    case EvaluationMetric::kAgreement:
      return "agreement";
  }
  return "metric";
}

Result<std::string> choose_output(std::span<const TensorInfo> outputs, const std::string& wanted) {
  const auto found = std::find_if(outputs.begin(), outputs.end(),
                                  [&](const TensorInfo& info) { return info.name == wanted; });
  if (found != outputs.end()) return wanted;
  if (wanted.empty() && outputs.size() == 1) return outputs.front().name;
  const std::string problem =
      wanted.empty() ? "the contract names no output" : "the model has no output '" + wanted + "'";
  return make_error(ErrorCode::kNotFound, problem + "; the model's outputs are: " + names_of(outputs),
                    wanted);
}

Result<Tensor> first_rows(const Tensor& tensor, std::int64_t rows) {
  if (tensor.shape().empty() || tensor.shape().front() < rows) {
    return make_error(ErrorCode::kInvalidInput, "expected " + std::to_string(rows) +
                                                    " results along the first axis, found " +
                                                    to_string(tensor.shape()));
  }
  if (tensor.shape().front() == rows) return tensor;
  Shape shape = tensor.shape();
  shape.front() = rows;
  TARMAC_TRY(const std::size_t bytes, size_bytes(tensor.dtype(), shape));
  const auto owner = std::make_shared<const Tensor>(tensor);
  return Tensor::view(tensor.dtype(), std::move(shape), owner->bytes().first(bytes), owner);
}

Result<Scorer> Scorer::create(const EvaluationSpec& evaluation, const std::vector<std::string>& labels,
                              std::span<const TensorInfo> outputs, bool frames) {
  Scorer scorer;
  scorer.spec_ = evaluation;
  scorer.frames_ = frames;
  TARMAC_TRY(scorer.outputs_, choose_outputs(evaluation, outputs));
  switch (evaluation.metric) {
    case EvaluationMetric::kTop1: {
      TARMAC_TRY(scorer.classification_, ClassificationMetrics::create(labels));
      break;
    }
    case EvaluationMetric::kMeanIou: {
      TARMAC_TRY(scorer.segmentation_, SegmentationMetrics::create(labels, evaluation.threshold));
      break;
    }
    case EvaluationMetric::kMeanAp: {
      TARMAC_TRY(scorer.detection_, DetectionMetrics::create(labels));
      break;
    }
    case EvaluationMetric::kNuScenes: {
      TARMAC_TRY(scorer.detection_3d_, DetectionMetrics3d::create(labels));
      break;
    }
    case EvaluationMetric::kAgreement:
      scorer.agreement_.emplace();
      break;
  }
  return scorer;
}

Result<Scorer> Scorer::create(const Contract& contract, std::span<const TensorInfo> outputs) {
  return create(evaluation_of(contract), contract.labels, outputs, contract.sequence.has_value());
}

Status Scorer::add(const Batch& batch, const NamedTensors& outputs, const NamedTensors* reference) {
  if (classification_) return add_labels(batch, outputs);
  if (segmentation_) return add_label_maps(batch, outputs);
  if (detection_) return add_boxes(batch, outputs);
  if (detection_3d_) return add_boxes_3d(batch, outputs);
  if (reference == nullptr)
    return make_error(ErrorCode::kUsage, "agreement needs the float model's outputs beside these");
  return add_agreement(batch, outputs, *reference);
}

Status Scorer::add_labels(const Batch& batch, const NamedTensors& outputs) {
  TARMAC_TRY(const Tensor* all, find_output(outputs, outputs_.front()));
  TARMAC_TRY(const Tensor scores, first_rows(*all, samples_of(batch)));
  std::vector<std::int64_t> labels;
  for (const DataItem& item : batch.items) {
    if (item.label < 0) return lacks(item, "label; top1 needs 'labels' in the contract's data");
    labels.push_back(item.label);
  }
  TARMAC_CHECK_OK(classification_->add(scores, labels));
  TARMAC_TRY(const auto predicted, argmax_rows(scores));
  for (std::size_t i = 0; i < labels.size(); ++i) per_sample_.push_back(predicted[i] == labels[i] ? 1 : 0);
  return {};
}

Status Scorer::add_label_maps(const Batch& batch, const NamedTensors& outputs) {
  TARMAC_TRY(const Tensor* all, find_output(outputs, outputs_.front()));
  TARMAC_TRY(const Tensor scores, first_rows(*all, samples_of(batch)));
  const Shape& shape = scores.shape();
  std::vector<Tensor> maps;
  for (std::size_t i = 0; i < batch.items.size(); ++i) {
    if (i >= batch.truths.size() || batch.truths[i].label_map.empty())
      return lacks(batch.items[i], "label map; miou needs 'masks' in the contract's data.evaluation");
    const Truth& truth = batch.truths[i];
    maps.push_back(truth.label_map);
    if (truth.of_input && shape.size() >= 3) {
      TARMAC_TRY(maps.back(),
                 resize_labels(truth.label_map, shape[shape.size() - 2], shape[shape.size() - 1]));
    }
  }
  return segmentation_->add(scores, maps);
}

Status Scorer::add_boxes(const Batch& batch, const NamedTensors& outputs) {
  TARMAC_TRY(const auto found, read_detections(outputs, spec_.detections, samples_of(batch)));
  for (std::size_t i = 0; i < batch.items.size(); ++i) {
    if (i >= batch.truths.size() || !batch.truths[i].has_boxes)
      return lacks(batch.items[i], "boxes; map needs 'boxes' in the contract's data.evaluation");
    if (auto added = detection_->add(found[i], batch.truths[i].boxes); !added) {
      added.error().context = to_string(batch.items[i]);
      return added;
    }
  }
  return {};
}

Status Scorer::add_boxes_3d(const Batch& batch, const NamedTensors& outputs) {
  TARMAC_TRY(const auto found, read_detections_3d(outputs, spec_.detections, samples_of(batch)));
  if (batch.starts_scene) frame_ = 0;
  for (std::size_t i = 0; i < batch.items.size(); ++i, ++frame_) {
    const DataItem& item = batch.items[i];
    if (i >= batch.truths.size() || !batch.truths[i].has_boxes_3d)
      return lacks(item,
                   "3-D boxes; nuscenes needs an array 'labels' [samples, boxes, 10] or [samples, boxes, 8]");
    if (i > 0 && item.scene != batch.items[i - 1].scene) frame_ = 0;
    const auto frame = frames_ ? std::optional(frame_) : std::nullopt;
    if (auto added = detection_3d_->add(found[i], batch.truths[i].boxes_3d, frame); !added) {
      added.error().context = to_string(item);
      return added;
    }
  }
  return {};
}

Status Scorer::add_agreement(const Batch& batch, const NamedTensors& outputs, const NamedTensors& reference) {
  std::vector<double> values(batch.items.size(), 1);
  const auto take = [&](std::size_t i, double value) { values[i] = std::min(values[i], value); };
  if (spec_.compare == AgreementKind::kBoxes) {
    TARMAC_TRY(const auto expected, read_detections(reference, spec_.detections, samples_of(batch)));
    TARMAC_TRY(const auto found, read_detections(outputs, spec_.detections, samples_of(batch)));
    for (std::size_t i = 0; i < values.size(); ++i)
      take(i,
           agreement_of_boxes(at_least(expected[i], spec_.threshold), at_least(found[i], spec_.threshold)));
  } else {
    for (const std::string& name : outputs_) {
      TARMAC_TRY(const Tensor* expected, find_output(reference, name));
      TARMAC_TRY(const Tensor* found, find_output(outputs, name));
      for (std::size_t i = 0; i < values.size(); ++i) {
        const auto index = static_cast<std::int64_t>(i);
        TARMAC_TRY(const Tensor r, sample_of(*expected, rows_of(batch), index));
        TARMAC_TRY(const Tensor a, sample_of(*found, rows_of(batch), index));
        auto agreed = spec_.compare == AgreementKind::kClasses ? agreement_of_classes(r, a, spec_.threshold)
                                                               : agreement_of_values(r, a);
        if (!agreed) {
          agreed.error().node = name;
          return std::move(agreed).error();
        }
        take(i, *agreed);
      }
    }
  }
  for (const double value : values) agreement_->add(value);
  return {};
}

Score Scorer::score() const {
  Score score;
  score.metric = spec_.metric;
  score.classification = classification_;
  score.segmentation = segmentation_;
  score.detection = detection_;
  score.detection_3d = detection_3d_;
  score.agreement = agreement_;
  if (classification_) {
    score.value = classification_->accuracy();
    score.samples = classification_->samples();
    score.per_sample = per_sample_;
  } else if (segmentation_) {
    score.value = segmentation_->mean_iou();
    score.samples = segmentation_->samples();
    score.per_sample = segmentation_->sample_iou();
  } else if (detection_) {
    score.value = detection_->mean_ap();
    score.samples = detection_->samples();
  } else if (detection_3d_) {
    score.value = detection_3d_->mean_ap();
    score.samples = detection_3d_->samples();
  } else {
    score.value = agreement_->worst();
    score.samples = agreement_->samples();
    score.per_sample = agreement_->values();
  }
  return score;
}

}  // namespace tarmac
