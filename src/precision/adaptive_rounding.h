// Rounding weights so that results stay near, not weights.
//   minimise δᵀ·H·δ for each output channel, δ = q − w/scale, |δ| ≤ 1,  H = E[x·xᵀ] + λ·I of its inputs on
//   real data
// by coordinate descent from the rounding of round_weights.h: the error of results that Nagel et al., "Up or
// down? Adaptive rounding for post-training quantization", 2020, relax.
#pragma once

#include <functional>
#include <vector>

#include "passes/pass.h"
#include "precision/calibrate.h"
#include "precision/fusion_groups.h"

namespace tarmac {

struct AdaptiveRoundingOptions {
  CompileOptions compile;
  int weight_bits = 8;                               ///< as in QuantizeOptions
  std::size_t windows_a_sample = 256;                ///< that are looked at
  std::size_t most_bytes = std::size_t{256} << 20U;  ///< of moments at a time; more data takes further passes
};

/// Opens the samples anew.
using OpenSamples = std::function<Result<CalibrationSource>()>;

/// Makes the weights of `model`, in which `groups` were found, multiples of their scales, so that
/// quantize_static() stores them exactly; nodes and values keep their names. Weights that several nodes read,
/// and those of ConvTranspose, stay. Returns one entry for each node that changed, with what the error of its
/// results became. Errors: the source's, the target's, kInvalidInput for weights that are not finite,
/// kCancelled.
Result<std::vector<Change>> round_adaptively(Model& model, const FusionGroups& groups, Target& target,
                                             const AdaptiveRoundingOptions& options,
                                             const OpenSamples& samples, Progress& progress);

}  // namespace tarmac
