// Bias correction: rounding shifts the mean of a channel, and a bias can shift it back.
//   b'_c = b_c + E[y_c] − E[ŷ_c]
// y: what a node with weights makes before its activation in the float model, ŷ: the same in the quantised
// one. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019, with
// means measured on data. Two sweeps: the first takes away what each node's own rounding causes, the second
// what remains at the last nodes before the outputs, where all the errors before them arrive.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "passes/pass.h"
#include "precision/fusion_groups.h"
#include "precision/sample_set.h"

namespace tarmac {

struct CorrectBiasOptions {
  CompileOptions compile;
};

struct BiasCorrection {
  std::vector<Change> changes;   ///< one for each node whose bias changed, and sweep
  std::vector<Change> declined;  ///< and for each that has none and cannot be given one
  double noise_before = 0;       ///< OutputNoise of the quantised model on the judging samples
  double noise_after = 0;        ///< not more than before
};

/// Quantises a copy of a float model; called for each sweep.
using Quantize = std::function<Result<Model>(const Model& model)>;

/// Changes the biases of `model`, the float model in which `groups` were found, so that what `quantize` makes
/// of it comes closer to `reference`: the same, or as it was before its weights were adapted. Means come from
/// `samples.fit`; a sweep is kept only if it lowers the noise of the outputs on `samples.judge`. Errors:
/// quantize's, the target's, kCancelled.
Result<BiasCorrection> correct_bias(Model& model, const Model& reference, const FusionGroups& groups,
                                    const Quantize& quantize, Target& target,
                                    const CorrectBiasOptions& options, const Halves& samples,
                                    Progress& progress);

}  // namespace tarmac
