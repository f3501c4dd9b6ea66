// What the contract, given or inside the plan, says about a model's inputs and outputs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plan/preprocessing.h"
#include "tarmac/contract.h"
#include "tarmac/session.h"

namespace tarmac::cli {

/// What a frame's outputs are to people.
enum class Task : std::uint8_t { kNone, kDetection, kDetection3d, kClassification, kSegmentation };

struct Meaning {
  std::optional<Contract> contract;
  Preprocessors preprocessors;
  std::vector<std::string> labels;
  std::string scores_output;   ///< empty: the only output
  DetectionOutputs detection;  ///< for kDetection and kDetection3d
  Task task = Task::kNone;
};

/// Errors: kUsage (a contract beside a plan), load_contract()'s.
Result<Meaning> find_meaning(const std::string& model, const std::string& contract, const Session& session);

/// "car"; the number where the contract has no name for it.
std::string label_name(const std::vector<std::string>& labels, std::int64_t label);

struct TopLabel {
  std::int64_t index = -1;
  std::string label;
  double probability = 0;  ///< softmax of the scores
};

/// Whether an output is a classifier's scores.
bool is_scores(const Meaning& meaning, const Session& session, const std::string& output,
               const Tensor& tensor);
/// One for each row of scores.
Result<std::vector<TopLabel>> top_labels(const Meaning& meaning, const Tensor& scores);

}  // namespace tarmac::cli
