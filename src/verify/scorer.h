// The contract's metric as one number, from outputs that the caller makes however it likes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "contract/batch_reader.h"
#include "metrics/agreement.h"
#include "metrics/classification.h"
#include "metrics/detection.h"
#include "metrics/detection_3d.h"
#include "metrics/segmentation.h"
#include "targets/target.h"
#include "verify/compare_outputs.h"

namespace tarmac {

/// What the metric says of one model. Exactly one of the details is there.
struct Score {
  EvaluationMetric metric = EvaluationMetric::kTop1;
  /// In [0, 1], more is better: top-1 accuracy, mean IoU, mAP (of boxes in the picture or in space), or the
  /// worst sample's agreement.
  double value = 0;
  std::int64_t samples = 0;
  /// In the order added: 1 or 0 for top-1, mean IoU, agreement. Empty for mAP, which no picture has alone.
  std::vector<double> per_sample;
  std::optional<ClassificationMetrics> classification;
  std::optional<SegmentationMetrics> segmentation;
  std::optional<DetectionMetrics> detection;
  std::optional<DetectionMetrics3d> detection_3d;
  std::optional<AgreementMetrics> agreement;
};

/// The contract's evaluation; without one, agreement of the values of all outputs.
EvaluationSpec evaluation_of(const Contract& contract);

/// "top-1", "mean IoU", "mAP", "nuScenes mAP", "agreement".
const char* display_name(EvaluationMetric metric);

/// Gathers one model's outputs batch by batch. Make one for each model; they share nothing.
class Scorer {
 public:
  /// `labels` names the classes, `outputs` are the model's. Errors: kNotFound (an output; lists those there
  /// are), kInvalidInput (labels that do not make a metric). With `frames`, samples follow each other in
  /// time: what is told by frame counts from the beginning of their scene.
  static Result<Scorer> create(const EvaluationSpec& evaluation, const std::vector<std::string>& labels,
                               std::span<const TensorInfo> outputs, bool frames = false);
  /// From evaluation_of(contract), its labels and its sequence.
  static Result<Scorer> create(const Contract& contract, std::span<const TensorInfo> outputs);

  /// The outputs that add() reads, others need not be given.
  [[nodiscard]] const std::vector<std::string>& outputs() const { return outputs_; }
  /// Whether add() needs the float model's outputs: for agreement.
  [[nodiscard]] bool needs_reference() const { return spec_.metric == EvaluationMetric::kAgreement; }

  /// Adds the samples of a batch: rows that only fill it up are left out. `reference` are the float model's
  /// outputs for the same batch; null where needs_reference() is false. Errors: kInvalidInput (no label, map
  /// or boxes for a sample, outputs that do not fit), kNotFound (an output is missing), kUsage (no
  /// reference); the score means nothing then.
  Status add(const Batch& batch, const NamedTensors& outputs, const NamedTensors* reference = nullptr);

  /// Of all that was added.
  [[nodiscard]] Score score() const;

 private:
  Scorer() = default;
  Status add_labels(const Batch& batch, const NamedTensors& outputs);
  Status add_label_maps(const Batch& batch, const NamedTensors& outputs);
  Status add_boxes(const Batch& batch, const NamedTensors& outputs);
  Status add_boxes_3d(const Batch& batch, const NamedTensors& outputs);
  Status add_agreement(const Batch& batch, const NamedTensors& outputs, const NamedTensors& reference);

  EvaluationSpec spec_;
  bool frames_ = false;
  std::size_t frame_ = 0;  ///< Of the next sample in its scene.
  std::vector<std::string> outputs_;
  std::vector<double> per_sample_;
  std::optional<ClassificationMetrics> classification_;
  std::optional<SegmentationMetrics> segmentation_;
  std::optional<DetectionMetrics> detection_;
  std::optional<DetectionMetrics3d> detection_3d_;
  std::optional<AgreementMetrics> agreement_;
};

/// The output that `wanted` names; "" for the only one. kNotFound lists the outputs.
Result<std::string> choose_output(std::span<const TensorInfo> outputs, const std::string& wanted);

/// The first `rows` along the first axis, without a copy; the tensor itself where it has just these.
/// kInvalidInput when it has fewer.
Result<Tensor> first_rows(const Tensor& tensor, std::int64_t rows);

}  // namespace tarmac
