// Cross-layer equalisation: channels of an activation are scaled so that one scale a tensor serves them all.
//   f_c = R_c^-a · C_c^(1-a),  C_c = max_o |W[o,c]| / max_j |W[o,j]|·R_j
// R_c: the largest |v| of the channel on data, C_c: what its readers take of it, relative to the strongest
// channel of each of their rows. Weights that make channel c are multiplied by f_c and those that read it are
// divided by it, through ReLU, pooling, residual additions and concatenations (channel_spaces.h), so the
// model computes what it did, up to rounding, and f·R does not depend on how it was scaled before. For one
// producer and one reader, a = 1/2 and ranges taken from weights it is Nagel et al., "Data-Free Quantization
// Through Weight Equalization and Bias Correction", 2019.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "passes/pass.h"
#include "precision/channel_means.h"
#include "precision/fusion_groups.h"

namespace tarmac {

struct EqualizeOptions {
  /// a: 1 gives every channel the tensor's whole range, 1/2 as much to activations as to weights.
  double to_activations = 0.7;
};

/// What must be measured first, with magnitudes: rounded values whose channels can be scaled, or stand beside
/// such.
std::vector<ChannelAxis> channels_to_measure(const Model& model, const FusionGroups& groups);

/// Rewrites weights and biases of `model`, in which `groups` were found; nodes and values keep their names.
/// `measured` has what channels_to_measure() named. Returns one entry for each node whose weights changed,
/// with the span of its factors; the groups stay valid but for the names of weights: find them again.
Result<std::vector<Change>> equalize_channels(Model& model, const FusionGroups& groups,
                                              const std::map<std::string, ChannelStatistics>& measured,
                                              const EqualizeOptions& options = {});

}  // namespace tarmac
