#include "contract/sections.h"
#include "contract/words.h"

namespace tarmac {
namespace {

/// Whether the evaluation reads a detector's outputs, and so has 'outputs' instead of 'output'.
bool reads_boxes(const EvaluationSpec& spec) {
  return spec.metric == EvaluationMetric::kMeanAp || spec.metric == EvaluationMetric::kNuScenes ||
         (spec.metric == EvaluationMetric::kAgreement && spec.compare == AgreementKind::kBoxes);
}

/// Whether a threshold has a meaning.
bool uses_threshold(const EvaluationSpec& spec) {
  return spec.metric == EvaluationMetric::kMeanIou ||
         (spec.metric == EvaluationMetric::kAgreement && spec.compare != AgreementKind::kValues);
}

/// Average precision counts weak detections as well.
constexpr double kEvaluationMinScore = 0.01;
constexpr double kEvaluationMinScore3d = 0.05;

double least_score(DetectionDecoder decoder) {
  // Without a count, ready boxes have always been those with a score above 0.
  if (decoder == DetectionDecoder::kBoxes) return 0;
  return decoder == DetectionDecoder::kCenterPoint ? kEvaluationMinScore3d : kEvaluationMinScore;
}

/// evaluation.outputs, or what the contract says of detections anyway.
Result<DetectionOutputs> find_outputs(const Field& field, const Contract& contract) {
  DetectionOutputs found;
  const auto outputs = field.find("outputs");
  if (outputs) {
    TARMAC_TRY(found, parse_detections(*outputs, contract, kEvaluationMinScore));
  } else if (contract.detections) {
    found = *contract.detections;
  } else {
    return field.error("the key 'outputs' is missing; it is mandatory here without a section 'detections'");
  }
  if (!outputs || !outputs->find("min_score")) found.min_score = least_score(found.decoder);
  return found;
}

/// That the detector has boxes of the kind that the metric judges.
Status check_decoder(const Field& field, const EvaluationSpec& evaluation) {
  const bool in_space = evaluation.detections.decoder == DetectionDecoder::kCenterPoint;
  const bool wanted = evaluation.metric == EvaluationMetric::kNuScenes;
  if (in_space == wanted) return {};
  return field.error(wanted ? "nuscenes judges 3-D boxes; it needs decoder: centerpoint"
                            : "decoder: centerpoint gives 3-D boxes; write metric: nuscenes");
}

/// That data.evaluation has what the metric judges by.
Status check_truth(const Field& metric, EvaluationMetric wanted, const DataSource& data) {
  const bool tensors = data.kind == DataKind::kTensors;
  const bool from_file = data.labels == LabelSource::kFromFile;
  switch (wanted) {
    case EvaluationMetric::kTop1:
      if (data.labels == LabelSource::kFromFolder || from_file) return {};
      return metric.error("top1 needs labelled data; add 'labels' to data.evaluation");
    case EvaluationMetric::kMeanIou:
      if (tensors ? from_file : data.labels == LabelSource::kMasks) return {};
      return metric.error(tensors ? "miou needs label maps; add 'labels: from_file' to data.evaluation"
                                  : "miou needs label maps; add 'masks' to data.evaluation");
    case EvaluationMetric::kMeanAp:
      if (tensors ? from_file : data.labels == LabelSource::kBoxes) return {};
      return metric.error(tensors ? "map needs boxes; add 'labels: from_file' to data.evaluation"
                                  : "map needs boxes; add 'boxes' to data.evaluation");
    case EvaluationMetric::kNuScenes:
      if (tensors && from_file) return {};
      return metric.error(
          "nuscenes needs 3-D boxes, in the array 'labels' of an .npz; add 'labels: from_file' to "
          "data.evaluation");
    case EvaluationMetric::kAgreement:
      return {};
  }
  return {};
}

}  // namespace

Result<EvaluationSpec> parse_evaluation(const Field& field, const Contract& contract) {
  TARMAC_CHECK_OK(field.allow_keys({"metric", "output", "outputs", "compare", "threshold"}));
  EvaluationSpec evaluation;
  TARMAC_TRY(const Field metric, field.require("metric"));
  TARMAC_TRY(evaluation.metric, metric.choice(kMetricWords));
  if (const auto compare = field.find("compare")) {
    if (evaluation.metric != EvaluationMetric::kAgreement)
      return compare->error("compare belongs to metric agreement; remove it");
    TARMAC_TRY(evaluation.compare, compare->choice(kAgreementWords));
  }
  if (const auto output = field.find("output")) {
    if (reads_boxes(evaluation))
      return output->error(
          "a detector has several; write outputs: {boxes: NAME, scores: NAME, classes: NAME}");
    TARMAC_TRY(evaluation.output, output->text("the name of an output"));
  }
  if (reads_boxes(evaluation)) {
    TARMAC_TRY(evaluation.detections, find_outputs(field, contract));
    TARMAC_CHECK_OK(check_decoder(metric, evaluation));
    evaluation.threshold = 0.5;
  } else if (const auto outputs = field.find("outputs")) {
    return outputs->error(
        "outputs belong to metric map or nuscenes, or agreement with compare: boxes; write output");
  }
  if (const auto threshold = field.find("threshold")) {
    if (!uses_threshold(evaluation)) {
      return threshold->error(
          "a threshold belongs to metric miou, or agreement of classes or boxes; remove it");
    }
    TARMAC_TRY(evaluation.threshold, threshold->number());
  }
  if (!contract.evaluation_data) return field.error("evaluation needs data.evaluation, which is missing");
  TARMAC_CHECK_OK(check_truth(metric, evaluation.metric, *contract.evaluation_data));
  return evaluation;
}

}  // namespace tarmac
