// Which groups of a model stay in float so that its metric drops no further than is allowed, at the lowest
// latency: chosen by measuring on the target.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "contract/dataset.h"
#include "precision/quantize.h"
#include "targets/target.h"
#include "tune/keep_order.h"
#include "tune/metric_samples.h"

namespace tarmac {

/// Quantises these groups of a copy of the float model.
using GroupQuantizer = std::function<Result<QuantizeReport>(Model&, const FusionGroups&)>;

struct MixedPrecisionJob {
  /// In float, optimised, types inferred; the one that was calibrated: equalised channels have other ranges.
  const Model& model;
  const FusionGroups& groups;
  GroupQuantizer quantize;
  Target& target;
  CompileOptions compile;
  const Contract& contract;  ///< its metric; agreement with the float model where it has none
  const Dataset& data;
  double max_drop = 0.02;          ///< of the metric, a fraction: 0.02 are two percentage points
  std::size_t top_k = 16;          ///< groups whose cost in points is measured, the noisiest
  HoldOptions hold{};              ///< samples that rank groups and candidates; the decision is about all
  std::size_t noise_batches = 16;  ///< that noise is measured on
  double measure_s = 0.5;          ///< time to measure the latency of each model for
};

struct MixedPrecisionResult {
  Model model;  ///< the quantised model that was chosen; the best one found where `verdict` is an error
  QuantizeReport report;
  /// OK, or why the model must not be used: kUnsupported when it is slower than the float model,
  /// kAcceptance when no mix keeps the drop inside. Says the figures.
  Status verdict;
  std::vector<GroupRow> rows;  ///< every group, culprits first

  EvaluationMetric metric = EvaluationMetric::kTop1;
  double float_score = 0;  ///< on all samples, in [0, 1]
  double int8_score = 0;   ///< with all groups in INT8
  double score = 0;        ///< of `model`
  [[nodiscard]] double drop() const { return float_score - score; }
  std::int64_t samples = 0;
  std::int64_t held_samples = 0;

  double float_ns = 0;  ///< median latency of one run
  double int8_ns = 0;
  double mixed_ns = 0;

  bool searched = false;  ///< false: all groups in INT8 stay inside
  std::int64_t toggled_inferences = 0;
  std::int64_t compiled_candidates = 0;
  std::int64_t time_ns = 0;
};

/// All in INT8 if that stays inside. Otherwise groups are ranked by noise (one pass), the noisiest by what
/// they cost of the metric (one model with switches), and kept in float in keep_order(): the shortest prefix
/// that stays inside, found by quantising, compiling and measuring candidates, less the groups without which
/// it still does. Errors: the target's, the metric's, GroupQuantizer's, kCancelled; kInvalidInput without
/// groups or samples.
Result<MixedPrecisionResult> tune_precision(const MixedPrecisionJob& job, Progress& progress);

}  // namespace tarmac
