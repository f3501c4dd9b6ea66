// Whether two models give the same results on the same inputs.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "metrics/error_metrics.h"
#include "precision/calibrate.h"
#include "runtime/inputs.h"
#include "targets/target.h"

namespace tarmac {

using NamedTensors = std::map<std::string, Tensor>;

/// Gives one set of inputs after another, then nothing.
using SampleSource = std::function<Result<std::optional<NamedTensors>>()>;

/// One model output over all samples.
struct OutputComparison {
  std::string output;
  ErrorMetrics metrics;  ///< combine() over the samples
  std::size_t samples = 0;
  std::size_t worst_sample =
      0;               ///< index of the sample with the largest error (a NaN or infinity mismatch is largest)
  ErrorMetrics worst;  ///< of that sample
};

/// Gathers comparisons sample by sample; memory does not grow with them.
class OutputComparer {
 public:
  /// Errors: kInvalidInput when an output of the reference is missing in `other` or has another shape,
  /// kUnsupported (string, complex); both name the output.
  Status add(const NamedTensors& reference, const NamedTensors& other);
  /// By output name.
  [[nodiscard]] const std::vector<OutputComparison>& results() const { return results_; }

 private:
  std::vector<OutputComparison> results_;
  std::size_t samples_ = 0;
};

/// Binds the inputs, runs, and copies every output of the executable that the context belongs to.
Result<NamedTensors> run_once(Context& context, const Executable& executable, const NamedTensors& inputs);

/// Runs both on every sample. Errors: of the source and the runs, OutputComparer::add()'s, kInvalidInput when
/// there is no sample, kCancelled.
Result<std::vector<OutputComparison>> compare_outputs(Executable& reference, Executable& other,
                                                      const SampleSource& source, Progress& progress);

/// The same for frames in order: each model carries its own state from frame to frame.
Result<std::vector<OutputComparison>> compare_sequences(Executable& reference, Executable& other,
                                                        const std::vector<StateSpec>& state,
                                                        const CalibrationSource& frames, std::size_t limit,
                                                        Progress& progress);

/// Every output's largest error is at most `limit` of its range.
bool within(const std::vector<OutputComparison>& comparison, double limit);

/// `count` sets of made-up inputs.
SampleSource made_up_batches(const std::vector<TensorInfo>& inputs, const ShapeChoice& shapes,
                             std::int64_t count);

/// For ordering errors: max_rel, or infinity when a NaN or infinity stands on one side only.
double severity(const ErrorMetrics& metrics);

}  // namespace tarmac
