// Static INT8 quantisation that uses data for more than ranges: equalised channels, rounding chosen for what
// comes out, corrected biases. Each is kept only where it lowers the noise of the outputs.
//   prepare_for_int8()  changes the float model before it is calibrated,
//   adapt_for_int8()    after that;
//   quantize_static()   stores what they chose.
#pragma once

#include <vector>

#include "passes/pass.h"
#include "precision/quantize.h"
#include "precision/sample_set.h"

namespace tarmac {

struct AccuracyOptions {
  bool equalize = true;
  bool correct_bias = true;
  bool adapt_rounding = false;  ///< takes the longest
  CompileOptions compile;
};

/// What was done for accuracy; noise is that of the outputs on samples that nothing was fitted to
/// (OutputNoise).
struct AccuracyReport {
  std::vector<Change> changes;   ///< by node
  std::vector<Change> declined;  ///< by node, or by method with an empty node, with the reason
  double noise_before = 0;
  double noise_after = 0;
};

/// Equalises channels of `model` in place, by powers of two: it computes what it did but for the rounding of
/// products that leave float32's range. The same samples give the same model. Not kept where trial
/// quantisations on `samples`, min-max ranges, are no better by it; noise_before and noise_after are theirs.
/// Errors: the target's, kInvalidInput for NaN or infinity on the data, kCancelled.
Result<AccuracyReport> prepare_for_int8(Model& model, const FusionRules& rules, Target& target,
                                        const AccuracyOptions& accuracy, const QuantizeOptions& options,
                                        const SampleSet& samples, Progress& progress);

/// Adapts weights and biases of `model`, in which `groups` were found, to the rounding that quantize_static()
/// with these ranges does; nodes and values keep their names. Errors: as quantize_static() and
/// prepare_for_int8().
Result<AccuracyReport> adapt_for_int8(Model& model, const FusionGroups& groups, const Ranges& ranges,
                                      Target& target, const AccuracyOptions& accuracy,
                                      const QuantizeOptions& options, const SampleSet& samples,
                                      Progress& progress);

}  // namespace tarmac
