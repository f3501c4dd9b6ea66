#include "deploy/evaluate_cells.h"

#include <algorithm>

#include "report/pictures.h"
#include "verify/reference.h"

namespace tarmac {
namespace {

constexpr std::size_t kPicturesShown = 48;
constexpr int kThumbnailPx = 112;

/// Which pictures the sheet shows: every wrong one first, then right ones taken evenly, so that each class is
/// seen.
std::vector<std::size_t> choose_pictures(const std::vector<report::ReportPicture>& all) {
  std::vector<std::size_t> chosen;
  std::vector<std::size_t> right;
  for (std::size_t i = 0; i < all.size(); ++i) (all[i].wrong() ? chosen : right).push_back(i);
  chosen.resize(std::min(chosen.size(), kPicturesShown));
  const std::size_t room = std::min(kPicturesShown - chosen.size(), right.size());
  for (std::size_t i = 0; i < room; ++i) chosen.push_back(right[i * right.size() / room]);
  return chosen;
}

/// The predictions of all cells side by side, one entry a picture.
std::vector<report::ReportPicture> gather(const Contract& contract, const std::vector<Cell>& cells,
                                          const std::vector<Evaluation>& evaluations) {
  const auto label = [&](int index) {
    return index < 0 ? std::string("none") : contract.labels[static_cast<std::size_t>(index)];
  };
  std::vector<report::ReportPicture> pictures;
  for (const DataItem& item : evaluations.front().items) {
    const auto& path = item.path;
    report::ReportPicture& picture = pictures.emplace_back();
    picture.name = (path.parent_path().filename() / path.filename()).string();
    picture.label = label(item.label);
  }
  for (std::size_t c = 0; c < cells.size(); ++c) {
    for (std::size_t i = 0; i < pictures.size(); ++i) {
      const Prediction& prediction = evaluations[c].predictions[i];
      pictures[i].predictions.push_back({cells[c].result.variant, cells[c].result.target,
                                         label(prediction.predicted), prediction.probability});
    }
  }
  return pictures;
}

}  // namespace

report::AccuracyResult accuracy_of(const Evaluation& evaluation) {
  const Score& score = evaluation.score;
  if (score.classification) return report::summarize_accuracy(*score.classification);
  if (score.segmentation) return report::summarize_accuracy(*score.segmentation);
  if (score.detection) return report::summarize_accuracy(*score.detection);
  if (score.detection_3d) return report::summarize_accuracy(*score.detection_3d);
  std::string worst;
  if (!evaluation.items.empty()) worst = to_string(evaluation.items[score.agreement->worst_sample()]);
  return report::summarize_accuracy(*score.agreement, worst);
}

Executable* find_original(const std::vector<Cell>& cells) {
  const auto found = std::find_if(cells.begin(), cells.end(),
                                  [](const Cell& cell) { return cell.result.variant == "original"; });
  return found == cells.end() ? nullptr : found->executable.get();
}

Status evaluate_cells(const Contract& contract, const Dataset& data, std::vector<Cell>& cells,
                      report::DeployReport& report, Progress& progress) {
  std::vector<Executable*> executables;
  for (const Cell& cell : cells) executables.push_back(cell.executable.get());
  TARMAC_TRY(auto evaluations, evaluate(executables, contract, data, {}, progress, find_original(cells)));
  for (std::size_t c = 0; c < cells.size(); ++c) {
    cells[c].result.accuracy = accuracy_of(evaluations[c]);
    cells[c].detections_3d = std::move(evaluations[c].detections_3d);
    for (const StateDrift& drift : evaluations[c].drift)
      cells[c].result.drift.push_back({drift.output, drift.by_frame});
  }
  for (const Error& error : evaluations.front().unreadable)
    report.notes.push_back("left out: " + error.str());
  if (contract.evaluation->metric != EvaluationMetric::kTop1)
    return {};  // the sheet shows one label a picture
  if (contract.evaluation_data->kind == DataKind::kTensors) return {};
  auto pictures = gather(contract, cells, evaluations);
  for (const std::size_t index : choose_pictures(pictures)) {
    if (!contract.inputs.front().is_raw()) {  // a camera's frames are no picture files
      TARMAC_TRY(pictures[index].jpeg, encode_thumbnail(evaluations.front().items[index].path, kThumbnailPx));
    }
    report.pictures.push_back(std::move(pictures[index]));
  }
  return {};
}

Status compare_cells_with_reference(const Contract& contract, std::vector<Cell>& cells,
                                    report::DeployReport& report, Progress& progress) {
  for (const Cell& cell : cells) {
    TARMAC_TRY(const ReferenceComparison found, compare_with_reference(*cell.executable, contract, progress));
    report::ReferenceComparison row;
    row.reference = contract.reference->outputs.filename().string();
    row.variant = cell.result.variant;
    row.target = cell.result.target;
    row.output = found.output;
    row.samples = static_cast<std::int64_t>(found.samples.size());
    row.metrics = found.total;
    if (row.variant == "original" || row.variant == "fp32") {
      row.max_rel_limit = found.limit;
      row.passed = found.passed();
    }
    report.references.push_back(std::move(row));
  }
  return {};
}

}  // namespace tarmac
