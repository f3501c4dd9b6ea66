// Proof by running: a rewritten model computes what the original does, at every corner of its shapes.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "graph/graph.h"
#include "tarmac/plan.h"
#include "verify/compare_outputs.h"

namespace tarmac {

/// What an output may be off, by its element type.
/// - Floats: max |a − r| / max |r| over the tensor: 1e-6 (float64), 1e-3 (float32), 1e-2 (float16), 5e-2
///   (bfloat16 and smaller); a range below kSmallestRange counts as that much. NaN and infinities must stand
///   at the same places.
/// - Integers and bools: this share of the elements, rounded down, may differ: 1e-3, for an ArgMax or a
///   threshold near a tie. Below a thousand elements all must be equal.
/// - Strings must be equal.
double equivalence_limit(DType dtype);
inline constexpr double kSmallestRange = 1e-3;

/// Batch sizes to compare real samples at: the model's where that is fixed, else one and several.
std::vector<std::size_t> batches_to_compare(const Model& model);

struct EquivalenceOptions {
  std::vector<ShapeRanges> profiles;  ///< shapes to compare at; empty: profiles are made up (corners.h)
  /// Real samples in batches of this size, some tens of them; null: none. Batches of a size that the result
  /// was not made for (the last one, where sizes are fixed) are passed over.
  std::function<Result<SampleSource>(std::size_t batch_size)> data;
  std::string data_name;  ///< for reports: where they come from
  std::vector<std::size_t> data_batches = {1};
  /// Made-up samples at each corner; they alternate between [0, 1), [-1, 1) and [-4, 4), integers that pick
  /// rows are in range.
  std::size_t made_up_samples = 3;
};

/// One output at one corner.
struct ComparedOutput {
  std::string output;
  DType dtype = DType::kUndefined;
  ErrorMetrics metrics;
  double limit = 0;     ///< equivalence_limit()
  std::string problem;  ///< what is wrong beyond the numbers: another shape, type or string
  /// Two runs of the original differ as much: it draws random numbers, and nothing is proven of it.
  bool random = false;
  bool only_nan = false;  ///< no sample had a finite number in it
  bool passed = true;
};

struct ComparedCorner {
  std::string shapes;    ///< Corner::name, or "batch=4" for real samples; may be empty
  std::string data;      ///< "made up", or EquivalenceOptions::data_name
  std::size_t runs = 0;  ///< of both models, on a batch each
  std::vector<ComparedOutput> outputs;
  std::string not_run;  ///< why nothing was run: the original's error, or shapes
};

struct Difference {
  std::string output;  ///< empty when the result does not run at all
  std::string shapes;
  std::string data;
  std::string what;     ///< a sentence
  NamedTensors inputs;  ///< that show it
};

struct EquivalenceReport {
  std::string engine;  ///< version of the engine that ran both
  std::vector<ComparedCorner> corners;
  std::size_t corners_left_out = 0;
  std::optional<Difference> difference;  ///< the first one
};

/// Runs both on the reference engine without its own rewriting: on the real samples, and on made-up ones at
/// every corner. Inputs and outputs must have the same names. Differences are no errors, see
/// report.difference. Errors: kUnavailable (no engine), kInvalidInput when the original ran nowhere (with its
/// reason) or a profile does not fit, those of the data, kCancelled.
Result<EquivalenceReport> compare_models(const Model& original, const Model& other,
                                         const EquivalenceOptions& options, Progress& progress);

/// How two results of one output differ, in words; empty within the limit. Fills in `compared`.
std::string judge_output(const Tensor& expected, const Tensor& found, ComparedOutput& compared);

}  // namespace tarmac
