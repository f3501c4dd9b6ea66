#include "contract/sections.h"
#include "contract/words.h"

namespace tarmac {
namespace {

/// Whether the evaluation reads a detector's outputs, and so has 'outputs' instead of 'output'.
bool reads_boxes(const EvaluationSpec& spec) {
  return spec.metric == EvaluationMetric::kMeanAp ||
         (spec.metric == EvaluationMetric::kAgreement && spec.compare == AgreementKind::kBoxes);
}

/// Whether a threshold has a meaning.
bool uses_threshold(const EvaluationSpec& spec) {
  return spec.metric == EvaluationMetric::kMeanIou ||
         (spec.metric == EvaluationMetric::kAgreement && spec.compare != AgreementKind::kValues);
}

Result<DetectionOutputs> parse_outputs(const Field& field) {
  TARMAC_CHECK_OK(field.allow_keys({"boxes", "scores", "classes", "count"}));
  DetectionOutputs outputs;
  const auto read = [&](const char* key, std::string& name) -> Status {
    TARMAC_TRY(const Field value, field.require(key));
    TARMAC_TRY(name, value.text("the name of an output"));
    return {};
  };
  TARMAC_CHECK_OK(read("boxes", outputs.boxes));
  TARMAC_CHECK_OK(read("scores", outputs.scores));
  TARMAC_CHECK_OK(read("classes", outputs.classes));
  if (field.find("count")) TARMAC_CHECK_OK(read("count", outputs.count));
  return outputs;
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
    TARMAC_TRY(const Field outputs, field.require("outputs"));
    TARMAC_TRY(evaluation.detections, parse_outputs(outputs));
    evaluation.threshold = 0.5;
  } else if (const auto outputs = field.find("outputs")) {
    return outputs->error("outputs belong to metric map, or agreement with compare: boxes; write output");
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
