#include "cli/run/meaning.h"

#include <fmt/format.h>

#include "metrics/classification.h"

namespace tarmac::cli {
namespace {

/// For what people look at; evaluation counts weak detections as well.
constexpr double kUsualMinScore = 0.25;

Result<std::optional<Contract>> read_contract(const std::string& model, const std::string& contract,
                                              const Session& session) {
  if (session.plan() != nullptr) {
    if (!contract.empty()) {
      return make_error(ErrorCode::kUsage, "the plan carries its own preprocessing; leave --contract out", {},
                        model);
    }
    return session.contract() == nullptr ? std::optional<Contract>() : *session.contract();
  }
  if (contract.empty()) return std::optional<Contract>();
  // The data that a contract names need not be here to run a model.
  ContractOptions options;
  options.files_must_exist = false;
  TARMAC_TRY(Contract parsed, load_contract(contract, options));
  return std::optional(std::move(parsed));
}

Task task_of(Meaning& meaning) {
  const Contract& contract = *meaning.contract;
  if (contract.detections) {
    meaning.detection = *contract.detections;
    return meaning.detection.center_point ? Task::kDetection3d : Task::kDetection;
  }
  if (contract.evaluation) {
    const EvaluationSpec& evaluation = *contract.evaluation;
    meaning.scores_output = evaluation.output;
    if (evaluation.metric == EvaluationMetric::kMeanIou) return Task::kSegmentation;
    if (evaluation.metric == EvaluationMetric::kMeanAp ||
        (evaluation.metric == EvaluationMetric::kAgreement && evaluation.compare == AgreementKind::kBoxes)) {
      meaning.detection = evaluation.detections;
      meaning.detection.min_score = kUsualMinScore;
      return Task::kDetection;
    }
  }
  return meaning.labels.empty() ? Task::kNone : Task::kClassification;
}

}  // namespace

Result<Meaning> find_meaning(const std::string& model, const std::string& contract, const Session& session) {
  Meaning meaning;
  TARMAC_TRY(meaning.contract, read_contract(model, contract, session));
  if (!meaning.contract) return meaning;
  TARMAC_TRY(meaning.preprocessors, make_preprocessors(*meaning.contract));
  meaning.labels = meaning.contract->labels;
  meaning.task = task_of(meaning);
  return meaning;
}

std::string label_name(const std::vector<std::string>& labels, std::int64_t label) {
  if (label >= 0 && label < static_cast<std::int64_t>(labels.size()))
    return labels[static_cast<std::size_t>(label)];
  return fmt::format("class {}", label);
}

bool is_scores(const Meaning& meaning, const Session& session, const std::string& output,
               const Tensor& tensor) {
  if (meaning.labels.empty()) return false;
  if (meaning.scores_output.empty() ? session.outputs().size() != 1 : meaning.scores_output != output)
    return false;
  const auto classes = static_cast<std::int64_t>(meaning.labels.size());
  return tensor.shape().size() >= 1 && tensor.shape().size() <= 2 && tensor.shape().back() == classes;
}

Result<std::vector<TopLabel>> top_labels(const Meaning& meaning, const Tensor& scores) {
  TARMAC_TRY(const auto indices, argmax_rows(scores));
  TARMAC_TRY(const auto probabilities, softmax_rows(scores));
  std::vector<TopLabel> labels;
  for (std::size_t row = 0; row < indices.size(); ++row) {
    if (indices[row] < 0) {
      labels.push_back({-1, "none (NaN)", 0});
      continue;
    }
    const auto index = static_cast<std::size_t>(indices[row]);
    labels.push_back({indices[row], meaning.labels[index], probabilities[row][index]});
  }
  return labels;
}

}  // namespace tarmac::cli
